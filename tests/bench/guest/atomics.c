// tests/bench/guest/atomics.c: atomics, exclusives, ordered accesses and barriers, without contention. The
// compiler calls LSE instructions where the PE has them (outline atomics); "exclusives" never does.
#include <pthread.h>

#include "kernels.h"

static uint64_t counter, word;

static uint64_t atomics(uint64_t rounds) {
  counter = word = 0;
  for (uint64_t n = 0; n < rounds; n++) {
    __atomic_fetch_add(&counter, n, __ATOMIC_SEQ_CST);
    uint64_t expected = __atomic_load_n(&word, __ATOMIC_ACQUIRE);
    __atomic_compare_exchange_n(&word, &expected, expected + 3, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
  }
  return counter ^ word;
}

uint64_t add_exclusively(uint64_t* p, uint64_t n) {
#ifdef __aarch64__
  uint64_t value;
  uint32_t failed;
  __asm__ volatile(
      "1: ldaxr %0, [%2]\n"
      "   add   %0, %0, %3\n"
      "   stlxr %w1, %0, [%2]\n"
      "   cbnz  %w1, 1b"
      : "=&r"(value), "=&r"(failed)
      : "r"(p), "r"(n)
      : "memory");
  return value;
#else
  return __atomic_add_fetch(p, n, __ATOMIC_SEQ_CST);
#endif
}
static uint64_t exclusives(uint64_t rounds) {
  counter = 0;
  uint64_t sum = 0;
  for (; rounds; rounds--) sum += add_exclusively(&counter, rounds);
  return sum;
}

static uint64_t compare_and_swap(uint64_t rounds) {
  word = 1;
  for (; rounds; rounds--) {
    uint64_t old = __atomic_load_n(&word, __ATOMIC_RELAXED);
    while (
        !__atomic_compare_exchange_n(&word, &old, old * 5 + rounds, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
    }
  }
  return word;
}

static uint64_t read_modify_write(uint64_t rounds) {
  static uint32_t flags, best, last;
  flags = best = last = 0;
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    const uint32_t n = (uint32_t)rounds * 0x9e3779b1u;
    sum += __atomic_fetch_or(&flags, 1u << (n & 31), __ATOMIC_RELAXED);
    sum += __atomic_fetch_and(&flags, ~(n >> 7), __ATOMIC_ACQUIRE);
    sum += __atomic_fetch_xor(&best, n, __ATOMIC_RELEASE);
    sum += __atomic_exchange_n(&last, n, __ATOMIC_ACQ_REL);
  }
  return sum;
}

static uint64_t acquire_release(uint64_t rounds) {
  static uint64_t slots[64];
  memset(slots, 0, sizeof slots);
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    const uint64_t v = __atomic_load_n(&slots[rounds & 63], __ATOMIC_ACQUIRE);
    __atomic_store_n(&slots[(rounds + 7) & 63], v + rounds, __ATOMIC_RELEASE);
    sum ^= __atomic_load_n(&slots[(rounds * 5) & 63], __ATOMIC_SEQ_CST);
  }
  return sum;
}

static uint64_t fences(uint64_t rounds) {
  static uint64_t ring[64];
  memset(ring, 0, sizeof ring);
  volatile uint64_t* r = ring;
  for (; rounds; rounds--) {
    r[rounds & 63] = rounds;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    r[(rounds + 1) & 63] += r[(rounds + 9) & 63];
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    r[(rounds + 2) & 63] ^= r[(rounds + 5) & 63];
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
  }
  return ring[3] ^ ring[40];
}

static uint64_t ticket_lock(uint64_t rounds) {
  static uint32_t next, serving;
  static uint64_t guarded;
  guarded = 0;
  for (; rounds; rounds--) {
    const uint32_t mine = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&serving, __ATOMIC_ACQUIRE) != mine) {
    }
    guarded = guarded * 3 + rounds;
    __atomic_store_n(&serving, mine + 1, __ATOMIC_RELEASE);
  }
  return guarded;
}

static uint64_t mutex(uint64_t rounds) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static uint64_t guarded;
  guarded = 0;
  for (; rounds; rounds--) {
    pthread_mutex_lock(&lock);
    guarded = guarded * 3 + rounds;
    pthread_mutex_unlock(&lock);
  }
  return guarded;
}

const struct kernel atomic_kernels[] = {{"atomics", "atomics", atomics, 2000000},
                                        {"exclusives", "atomics", exclusives, 6000000},
                                        {"compare and swap", "atomics", compare_and_swap, 3000000},
                                        {"read-modify-write", "atomics", read_modify_write, 1000000},
                                        {"acquire and release", "atomics", acquire_release, 8000000},
                                        {"fences", "atomics", fences, 4000000},
                                        {"ticket lock", "atomics", ticket_lock, 3000000},
                                        {"mutex", "atomics", mutex, 1500000},
                                        {0, 0, 0, 0}};
