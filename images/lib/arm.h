// images/lib/arm.h: the Arm architecture as a bare-metal C program sees it (Arm ARM DDI 0487): system
// registers, barriers, exceptions that are caught, and what each PE keeps for itself.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define READ_SYSREG(name)                              \
  ({                                                   \
    u64 value_;                                        \
    __asm__ volatile("mrs %0, " #name : "=r"(value_)); \
    value_;                                            \
  })
#define WRITE_SYSREG(name, value) __asm__ volatile("msr " #name ", %0" ::"r"((u64)(value)) : "memory")

static inline void isb(void) { __asm__ volatile("isb" ::: "memory"); }
static inline void dsb_ish(void) { __asm__ volatile("dsb ish" ::: "memory"); }
static inline void dmb_ish(void) { __asm__ volatile("dmb ish" ::: "memory"); }
static inline void wfe(void) { __asm__ volatile("wfe" ::: "memory"); }
static inline void wfi(void) { __asm__ volatile("dsb sy\n\twfi" ::: "memory"); }
static inline void sev(void) { __asm__ volatile("dsb ish\n\tsev" ::: "memory"); }
static inline void irq_on(void) { __asm__ volatile("msr daifclr, #2" ::: "memory"); }
static inline void irq_off(void) { __asm__ volatile("msr daifset, #2" ::: "memory"); }

// Single accesses that the compiler neither merges nor tears, and that always use a plain address form, so
// that a data abort on a device reports a valid syndrome.
static inline u32 read32(u64 address) {
  u32 value;
  __asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
  return value;
}
static inline void write32(u64 address, u32 value) {
  __asm__ volatile("str %w0, [%1]" ::"r"(value), "r"(address) : "memory");
}
static inline u64 read64(u64 address) {
  u64 value;
  __asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(address) : "memory");
  return value;
}
static inline void write64(u64 address, u64 value) {
  __asm__ volatile("str %0, [%1]" ::"r"(value), "r"(address) : "memory");
}
static inline u64 load_acquire(const u64* p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline void store_release(u64* p, u64 v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }

// ESR_ELx.EC, D17.2.37.
enum {
  kEcUnknown = 0x00,
  kEcWfx = 0x01,
  kEcFpTrap = 0x07,
  kEcSvc64 = 0x15,
  kEcHvc64 = 0x16,
  kEcSysreg = 0x18,
  kEcInsnAbortLower = 0x20,
  kEcInsnAbort = 0x21,
  kEcPcAlignment = 0x22,
  kEcDataAbortLower = 0x24,
  kEcDataAbort = 0x25,
  kEcSpAlignment = 0x26,
  kEcBreakpointLower = 0x30,
  kEcBreakpoint = 0x31,
  kEcStepLower = 0x32,
  kEcStep = 0x33,
  kEcWatchpointLower = 0x34,
  kEcWatchpoint = 0x35,
  kEcBrk = 0x3c,
};

// What vectors.S saves; the layout is known there.
struct frame {
  u64 x[31];
  u64 sp_el0, elr, spsr, esr, far;
};

// An exception that attempt() caught.
struct caught {
  u64 taken;   // 0 = none
  u64 vector;  // 0..15, in the order of the vector table
  u64 esr, far, elr, spsr;
};
static inline u32 caught_class(const struct caught* c) { return (u32)(c->esr >> 26) & 63; }
static inline u32 caught_iss(const struct caught* c) { return (u32)c->esr & 0x1ffffff; }

enum { kMaxPes = 16, kStackBytes = 8192 };

// What a PE keeps for itself; TPIDR_EL1 points to it. `recovery` and `armed` are known to vectors.S.
struct pe {
  u64 recovery[13];  // x19..x30, SP of attempt()'s caller
  u64 armed;         // attempt() is under way
  u64 index;
  u64 mpidr;  // affinity fields only
  struct caught caught;
  void (*irq)(u32 intid);
  u64 irqs, spurious;
};
static inline struct pe* this_pe(void) { return (struct pe*)READ_SYSREG(tpidr_el1); }

// Calls fn(argument). An exception inside it ends it: the result then says which.
struct caught attempt(void (*fn)(u64), u64 argument);
// An ERET to EL0 at `pc`, with the stack `sp` and the argument in x0. Use it inside attempt().
struct el0_call {
  u64 pc, sp, x0, spsr;
};
void enter_el0(u64 el0_call);

// The program. The library has set up console, tables of PEs and the exception vectors.
int main(void);
