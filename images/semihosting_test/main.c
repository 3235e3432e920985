// images/semihosting_test/main.c: every semihosting operation that a guest may use (Arm IHI 0100). The driver
// starts it with `arg=self,arg=<file>`, types "key" when it reads "type:", and expects exit status 42.
#include "lib/console.h"
#include "lib/semihosting.h"
#include "lib/smp.h"

size_t strlen(const char* text);
int memcmp(const void* a, const void* b, size_t bytes);

enum { kRead = 0, kReadBinary = 1, kWriteBinary = 5, kAppendBinary = 9, kFailed = -1, kGood = 42 };
static u32 failures;
static char text[256];

static void check(const char* what, bool good) {
  if (!good) failures++;
  print("%s %s\n", good ? "ok  " : "FAIL", what);
}

static u64 call(u32 operation, u64 a, u64 b, u64 c, u64 d) {
  u64 block[4] = {a, b, c, d};
  return semihosting_call(operation, (u64)block);
}

static u64 open_file(const char* name, u64 mode) { return call(kSysOpen, (u64)name, mode, strlen(name), 0); }

static void test_file(const char* name) {
  static const char data[] = "The gate opens, the water falls.";
  const u64 size = sizeof data - 1;
  u64 f = open_file(name, kWriteBinary);
  check("open to write", (int64_t)f > 0);
  check("write", call(kSysWrite, f, (u64)data, size, 0) == 0);
  check("length", call(kSysFlen, f, 0, 0, 0) == size);
  check("close", call(kSysClose, f, 0, 0, 0) == 0);
  check("a closed handle fails", call(kSysFlen, f, 0, 0, 0) == (u64)kFailed);
  f = open_file(name, kAppendBinary);
  check("append", call(kSysWrite, f, (u64) "!", 1, 0) == 0);
  call(kSysClose, f, 0, 0, 0);
  f = open_file(name, kReadBinary);
  check("read all, one short of the buffer", call(kSysRead, f, (u64)text, size + 2, 0) == 1);
  check("what was written", memcmp(text, data, size) == 0 && text[size] == '!');
  check("read at the end reads nothing", call(kSysRead, f, (u64)text, 5, 0) == 5);
  check("seek", call(kSysSeek, f, 4, 0, 0) == 0);
  check("read after seek", call(kSysRead, f, (u64)text, 4, 0) == 0 && memcmp(text, "gate", 4) == 0);
  check("a file is no terminal", call(kSysIsTty, f, 0, 0, 0) == 0);
  call(kSysClose, f, 0, 0, 0);
}

static void test_names(const char* name) {
  char other[200];
  check("temporary name", call(kSysTmpnam, (u64)other, 7, sizeof other, 0) == 0);
  check("rename", call(kSysRename, (u64)name, strlen(name), (u64)other, strlen(other)) == 0);
  check("the old name is gone", open_file(name, kReadBinary) == (u64)kFailed);
  check("errno is ENOENT", semihosting_call(kSysErrno, 0) == 2);
  check("remove", call(kSysRemove, (u64)other, strlen(other), 0, 0) == 0);
  check("remove again fails", call(kSysRemove, (u64)other, strlen(other), 0, 0) != 0);
  check("SYS_ISERROR", call(kSysIsError, (u64)kFailed, 0, 0, 0) != 0 && call(kSysIsError, 0, 0, 0, 0) == 0);
}

static void test_clocks(void) {
  u64 ticks[2] = {0, 0};
  u64 frequency = semihosting_call(kSysTickFreq, 0);
  check("tick frequency", frequency > 0 && frequency <= 1000000000);
  semihosting_call(kSysElapsed, (u64)&ticks[0]);
  for (volatile u32 n = 0; n < 1000; n++) {
  }
  semihosting_call(kSysElapsed, (u64)&ticks[1]);
  check("elapsed ticks grow", ticks[1] > ticks[0]);
  u64 seconds = semihosting_call(kSysTime, 0);
  check("time is after 2023", seconds > 1672531200);
  check("clock is less than an hour", semihosting_call(kSysClock, 0) < 360000);
}

static void test_heap(void) {
  u64 heap[4] = {0};
  u64 address = (u64)heap;
  check("heap information", semihosting_call(kSysHeapInfo, (u64)&address) == 0);
  check("heap is in RAM",
        heap[0] >= 0x40000000 && heap[1] > heap[0] && heap[1] <= 0x40000000 + board.ram_bytes);
  extern char bss_end[];
  check("heap does not overlap the program", heap[0] >= (u64)bss_end || heap[1] <= 0x40200000);
}

static void test_features(void) {
  u64 f = open_file(":semihosting-features", kRead);
  check("features file",
        (int64_t)f > 0 && call(kSysRead, f, (u64)text, 4, 0) == 0 && memcmp(text, "SHFB", 4) == 0);
  call(kSysClose, f, 0, 0, 0);
}

static void test_input(void) {
  semihosting_call(kSysWrite0, (u64) "type:");
  char c = (char)semihosting_call(kSysReadC, 0);
  u64 in = open_file(":tt", kRead);
  check("the console is a terminal", call(kSysIsTty, in, 0, 0, 0) != 0);
  u64 left = call(kSysRead, in, (u64)text, 1, 0);
  check("typed characters", c == 'k' && left == 0 && text[0] == 'e');
}

int main(void) {
  console_by_semihosting();
  u64 line[2] = {(u64)text, sizeof text};
  check("command line", semihosting_call(kSysGetCmdline, (u64)line) == 0 && line[1] == strlen(text));
  print("line: %s\n", text);
  static char name[256];
  size_t from = strlen(text);
  while (from > 0 && text[from - 1] != ' ') from--;
  for (size_t n = 0; text[from + n]; n++) name[n] = text[from + n];
  test_file(name);
  test_names(name);
  test_clocks();
  test_heap();
  test_features();
  test_input();
  print("semihosting_test: %u failures\n", failures);
  if (failures) semihosting_exit(1);
  u64 block[2] = {0x20026, kGood};
  for (;;) semihosting_call(kSysExitExtended, (u64)block);
}
