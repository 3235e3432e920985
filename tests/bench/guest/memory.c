// tests/bench/guest/memory.c: copies, dependent loads, atomics.
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

enum { kBuffer = 8 << 20, kNodes = 1 << 16 };

static uint64_t copy_large(uint64_t rounds) {
  uint8_t* from = malloc(kBuffer);
  uint8_t* to = malloc(kBuffer);
  for (size_t n = 0; n < kBuffer; n++) from[n] = (uint8_t)(n * 7 >> 3);
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    memcpy(to, from, kBuffer);
    from[rounds % kBuffer] ^= to[kBuffer / 2 + rounds];
    sum += to[rounds * 4097 % kBuffer];
  }
  free(from);
  free(to);
  return sum;
}

static uint64_t copy_page(uint64_t rounds) {
  static uint64_t a[512], b[512];
  for (int n = 0; n < 512; n++) a[n] = (uint64_t)n * 0x9e3779b97f4a7c15ull;
  for (; rounds; rounds--) {
    memcpy(b, a, sizeof a);
    __asm__ volatile("" ::: "memory");
    a[rounds % 512] += b[rounds * 5 % 512];
  }
  return a[77] ^ b[99];
}

static uint64_t pointer_chase(uint64_t rounds) {
  static uint32_t next[kNodes];  // one cycle through all of them
  for (uint32_t n = 0; n < kNodes; n++) next[n] = (n * 40501u + 12829u) % kNodes;
  uint32_t at = 0;
  for (rounds = rounds * kNodes - 5; rounds; rounds--) at = next[at];
  return at;
}

static uint64_t loads_stores(uint64_t rounds) {
  static uint32_t table[4096];
  for (uint32_t n = 0; n < 4096; n++) table[n] = n;
  for (; rounds; rounds--)
    for (uint32_t n = 0; n < 4096; n++) {
      uint32_t other = (table[n] ^ (uint32_t)rounds) & 4095, t = table[other];
      table[other] = table[n] + 1;
      table[n] = t;
    }
  uint64_t sum = 0;
  for (uint32_t n = 0; n < 4096; n++) sum = sum * 31 + table[n];
  return sum;
}

static uint64_t atomics(uint64_t rounds) {
  static uint64_t counter, word;
  for (uint64_t n = 0; n < rounds; n++) {
    __atomic_fetch_add(&counter, n, __ATOMIC_SEQ_CST);
    uint64_t expected = __atomic_load_n(&word, __ATOMIC_ACQUIRE);
    __atomic_compare_exchange_n(&word, &expected, expected + 3, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
  }
  return counter ^ word;
}

const struct kernel memory_kernels[] = {
    {"copy 8 MiB", "memory", copy_large, 40},        {"copy 4 KiB", "memory", copy_page, 300000},
    {"pointer chase", "memory", pointer_chase, 400}, {"loads and stores", "memory", loads_stores, 5000},
    {"atomics", "atomics", atomics, 3000000},        {0, 0, 0, 0}};
