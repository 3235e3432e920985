// images/lib/mmu.c: see mmu.h.
#include "lib/mmu.h"

enum { kTablePages = 48, kEntries = 512 };
static u64 pool[kTablePages][kEntries] __attribute__((aligned(4096)));
static u64 pool_used;

static u64* new_table(void) {
  u64 n = __atomic_fetch_add(&pool_used, 1, __ATOMIC_RELAXED);
  return pool[n < kTablePages ? n : kTablePages - 1];
}

address_space space_create(void) {
  address_space s = {new_table()};
  const u64 block = 1 | kPageAccessed | kPageShared;
  s.root[0] = 0x00000000 | block | kPageDevice | kPageNoExecute;
  s.root[1] = 0x40000000 | block | kPageNormal;
  s.root[256] = 0x4000000000 | block | kPageDevice | kPageNoExecute;  // PCIe configuration space
  dsb_ish();
  return s;
}

static u64* next_table(u64* entry) {
  if (!(*entry & 1)) {
    u64 table = (u64)new_table() | 3;
    dsb_ish();
    *(volatile u64*)entry = table;
  }
  return (u64*)(*entry & 0xfffffffff000);
}

u64* space_descriptor(address_space s, u64 va) {
  u64* level2 = next_table(&s.root[va >> 30 & 511]);
  u64* level3 = next_table(&level2[va >> 21 & 511]);
  return &level3[va >> 12 & 511];
}

void space_map(address_space s, u64 va, u64 pa, u64 attributes) {
  *(volatile u64*)space_descriptor(s, va) = pa | attributes;
  dsb_ish();
  isb();
}

void space_unmap(address_space s, u64 va) {
  *(volatile u64*)space_descriptor(s, va) = 0;
  dsb_ish();
  isb();
}

void space_activate(address_space s, u64 asid) {
  WRITE_SYSREG(ttbr0_el1, (u64)s.root | asid << 48);
  isb();
}

void mmu_enable(address_space s) {
  WRITE_SYSREG(mair_el1, 0x04ff);
  const u64 range = READ_SYSREG(id_aa64mmfr0_el1) & 7;
  // T0SZ = 25, write-back inner shareable walks, EPD1, 16-bit ASIDs where the PE has them.
  const u64 wide_asid = (READ_SYSREG(id_aa64mmfr0_el1) >> 4 & 15) == 2 ? 1ull << 36 : 0;
  WRITE_SYSREG(tcr_el1,
               25 | 1 << 8 | 1 << 10 | 3 << 12 | 1ull << 23 | (range > 5 ? 5 : range) << 32 | wide_asid);
  space_activate(s, 1);
  __asm__ volatile("tlbi vmalle1\n\tdsb nsh\n\tisb" ::: "memory");
  u64 sctlr = READ_SYSREG(sctlr_el1);
  WRITE_SYSREG(sctlr_el1,
               (sctlr | 1 | 1 << 2 | 1 << 3 | 1 << 12) & ~(1ull << 1 | 1ull << 19));  // M C SA I, not A WXN
  isb();
}

void tlbi_page_all_pes(u64 va) {
  __asm__ volatile("dsb ishst\n\ttlbi vaae1is, %0\n\tdsb ish\n\tisb" ::"r"(va >> 12) : "memory");
}

void tlbi_page_this_pe(u64 va) {
  __asm__ volatile("dsb nshst\n\ttlbi vaae1, %0\n\tdsb nsh\n\tisb" ::"r"(va >> 12) : "memory");
}

void tlbi_all_pes(void) { __asm__ volatile("dsb ishst\n\ttlbi vmalle1is\n\tdsb ish\n\tisb" ::: "memory"); }
