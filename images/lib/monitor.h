// images/lib/monitor.h: firmware for programs that start at EL3: every PE begins in images/lib/monitor.c,
// which opens RAM, hands the interrupts to the Non-secure state and goes on at Non-secure EL1; the program
// calls it by SMC (Arm DEN 0028). It offers CPU_ON and SYSTEM_OFF of PSCI, and what the demo shows about the
// MPC.
#pragma once
#include "lib/arm.h"

// SiP service calls.
static const u64 kMonitorSetBlock = 0xc2000001;   // a: address, b: 1 Non-secure, 0 Secure
static const u64 kMonitorViolation = 0xc2000002;  // INT_INFO2 << 32 | INT_INFO1, then cleared; 0: none
// The monitor is there: the program runs at Non-secure EL1.
extern u64 monitor_present;
u64 smc_call(u64 function, u64 a, u64 b, u64 c);
