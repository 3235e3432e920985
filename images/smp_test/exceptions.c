// images/smp_test/exceptions.c: every synchronous exception class that EL1 and EL0 can raise without EL2,
// with the ESR, FAR and ELR of the Arm ARM (D17.2.37 for the syndromes).
#include "lib/mmu.h"
#include "lib/smp.h"
#include "smp_test/check.h"

#define FAULTING(name)     \
  extern char name##_at[]; \
  void name(u64)
FAULTING(do_svc);
FAULTING(do_brk);
FAULTING(do_udf);
FAULTING(do_unallocated_sysreg);
FAULTING(do_load);
FAULTING(do_load_byte_signed);
FAULTING(do_store);
FAULTING(do_store_pair);
FAULTING(do_exclusive);
FAULTING(do_zero_line);
FAULTING(do_maintain);
FAULTING(do_fp);
FAULTING(do_bad_sp);
void do_branch(u64);
extern char user_code[], user_svc[], user_mrs[], user_mrs_at[], user_wfi[], user_wfi_at[], user_load[],
    user_load_at[], user_daif[], user_daif_at[], user_ic[], user_ic_at[], user_hvc[], user_hvc_at[];

enum {
  kIssAll = 0x1ffffff,
  kConditionAlways = 1 << 24 | 14 << 20,
  kWnR = 1 << 6,
  kCm = 1 << 8,
  kValid = 1 << 24,
  kTranslation3 = 0x07,
  kPermission3 = 0x0f,
  kAccessFlag3 = 0x0b,
  kAlignment = 0x21,
};
static u8 buffer[4096] __attribute__((aligned(4096)));

static struct expectation at(u64 elr, u32 ec, u32 iss) {
  return (struct expectation){kVectorSpx, ec, iss, kIssAll, elr, 0, false};
}
static struct expectation with_far(struct expectation e, u64 far) {
  e.far = far;
  e.has_far = true;
  return e;
}

static void expect(const char* what, void (*fn)(u64), u64 argument, struct expectation e) {
  struct caught c = attempt(fn, argument);
  check_caught(what, &c, e);
}

static void test_instructions(void) {
  expect("SVC", do_svc, 0, at((u64)do_svc_at + 4, kEcSvc64, 0x123));
  expect("BRK", do_brk, 0, at((u64)do_brk_at, kEcBrk, 0x456));
  expect("UDF", do_udf, 0, at((u64)do_udf_at, kEcUnknown, 0));
  expect("unallocated system register", do_unallocated_sysreg, 0,
         at((u64)do_unallocated_sysreg_at, kEcUnknown, 0));
  const u64 cpacr = READ_SYSREG(cpacr_el1);
  WRITE_SYSREG(cpacr_el1, cpacr & ~(3ull << 20));
  isb();
  expect("FP while CPACR_EL1 traps it", do_fp, 0, at((u64)do_fp_at, kEcFpTrap, kConditionAlways));
  WRITE_SYSREG(cpacr_el1, cpacr | 3ull << 20);
  isb();
  check_equal("FP when CPACR_EL1 allows it", attempt(do_fp, 0).taken, 0);
  WRITE_SYSREG(cpacr_el1, cpacr);
  isb();
}

static void test_data_aborts(void) {
  const u64 va = test_page(0);
  space_map(kernel_space, va + 0x1000, (u64)buffer, kPageReadWrite | kPageReadOnly);
  space_map(kernel_space, va + 0x2000, (u64)buffer, kPageReadWrite & ~(u64)kPageAccessed);
  space_map(kernel_space, va + 0x3000, 0x09000000, kPageReadWrite | kPageDevice);
  tlbi_all_pes();
  // ISS.ISV is RES0 for aborts taken from stage 1 alone.
  expect("load, translation", do_load, va + 0x128,
         with_far(at((u64)do_load_at, kEcDataAbort, kTranslation3), va + 0x128));
  expect("signed byte load", do_load_byte_signed, va + 3,
         with_far(at((u64)do_load_byte_signed_at, kEcDataAbort, kTranslation3), va + 3));
  expect("store, translation", do_store, va + 8,
         with_far(at((u64)do_store_at, kEcDataAbort, kWnR | kTranslation3), va + 8));
  expect("store pair across the end of a good page", do_store_pair, va + 0x1000 - 8,
         with_far(at((u64)do_store_pair_at, kEcDataAbort, kWnR | kTranslation3), va + 0x1000 - 8));
  expect("store, permission", do_store, va + 0x1010,
         with_far(at((u64)do_store_at, kEcDataAbort, kWnR | kPermission3), va + 0x1010));
  check_equal("load from a read-only page", attempt(do_load, va + 0x1010).taken, 0);
  expect("DC ZVA, permission", do_zero_line, va + 0x1044,
         with_far(at((u64)do_zero_line_at, kEcDataAbort, kWnR | kPermission3), va + 0x1044));
  expect("DC CVAC, translation", do_maintain, va + 0x40,
         with_far(at((u64)do_maintain_at, kEcDataAbort, kCm | kWnR | kTranslation3), va + 0x40));
  if ((READ_SYSREG(id_aa64mmfr1_el1) & 15) == 0 || !(READ_SYSREG(tcr_el1) >> 39 & 1))
    expect("load, access flag", do_load, va + 0x2000,
           with_far(at((u64)do_load_at, kEcDataAbort, kAccessFlag3), va + 0x2000));
  expect("unaligned load from a device", do_load, va + 0x3001,
         with_far(at((u64)do_load_at, kEcDataAbort, kAlignment), va + 0x3001));
  expect("unaligned exclusive", do_exclusive, (u64)buffer + 4,
         with_far(at((u64)do_exclusive_at, kEcDataAbort, kAlignment), (u64)buffer + 4));
  expect("address beyond T0SZ, level 0", do_load, 1ull << 40,
         with_far(at((u64)do_load_at, kEcDataAbort, 0x04), 1ull << 40));
}

static void test_alignment_checks(void) {
  const u64 sctlr = READ_SYSREG(sctlr_el1);
  check_equal("unaligned load with SCTLR_EL1.A = 0", attempt(do_load, (u64)buffer + 1).taken, 0);
  WRITE_SYSREG(sctlr_el1, sctlr | 2);
  isb();
  struct caught c = attempt(do_load, (u64)buffer + 1);
  WRITE_SYSREG(sctlr_el1, sctlr);
  isb();
  check_caught("unaligned load with SCTLR_EL1.A = 1", &c,
               with_far(at((u64)do_load_at, kEcDataAbort, kAlignment), (u64)buffer + 1));
  struct expectation sp = at((u64)do_bad_sp_at, kEcSpAlignment, 0);
  sp.vector = kVectorSp0;
  expect("SP alignment", do_bad_sp, 0, sp);
}

static void test_branches(void) {
  const u64 va = test_page(8);
  expect("branch to nowhere", do_branch, va, with_far(at(va, kEcInsnAbort, kTranslation3), va));
  space_map(kernel_space, va, (u64)buffer, kPageReadWrite);
  expect("branch to a page without execute", do_branch, va, with_far(at(va, kEcInsnAbort, kPermission3), va));
  expect("PC alignment", do_branch, (u64)do_svc + 2,
         with_far(at((u64)do_svc + 2, kEcPcAlignment, 0), (u64)do_svc + 2));
}

static struct caught run_user(const char* label, u64 x0) {
  const u64 code = test_page(16);
  struct el0_call call = {code + (u64)(label - user_code), test_page(17) + 4096, x0, 0};
  return attempt(enter_el0, (u64)&call);
}

static void expect_user(const char* what, const char* label, const char* fault, u64 x0, u32 ec, u32 iss) {
  struct caught c = run_user(label, x0);
  struct expectation e = {kVectorLower, ec, iss, kIssAll, test_page(16) + (u64)(fault - user_code), 0, false};
  check_caught(what, &c, e);
  check_equal("SPSR says EL0", c.spsr & 0xf, 0);
}

static void test_user(void) {
  const u64 pxn = 1ull << 53;
  space_map(kernel_space, test_page(16), (u64)user_code,
            kPageValid | kPageNormal | kPageShared | kPageAccessed | kPageUser | kPageReadOnly |
                kPageNotGlobal | pxn);
  space_map(kernel_space, test_page(17), (u64)buffer, kPageReadWrite | kPageUser | kPageNotGlobal);
  tlbi_all_pes();
  const u64 sctlr = READ_SYSREG(sctlr_el1);
  // UCT, nTWI, UMA, UCI: all traps on.
  WRITE_SYSREG(sctlr_el1, sctlr & ~(1ull << 15 | 1ull << 16 | 1ull << 9 | 1ull << 26));
  isb();
  expect_user("SVC from EL0", user_svc, user_svc + 4, 0, kEcSvc64, 7);
  // Op0 3, Op2 1, Op1 3, CRn 0, Rt 3, CRm 0, read.
  expect_user("MRS CTR_EL0 from EL0", user_mrs, user_mrs_at, 0, kEcSysreg,
              3 << 20 | 1 << 17 | 3 << 14 | 0 << 10 | 3 << 5 | 0 << 1 | 1);
  expect_user("MSR DAIFSet from EL0", user_daif, user_daif_at, 0, kEcSysreg,
              0 << 20 | 6 << 17 | 3 << 14 | 4 << 10 | 31 << 5 | 2 << 1 | 0);
  expect_user("IC IVAU from EL0", user_ic, user_ic_at, test_page(17), kEcSysreg,
              1 << 20 | 1 << 17 | 3 << 14 | 7 << 10 | 0 << 5 | 5 << 1 | 0);
  expect_user("WFI from EL0", user_wfi, user_wfi_at, 0, kEcWfx, kConditionAlways);
  expect_user("HVC from EL0", user_hvc, user_hvc_at, 0, kEcUnknown, 0);
  expect_user("load of kernel memory", user_load, user_load_at, (u64)buffer, kEcDataAbortLower, 0x0d);
  expect_user("load of nothing", user_load, user_load_at, test_page(30), kEcDataAbortLower, kTranslation3);
  WRITE_SYSREG(sctlr_el1, sctlr);
  isb();
  struct caught c = run_user(user_code + 0x10000, 0);
  const u64 far = test_page(16) + 0x10000;
  check_caught("EL0 runs into nothing", &c,
               (struct expectation){kVectorLower, kEcInsnAbortLower, kTranslation3, kIssAll, far, far, true});
}

void test_exceptions(void) {
  test_instructions();
  test_data_aborts();
  test_alignment_checks();
  test_branches();
  test_user();
}
