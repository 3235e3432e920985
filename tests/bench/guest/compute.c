// tests/bench/guest/compute.c: integer work and branches.
#include "kernels.h"

static uint32_t next(uint32_t* seed) { return *seed = *seed * 1664525u + 1013904223u; }

static uint64_t sieve(uint64_t rounds) {
  static uint8_t composite[65536];
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    for (uint32_t n = 0; n < sizeof composite; n++) composite[n] = 0;
    for (uint32_t n = 2; n < sizeof composite; n++) {
      if (composite[n]) continue;
      sum += n;
      for (uint64_t m = (uint64_t)n * n; m < sizeof composite; m += n) composite[m] = 1;
    }
  }
  return sum;
}

static void sort(uint32_t* v, int64_t low, int64_t high) {
  while (low < high) {
    uint32_t pivot = v[(low + high) / 2];
    int64_t i = low, j = high;
    while (i <= j) {
      while (v[i] < pivot) i++;
      while (v[j] > pivot) j--;
      if (i > j) break;
      uint32_t t = v[i];
      v[i++] = v[j];
      v[j--] = t;
    }
    sort(v, low, j);
    low = i;
  }
}

static uint64_t quicksort(uint64_t rounds) {
  static uint32_t v[32768];
  uint32_t seed = 1;
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    for (uint32_t n = 0; n < 32768; n++) v[n] = next(&seed);
    sort(v, 0, 32767);
    for (uint32_t n = 0; n < 32768; n += 97) sum = sum * 31 + v[n];
  }
  return sum;
}

static __attribute__((noinline)) uint64_t fibonacci(uint64_t n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}
static uint64_t recursion(uint64_t rounds) { return fibonacci(rounds); }

static uint64_t bignum(uint64_t rounds) {
  uint64_t a[32], sum = 0;
  for (int n = 0; n < 32; n++) a[n] = 0x9e3779b97f4a7c15ull * (uint64_t)(n + 1);
  for (; rounds; rounds--) {
    uint64_t product[64] = {0};
    for (int i = 0; i < 32; i++) {
      uint64_t carry = 0;
      for (int j = 0; j < 32; j++) {
        unsigned __int128 t = (unsigned __int128)a[i] * a[j] + product[i + j] + carry;
        product[i + j] = (uint64_t)t;
        carry = (uint64_t)(t >> 64);
      }
      product[i + 32] = carry;
    }
    for (int n = 0; n < 32; n++) a[n] = product[n + 16] | 1;
    sum ^= a[7];
  }
  return sum;
}

// Calls through a table that changes from one object to the next.
typedef uint64_t (*method)(uint64_t);
static __attribute__((noinline)) uint64_t rotate(uint64_t x) { return x << 7 | x >> 57; }
static __attribute__((noinline)) uint64_t add(uint64_t x) { return x + 0x9e3779b9; }
static __attribute__((noinline)) uint64_t mix(uint64_t x) { return (x ^ x >> 31) * 0xbf58476d1ce4e5b9ull; }
static __attribute__((noinline)) uint64_t invert(uint64_t x) { return ~x; }
static const method methods[4] = {rotate, add, mix, invert};

static uint64_t virtual_calls(uint64_t rounds) {
  uint32_t seed = 7;
  method objects[256];
  for (int n = 0; n < 256; n++) objects[n] = methods[next(&seed) >> 30];
  uint64_t x = 1;
  for (; rounds; rounds--)
    for (int n = 0; n < 256; n++) x = ((volatile method*)objects)[n](x);
  return x;
}

static uint64_t switch_interpreter(uint64_t rounds) {
  uint8_t program[256];
  uint32_t seed = 3;
  for (int n = 0; n < 256; n++) program[n] = (uint8_t)(next(&seed) >> 24) % 9;
  uint64_t a = 1, b = 2, stack[16] = {0};
  uint32_t depth = 0;
  for (; rounds; rounds--) {
    for (int pc = 0; pc < 256; pc++) {
      switch (((volatile uint8_t*)program)[pc]) {
        case 0: a += b; break;
        case 1: b ^= a >> 3; break;
        case 2: stack[depth++ & 15] = a; break;
        case 3: a = stack[--depth & 15]; break;
        case 4: a *= 0x9e3779b1; break;
        case 5:
          if (a & 1) pc++;
          break;
        case 6: b = b << 9 | b >> 55; break;
        case 7: a -= 77; break;
        default: b += (uint64_t)pc; break;
      }
    }
  }
  return a ^ b;
}

const struct kernel compute_kernels[] = {{"sieve", "integer", sieve, 300},
                                         {"quicksort", "integer", quicksort, 25},
                                         {"recursion", "integer", recursion, 34},
                                         {"bignum", "integer", bignum, 40000},
                                         {"virtual calls", "branches", virtual_calls, 80000},
                                         {"switch interpreter", "branches", switch_interpreter, 120000},
                                         {0, 0, 0, 0}};
