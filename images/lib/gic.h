// images/lib/gic.h: enough of a GICv2 (Arm IHI 0048) or GICv3 (IHI 0069) for private interrupts.
#pragma once
#include "lib/arm.h"

enum { kTimerInterrupt = 27, kSpurious = 1020 };  // EL1 virtual timer; 1020 and above are no interrupt

void gic_init(u32 version);
// On each PE, before it can take interrupts.
void gic_init_pe(void);
void gic_enable_private(u32 intid);
u32 gic_acknowledge(void);
void gic_end(u32 intid);
// Software generated interrupt `intid` for the PE with this index and affinity.
void gic_send(u32 intid, u64 index, u64 mpidr);
