// images/lib/smp.h: all PEs of the board: started by PSCI (Arm DEN 0022), then they wait for work.
#pragma once
#include "lib/arm.h"
#include "lib/fdt.h"
#include "lib/mmu.h"

enum { kPsciVersion = 0x84000000, kPsciCpuOff = 0x84000002, kPsciSystemOff = 0x84000008 };
static const u64 kPsciCpuOn = 0xc4000003, kPsciAffinityInfo = 0xc4000004;
enum { kPsciSuccess = 0, kPsciAlreadyOn = -4, kPsciOnPending = -5 };
u64 psci_call(u64 function, u64 a, u64 b, u64 c);

extern struct board board;
extern address_space kernel_space;
extern struct pe pes[kMaxPes];

// MMU and interrupts of this PE, then all the others'. Returns how many PEs run.
u32 smp_start(void);
// Runs fn(index) on every PE, this one too, and returns when all have ended.
void smp_run(void (*fn)(u64 index));
// Like a barrier of all PEs inside smp_run.
void smp_barrier(void);
// Where PSCI CPU_ON starts a PE: context x0 is the index.
void secondary_start(void);
// PEs that came up, in any order; smp_test counts them.
u64 smp_online(void);
_Noreturn void system_off(void);
// After an exception that nobody expected. A program may have its own; this one switches the system off.
_Noreturn void give_up(void);
