// images/lib/fdt.h: what a small program needs to know from the device tree (Devicetree Specification 0.4).
#pragma once
#include "lib/arm.h"

struct board {
  bool found;  // there is a device tree
  u32 pes;
  u64 mpidr[kMaxPes];
  u32 gic_version;
  u64 ram_bytes;
  u64 smmu, mpc;  // registers; 0: there is none that is ours to use
  u64 ecam;       // PCIe configuration space; 0: none
};

// `tree` may be anything: what is not a device tree is not found.
struct board fdt_read(u64 tree);
