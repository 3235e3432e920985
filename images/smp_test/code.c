// images/smp_test/code.c: code that changes: on one PE, and written by one PE and run by another, with the
// maintenance that the architecture asks for (Arm ARM B2.4.4): DC CVAU, DSB, IC IVAU, DSB, then ISB where it
// runs.
#include "lib/mmu.h"
#include "lib/smp.h"
#include "smp_test/check.h"

enum { kRounds = 400 };
static u32 code[1024] __attribute__((aligned(4096)));
static u64 version, done_round[kMaxPes], wrong[kMaxPes];

static u32 encode_movz(u32 value) { return 0xd2800000 | (value & 0xffff) << 5; }  // MOVZ X0, #value
static const u32 kRet = 0xd65f03c0;

static void publish(u32* at, u32 insn) {
  *(volatile u32*)at = insn;
  __asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0\n\tdsb ish\n\tisb" ::"r"(at) : "memory");
}

static u64 call(const void* at) { return ((u64(*)(void))at)(); }

static void test_alone(void) {
  u64 bad = 0;
  publish(&code[1], kRet);
  for (u32 n = 0; n < kRounds; n++) {
    publish(&code[0], encode_movz(n));
    bad += call(code) != n;
  }
  check_equal("old code run after IC IVAU", bad, 0);
  // Code that is reached by a branch out of another page, which may be chained.
  publish(&code[512], encode_movz(1));
  publish(&code[513], kRet);
  publish(&code[0], 0x14000000 | 512);  // B to code[512]
  check_equal("through a branch", call(code), 1);
  publish(&code[512], encode_movz(2));
  check_equal("target of the branch changed", call(code), 2);
  publish(&code[0], encode_movz(3));
  check_equal("branch replaced", call(code), 3);
}

static void test_data_beside_code(void) {
  publish(&code[0], encode_movz(5));
  u64 bad = 0;
  for (u32 n = 0; n < kRounds; n++) {
    *(volatile u32*)&code[900] = n;
    bad += call(code) != 5 || code[900] != n;
  }
  check_equal("data in the page of the code", bad, 0);
}

static void run_versions(u64 index) {
  for (u64 round = 1; round <= kRounds / 4; round++) {
    if (index == 0) {
      publish(&code[0], encode_movz((u32)round));
      store_release(&version, round);
      sev();
      wrong[0] += call(code) != round;
      for (u64 n = 1; n < smp_online(); n++)
        while (load_acquire(&done_round[n]) < round) wfe();
      continue;
    }
    while (load_acquire(&version) < round) wfe();
    isb();
    wrong[index] += call(code) != round;
    store_release(&done_round[index], round);
    sev();
  }
}

// The page that is executed is moved to another frame.
static void test_moved_page(void) {
  static u32 other[1024] __attribute__((aligned(4096)));
  const u64 va = test_page(60), executable = kPageReadWrite & ~kPageNoExecute;
  publish(&code[0], encode_movz(1));
  publish(&code[1], kRet);
  publish(&other[0], encode_movz(2));
  publish(&other[1], kRet);
  u64 bad = 0;
  for (u32 n = 0; n < 50; n++) {
    space_map(kernel_space, va, (u64)(n & 1 ? other : code), executable);
    tlbi_page_all_pes(va);
    bad += call((void*)va) != (n & 1) + 1;
  }
  check_equal("code of the old frame run after TLBI", bad, 0);
  space_map(kernel_space, va, (u64)code, kPageReadWrite);
  tlbi_page_all_pes(va);
  struct caught c = attempt((void (*)(u64))va, 0);
  check_caught("execute right revoked", &c,
               (struct expectation){kVectorSpx, kEcInsnAbort, 0x0f, 0x3f, va, va, true});
}

void test_code(void) {
  test_alone();
  test_data_beside_code();
  smp_run(run_versions);
  for (u64 n = 0; n < smp_online(); n++) check_equal("old code run on another PE", wrong[n], 0);
  test_moved_page();
}
