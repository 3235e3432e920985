// images/smp_test/exclusives.c: exclusives, LSE atomics (when ID_AA64ISAR0_EL1 has them), spin locks with WFE
// and SEV, and ordering by acquire and release, all under contention.
#include "lib/smp.h"
#include "smp_test/check.h"

enum { kRounds = 3000 };

static struct {
  u64 pair[2], word_sum, lse_sum, lse_or, cas_sum, locked_sum;
  u8 byte;
  u16 half;
  u32 word;
} shared __attribute__((aligned(128)));
static u64 lock_word __attribute__((aligned(64)));
static u64 torn[kMaxPes];

static void add_word(u64* p, u64 n) {
  u64 old;
  u32 failed;
  __asm__ volatile("1: ldxr %0, [%2]\n\tadd %0, %0, %3\n\tstxr %w1, %0, [%2]\n\tcbnz %w1, 1b"
                   : "=&r"(old), "=&r"(failed)
                   : "r"(p), "r"(n)
                   : "memory");
}

static void add_narrow(void) {
  u32 old, failed;
  __asm__ volatile("1: ldaxrb %w0, [%2]\n\tadd %w0, %w0, #1\n\tstlxrb %w1, %w0, [%2]\n\tcbnz %w1, 1b"
                   : "=&r"(old), "=&r"(failed)
                   : "r"(&shared.byte)
                   : "memory");
  __asm__ volatile("1: ldxrh %w0, [%2]\n\tadd %w0, %w0, #1\n\tstxrh %w1, %w0, [%2]\n\tcbnz %w1, 1b"
                   : "=&r"(old), "=&r"(failed)
                   : "r"(&shared.half)
                   : "memory");
  __asm__ volatile("1: ldaxr %w0, [%2]\n\tadd %w0, %w0, #1\n\tstxr %w1, %w0, [%2]\n\tcbnz %w1, 1b"
                   : "=&r"(old), "=&r"(failed)
                   : "r"(&shared.word)
                   : "memory");
}

// Both halves move together: whoever reads them as a pair must see them equal.
static void add_pair(u64 index) {
  u64 low, high;
  u32 failed;
  __asm__ volatile(
      "1: ldaxp %0, %1, [%3]\n\tadd %0, %0, #1\n\tadd %1, %1, #1\n\tstlxp %w2, %0, %1, [%3]\n\tcbnz %w2, 1b"
      : "=&r"(low), "=&r"(high), "=&r"(failed)
      : "r"(shared.pair)
      : "memory");
  if (low != high) torn[index]++;
}

static void run_exclusives(u64 index) {
  for (u32 n = 0; n < kRounds; n++) {
    add_word(&shared.word_sum, 1);
    add_narrow();
    add_pair(index);
  }
}

static void run_lse(u64 index) {
  for (u32 n = 0; n < kRounds; n++) {
    u64 old, wanted;
    __asm__ volatile(".arch_extension lse\n\tldadd %1, xzr, [%0]" ::"r"(&shared.lse_sum), "r"(1ul)
                     : "memory");
    __asm__ volatile(".arch_extension lse\n\tstset %1, [%0]" ::"r"(&shared.lse_or),
                     "r"(1ul << (index + n % 4 * 16))
                     : "memory");
    do {
      old = wanted = *(volatile u64*)&shared.cas_sum;
      __asm__ volatile(".arch_extension lse\n\tcasal %0, %1, [%2]"
                       : "+r"(old)
                       : "r"(old + 3), "r"(&shared.cas_sum)
                       : "memory");
    } while (old != wanted);
  }
}

static void lock(void) {
  u64 value;
  u32 failed;
  __asm__ volatile(
      "sevl\n"
      "1: wfe\n"
      "2: ldaxr %0, [%2]\n\tcbnz %0, 1b\n\tstxr %w1, %3, [%2]\n\tcbnz %w1, 2b"
      : "=&r"(value), "=&r"(failed)
      : "r"(&lock_word), "r"(1ul)
      : "memory");
}

// The store clears the waiters' exclusive monitors, which is an event for them (Arm ARM D1.6.1).
static void unlock(void) { store_release(&lock_word, 0); }

static void run_locked(u64 index) {
  (void)index;
  for (u32 n = 0; n < kRounds / 4; n++) {
    lock();
    *(volatile u64*)&shared.locked_sum += 1;
    unlock();
  }
}

// Single PE: what must make a store exclusive fail, and what its status is.
static void test_monitor(void) {
  static u64 cell __attribute__((aligned(64)));
  u64 value;
  u32 failed;
  __asm__ volatile("ldxr %0, [%2]\n\tclrex\n\tstxr %w1, %0, [%2]"
                   : "=&r"(value), "=&r"(failed)
                   : "r"(&cell)
                   : "memory");
  check_equal("store exclusive after CLREX fails", failed, 1);
  __asm__ volatile("ldxr %0, [%2]\n\tstxr %w1, %3, [%2]"
                   : "=&r"(value), "=&r"(failed)
                   : "r"(&cell), "r"(7ul)
                   : "memory");
  check_equal("a lone pair succeeds", failed, 0);
  check_equal("and stores", cell, 7);
  __asm__ volatile("stxr %w0, %2, [%1]" : "=&r"(failed) : "r"(&cell), "r"(9ul) : "memory");
  check_equal("a second store exclusive fails", failed, 1);
  check_equal("and does not store", cell, 7);
}

// Dekker's handshake: STLR and then LDAR of another address stay in order (RCsc), so of two PEs that raise
// their flag and look at the other's, at least one sees it.
static u64 met[2][16] __attribute__((aligned(128))), flag[2][16] __attribute__((aligned(128)));
static u8 saw[2][kRounds + 1];

static void run_dekker(u64 index) {
  if (index > 1) return;
  for (u64 round = 1; round <= kRounds; round++) {
    store_release(&met[index][0], round);
    while (load_acquire(&met[1 - index][0]) < round) {
    }
    u64 other;
    __asm__ volatile("stlr %1, [%2]\n\tldar %0, [%3]"
                     : "=&r"(other)
                     : "r"(round), "r"(flag[index]), "r"(flag[1 - index])
                     : "memory");
    saw[index][round] = other >= round;
  }
}

static u64 blind_rounds(void) {
  u64 blind = 0;
  for (u32 round = 1; round <= kRounds; round++) blind += !saw[0][round] && !saw[1][round];
  return blind;
}

void test_exclusives(void) {
  const u64 n = smp_online();
  test_monitor();
  smp_run(run_exclusives);
  check_equal("LDXR/STXR increments", shared.word_sum, n * kRounds);
  check_equal("byte increments", shared.byte, (u8)(n * kRounds));
  check_equal("halfword increments", shared.half, (u16)(n * kRounds));
  check_equal("word increments", shared.word, n * kRounds);
  check_equal("pair increments, low", shared.pair[0], n * kRounds);
  check_equal("pair increments, high", shared.pair[1], n * kRounds);
  for (u32 pe = 0; pe < n; pe++) check_equal("LDXP never sees half a STXP", torn[pe], 0);
  if ((READ_SYSREG(id_aa64isar0_el1) >> 20 & 15) >= 2) {
    smp_run(run_lse);
    u64 bits = 0;
    for (u32 bit = 0; bit < 4 * n; bit++) bits |= 1ul << (bit % n + bit / n * 16);
    check_equal("LDADD increments", shared.lse_sum, n * kRounds);
    check_equal("STSET bits", shared.lse_or, bits);
    check_equal("CAS increments", shared.cas_sum, 3 * n * kRounds);
  }
  smp_run(run_locked);
  check_equal("increments under a WFE spin lock", shared.locked_sum, n * (kRounds / 4));
  if (n < 2) return;
  smp_run(run_dekker);
  check_equal("rounds in which neither PE saw the other's flag", blind_rounds(), 0);
}
