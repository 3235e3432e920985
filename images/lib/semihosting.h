// images/lib/semihosting.h: calls to the host (Arm IHI 0100, "Semihosting for AArch32 and AArch64").
#pragma once
#include "lib/arm.h"

enum {
  kSysOpen = 0x01,
  kSysClose = 0x02,
  kSysWriteC = 0x03,
  kSysWrite0 = 0x04,
  kSysWrite = 0x05,
  kSysRead = 0x06,
  kSysReadC = 0x07,
  kSysIsError = 0x08,
  kSysIsTty = 0x09,
  kSysSeek = 0x0a,
  kSysFlen = 0x0c,
  kSysTmpnam = 0x0d,
  kSysRemove = 0x0e,
  kSysRename = 0x0f,
  kSysClock = 0x10,
  kSysTime = 0x11,
  kSysErrno = 0x13,
  kSysGetCmdline = 0x15,
  kSysHeapInfo = 0x16,
  kSysExit = 0x18,
  kSysExitExtended = 0x20,
  kSysElapsed = 0x30,
  kSysTickFreq = 0x31,
};

static inline u64 semihosting_call(u64 operation, u64 argument) {
  register u64 x0 __asm__("x0") = operation;
  register u64 x1 __asm__("x1") = argument;
  __asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
  return x0;
}
static inline _Noreturn void semihosting_exit(u64 code) {
  u64 block[2] = {0x20026, code};  // ADP_Stopped_ApplicationExit
  for (;;) semihosting_call(kSysExit, (u64)block);
}
