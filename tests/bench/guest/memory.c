// tests/bench/guest/memory.c: copies, fills, strings, dependent and independent loads and stores.
#include <stdlib.h>
#include <sys/mman.h>

#include "kernels.h"

enum { kMiB = 1 << 20, kNodes = 1 << 16 };

static uint64_t copy_large(uint64_t rounds, size_t bytes, size_t apart) {
  uint8_t* from = mmap(0, apart + bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uint8_t* to = from + apart;
  for (size_t n = 0; n < bytes; n++) from[n] = (uint8_t)(n * 7 >> 3);
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    memcpy(to, from, bytes);
    from[rounds % bytes] ^= to[bytes / 2 + rounds];
    sum += to[rounds * 4097 % bytes];
  }
  munmap(from, apart + bytes);
  return sum;
}
static uint64_t copy_8_mib(uint64_t rounds) { return copy_large(rounds, 8 * kMiB, 8 * kMiB + 4096); }
// The same page numbers modulo every power of two up to 8192: a cache that looks at them alone keeps one.
static uint64_t copy_aliasing(uint64_t rounds) { return copy_large(rounds, 32 * kMiB, 32 * kMiB); }

static uint64_t copy_page(uint64_t rounds) {
  static uint64_t a[512], b[512];
  for (int n = 0; n < 512; n++) a[n] = (uint64_t)n * 0x9e3779b97f4a7c15ull;
  for (; rounds; rounds--) {
    memcpy(b, a, sizeof a);
    forget();
    a[rounds % 512] += b[rounds * 5 % 512];
  }
  return a[77] ^ b[99];
}

static uint64_t copy_small(uint64_t rounds) {
  static uint8_t a[512], b[512];
  for (int n = 0; n < 512; n++) a[n] = (uint8_t)(n * 7);
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    for (size_t n = 1; n < 64; n += 3) memcpy(b + n * 5, a + n * 3 + (rounds & 7), n);
    forget();
    sum += b[rounds & 255];
  }
  return sum;
}

static uint64_t fill(uint64_t rounds) {
  static uint8_t v[256 * 1024];
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    memset(v, rounds & 1 ? 0 : (int)rounds, sizeof v);
    forget();
    sum += v[rounds * 4099 % sizeof v];
  }
  return sum;
}

static uint64_t strings(uint64_t rounds) {
  static char a[1024], b[1024];
  uint64_t sum = 0;
  for (int n = 0; n < 1023; n++) a[n] = (char)('a' + n % 23);
  for (; rounds; rounds--) {
    a[rounds % 1000] = '#';
    strcpy(b, a);
    sum += strlen(b) + (uint64_t)(strchr(b, '#') - b) + (uint64_t)((char*)memchr(b, 0, sizeof b) - b);
    b[rounds * 7 % 1000] ^= 2;
    forget();
    sum += (uint64_t)(strcmp(a, b) > 0) + (uint64_t)(memcmp(a, b, 1000) > 0);
    a[rounds % 1000] = 'x';
  }
  return sum;
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

// One word of each page of 8 MiB: every access needs another translation.
static uint64_t page_stride(uint64_t rounds) {
  const size_t pages = 2048;
  uint8_t* v = mmap(0, pages << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (size_t n = 0; n < pages; n++) v[n << 12] = (uint8_t)n;
  uint64_t sum = 0;
  for (; rounds; rounds--)
    for (size_t n = 0; n < pages; n++) sum += v[(n * 5 % pages) << 12 | (rounds * 64 & 4095)]++;
  munmap(v, pages << 12);
  return sum;
}

// Independent loads all over 16 MiB.
static uint64_t gather(uint64_t rounds) {
  const size_t words = 16 * kMiB / 8;
  uint64_t* v = malloc(words * 8);
  for (size_t n = 0; n < words; n++) v[n] = n * 0x9e3779b97f4a7c15ull;
  uint64_t sum = 0, at = 1;
  for (; rounds; rounds--) {
    at = at * 6364136223846793005ull + 1442695040888963407ull;
    sum += v[(at >> 40) % words];
  }
  free(v);
  return sum;
}

static uint64_t unaligned(uint64_t rounds) {
  static uint8_t v[8192 + 16];
  for (size_t n = 0; n < sizeof v; n++) v[n] = (uint8_t)(n * 13);
  uint64_t sum = 0;
  for (; rounds; rounds--)
    for (size_t n = 1; n < 8192; n += 13) {  // some cross a page
      uint64_t a;
      uint16_t b;
      memcpy(&a, v + n, 8), memcpy(&b, v + n + 9, 2);
      sum += a ^ b;
      a += sum;
      memcpy(v + n, &a, 8);
    }
  return sum;
}

// Bytes, halfwords and signed loads of a picture's lines.
static uint64_t narrow_loads(uint64_t rounds) {
  static int8_t a[2048];
  static int16_t b[2048];
  static uint8_t c[2048];
  for (int n = 0; n < 2048; n++) a[n] = (int8_t)(n * 3), b[n] = (int16_t)(n * 517), c[n] = (uint8_t)(n * 5);
  uint64_t sum = 0;
  for (; rounds; rounds--)
    for (int n = 0; n < 2048; n++) {
      const int at = (n * 37 + c[n]) & 2047;
      const int t = a[at] + b[n] * c[at];
      b[at] = (int16_t)(t >> 4);
      a[n] = (int8_t)(t >> 2);
      sum += (uint64_t)(int64_t)t;
    }
  return sum;
}

// Frames of many registers: pairs are saved and restored at each call.
static __attribute__((noinline)) uint64_t frames(uint64_t depth, uint64_t a, uint64_t b, uint64_t c,
                                                 uint64_t d) {
  if (depth == 0) return a ^ b ^ c ^ d;
  const uint64_t x = frames(depth - 1, b + 1, c, d, a), y = frames(depth - 1, c ^ x, d, a, b);
  return x + y * 3 + a + (b ^ c) + d;
}
static uint64_t stack_frames(uint64_t rounds) {
  uint64_t sum = 0;
  for (; rounds; rounds--) sum += frames(10, rounds, sum, 3, 4);
  return sum;
}

const struct kernel memory_kernels[] = {{"copy 8 MiB", "memory", copy_8_mib, 30},
                                        {"copy aliasing", "memory", copy_aliasing, 6},
                                        {"copy 4 KiB", "memory", copy_page, 150000},
                                        {"copy small", "memory", copy_small, 100000},
                                        {"fill", "memory", fill, 2500},
                                        {"strings", "memory", strings, 60000},
                                        {"pointer chase", "memory", pointer_chase, 250},
                                        {"loads and stores", "memory", loads_stores, 5000},
                                        {"page stride", "memory", page_stride, 1500},
                                        {"gather", "memory", gather, 3000000},
                                        {"unaligned", "memory", unaligned, 20000},
                                        {"narrow loads", "memory", narrow_loads, 5000},
                                        {"stack frames", "memory", stack_frames, 3000},
                                        {0, 0, 0, 0}};
