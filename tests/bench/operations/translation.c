// tests/bench/operations/translation.c: TLB maintenance, changes of address space, mapping and unmapping.
#include "lib/mmu.h"
#include "operations.h"

enum { kPages = 64, kPageBytes = 4096 };
static u64 frames[kPages][kPageBytes / 8] __attribute__((aligned(4096)));
static address_space spaces[2];
static const u64 kWindow = 0x400000000, kOther = 0x400200000;  // mapped; mapped elsewhere and not used

// kPages pages of the window in two address spaces, not global. Page n holds n.
static void prepare(void) {
  for (u64 s = 0; s < 2; s++) {
    if (!spaces[s].root) spaces[s] = space_create();
    for (u64 n = 0; n < kPages; n++) {
      frames[n][0] = n;
      space_map(spaces[s], kWindow + n * kPageBytes, (u64)frames[n], kPageReadWrite | kPageNotGlobal);
    }
    space_map(spaces[s], kOther, (u64)frames[5], kPageReadWrite | kPageNotGlobal);
  }
  space_activate(spaces[0], 11);
  tlbi_all_pes();
}

static u64 load_pages(void) {
  u64 sum = 0;
  for (u64 n = 0; n < kPages; n++) sum += *(volatile u64*)(kWindow + n * kPageBytes);
  return sum != kPages * (kPages - 1) / 2;
}

static void tlbi_va(u64 va, u64 asid) {
  __asm__ volatile("dsb ishst\n\ttlbi vae1is, %0\n\tdsb ish\n\tisb" ::"r"(va >> 12 | asid << 48) : "memory");
}

static u64 tlbi_other_page(u64 rounds) {
  u64 wrong = 0;
  prepare();
  for (; rounds; rounds--) {
    tlbi_va(kOther, 11);
    wrong += *(volatile u64*)(kWindow + kPageBytes) != 1;
  }
  return wrong;
}

static u64 tlbi_page_in_use(u64 rounds) {
  u64 wrong = 0;
  prepare();
  for (; rounds; rounds--) {
    tlbi_va(kWindow + kPageBytes, 11);
    wrong += *(volatile u64*)(kWindow + kPageBytes) != 1;
  }
  return wrong;
}

static u64 tlbi_other_asid(u64 rounds) {
  u64 wrong = 0;
  prepare();
  wrong += load_pages();
  for (; rounds; rounds--) {
    __asm__ volatile("dsb ishst\n\ttlbi aside1is, %0\n\tdsb ish\n\tisb" ::"r"(12ull << 48) : "memory");
    wrong += *(volatile u64*)(kWindow + kPageBytes) != 1;
  }
  return wrong;
}

static u64 tlbi_all(u64 rounds) {
  u64 wrong = 0;
  prepare();
  for (; rounds; rounds--) {
    __asm__ volatile("dsb nshst\n\ttlbi vmalle1\n\tdsb nsh\n\tisb" ::: "memory");
    wrong += load_pages();
  }
  return wrong;
}

static u64 asid_switch(u64 rounds) {
  u64 wrong = 0;
  prepare();
  for (; rounds; rounds--) {
    space_activate(spaces[rounds & 1], 11 + (rounds & 1));
    wrong += load_pages();
  }
  return wrong;
}

static u64 ttbr_write(u64 rounds) {
  prepare();
  const u64 value = READ_SYSREG(ttbr0_el1);
  for (; rounds; rounds--) {
    WRITE_SYSREG(ttbr0_el1, value);
    isb();
  }
  return *(volatile u64*)(kWindow + kPageBytes) != 1;
}

// A page comes, is used, and goes again.
static u64 map_and_unmap(u64 rounds) {
  u64 wrong = 0;
  prepare();
  volatile u64* descriptor = space_descriptor(spaces[0], kOther + kPageBytes);
  for (; rounds; rounds--) {
    *descriptor = (u64)frames[rounds % kPages] | kPageReadWrite | kPageNotGlobal;
    __asm__ volatile("dsb ishst\n\tisb" ::: "memory");
    wrong += *(volatile u64*)(kOther + kPageBytes) != rounds % kPages;
    *descriptor = 0;
    tlbi_va(kOther + kPageBytes, 11);
  }
  return wrong;
}

const struct operation translation_operations[] = {{"TLBI VA of another", tlbi_other_page, 300000},
                                                   {"TLBI VA in use", tlbi_page_in_use, 200000},
                                                   {"TLBI ASIDE1 of another", tlbi_other_asid, 100000},
                                                   {"TLBI VMALLE1 + 64 loads", tlbi_all, 10000},
                                                   {"ASID switch + 64 loads", asid_switch, 30000},
                                                   {"TTBR write", ttbr_write, 1000000},
                                                   {"map + unmap", map_and_unmap, 200000},
                                                   {0, 0, 0}};
