// images/demo/demo.h: what the scenes share.
#pragma once
#include "lib/arm.h"
#include "lib/console.h"
#include "lib/mmu.h"
#include "lib/monitor.h"
#include "lib/smp.h"

enum { kPage = 4096 };
extern u64 page_a[kPage / 8], page_b[kPage / 8];  // begin with 'A' and 'B'
extern u32 pe_count;
char letter(u64 value);
void verdict(bool good, const char* text);

// gates.c: they need an MPC and a monitor at EL3, or an SMMU and the educational PCI device.
void scene_mpc(void);
void scene_smmu(void);
// One line of the table at the end: how many translations an operation has flushed, and kept.
void prove(const char* what, u64 flushed, u64 kept);
void print_proven(void);
