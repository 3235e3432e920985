// tests/bench/guest/deflate.c: compression as zlib's deflate does it: matches found through hash chains, then
// Huffman codes; and its inverse. The format is our own.
#include "kernels.h"

enum {
  kText = 1 << 15,
  kSymbols = 320,
  kLeast = 3,
  kMost = 66,
  kHash = 4096,
  kTries = 16,
  kDistanceBits = 15
};

static uint8_t text[kText], packed[2 * kText];
static struct { uint16_t symbol, distance; } tokens[kText];
static uint32_t token_count;

// Words in no order, so that there is something to find.
static void make_text(void) {
  static const char words[16][8] = {"the ",   "gate ", "of ",    "water", "page ", "walk ", "table", "and ",
                                    "entry ", "is ",   "stale ", "no ",   "more ", ", ",    ". ",    "a "};
  uint32_t seed = 99;
  for (uint32_t at = 0; at < kText;) {
    const char* w = words[next_random(&seed) >> 28];
    for (; *w && at < kText; w++) text[at++] = (uint8_t)*w;
    if (at < kText && (next_random(&seed) & 0x700000) == 0) text[at++] = (uint8_t)(next_random(&seed) >> 25);
  }
}

static uint32_t hash_of(const uint8_t* p) { return (p[0] << 7 ^ p[1] << 4 ^ p[2]) % kHash; }

static void find_matches(void) {
  static int32_t head[kHash], previous[kText];
  for (int n = 0; n < kHash; n++) head[n] = -1;
  token_count = 0;
  for (int32_t at = 0; at < kText;) {
    int32_t best = 0, from = 0;
    if (at + kMost < kText) {
      int32_t candidate = head[hash_of(text + at)];
      for (int tries = kTries; candidate >= 0 && tries; tries--, candidate = previous[candidate]) {
        int32_t n = 0;
        while (n < kMost && text[candidate + n] == text[at + n]) n++;
        if (n > best) best = n, from = candidate;
      }
    }
    if (best < kLeast) best = 1;
    tokens[token_count].symbol = (uint16_t)(best == 1 ? text[at] : 256 + best - kLeast);
    tokens[token_count++].distance = (uint16_t)(best == 1 ? 0 : at - from);
    for (; best; best--, at++) {
      if (at + kLeast > kText) continue;
      previous[at] = head[hash_of(text + at)];
      head[hash_of(text + at)] = at;
    }
  }
}

// --- Canonical Huffman codes
static uint8_t lengths[kSymbols];
static uint32_t codes[kSymbols];

static void make_lengths(void) {
  static uint32_t weight[2 * kSymbols];
  static int16_t parent[2 * kSymbols];
  memset(weight, 0, sizeof weight);
  for (uint32_t n = 0; n < token_count; n++) weight[tokens[n].symbol]++;
  int nodes = kSymbols;
  for (;; nodes++) {
    int least = -1, second = -1;
    for (int n = 0; n < nodes; n++) {
      if (!weight[n]) continue;
      if (least < 0 || weight[n] < weight[least])
        second = least, least = n;
      else if (second < 0 || weight[n] < weight[second])
        second = n;
    }
    if (second < 0) {
      parent[least] = -1;
      break;
    }
    weight[nodes] = weight[least] + weight[second];
    weight[least] = weight[second] = 0;
    parent[least] = parent[second] = (int16_t)nodes;
  }
  memset(lengths, 0, sizeof lengths);
  for (uint32_t n = 0; n < token_count; n++) lengths[tokens[n].symbol] = 1;
  for (int n = 0; n < kSymbols; n++) {
    if (!lengths[n]) continue;
    uint8_t depth = 0;
    for (int p = n; parent[p] >= 0; p = parent[p]) depth++;
    lengths[n] = depth;
  }
}

static uint32_t counts[32], symbols_by_code[kSymbols];
static void make_codes(void) {
  uint32_t code = 0, at = 0;
  memset(counts, 0, sizeof counts);
  for (uint8_t length = 1; length < 32; length++) {
    for (uint32_t n = 0; n < kSymbols; n++)
      if (lengths[n] == length) codes[n] = code++, counts[length]++, symbols_by_code[at++] = n;
    code <<= 1;
  }
}

static uint32_t write_tokens(void) {
  uint64_t pending = 0;
  uint32_t held = 0, at = 0;
  for (uint32_t n = 0; n < token_count; n++) {
    const uint16_t symbol = tokens[n].symbol;
    pending = pending << lengths[symbol] | codes[symbol];
    held += lengths[symbol];
    if (symbol >= 256) pending = pending << kDistanceBits | tokens[n].distance, held += kDistanceBits;
    for (; held >= 8; held -= 8) packed[at++] = (uint8_t)(pending >> (held - 8));
  }
  packed[at++] = (uint8_t)(pending << (8 - held));
  return at;
}

static uint64_t compress_text(void) {
  find_matches();
  make_lengths();
  make_codes();
  return write_tokens();
}

static uint32_t bit_at, window;
static uint32_t next_bit(void) {
  if (bit_at % 8 == 0) window = packed[bit_at / 8];
  return window >> (7 - bit_at++ % 8) & 1;
}

static uint32_t next_symbol(void) {
  uint32_t code = 0, first = 0, index = 0;
  for (uint32_t length = 1; length < 32; length++) {
    code |= next_bit();
    if (code - first < counts[length]) return symbols_by_code[index + code - first];
    index += counts[length];
    first = (first + counts[length]) << 1;
    code <<= 1;
  }
  return 0;
}

static uint64_t deflate(uint64_t rounds) {
  uint64_t sum = 0;
  make_text();
  for (; rounds; rounds--) {
    const uint64_t bytes = compress_text();
    sum = sum * 31 + bytes + packed[bytes / 2];
    text[rounds * 4099 % kText] ^= 1;
  }
  return sum;
}

static uint64_t inflate(uint64_t rounds) {
  static uint8_t out[kText];
  uint64_t sum = 0;
  make_text();
  compress_text();
  for (; rounds; rounds--) {
    bit_at = 0;
    for (uint32_t at = 0; at < kText;) {
      const uint32_t symbol = next_symbol();
      if (symbol < 256) {
        out[at++] = (uint8_t)symbol;
        continue;
      }
      uint32_t distance = 0;
      for (int n = 0; n < kDistanceBits; n++) distance = distance << 1 | next_bit();
      for (uint32_t n = symbol - 256 + kLeast; n; n--, at++) out[at] = out[at - distance];
    }
    sum += (uint64_t)(memcmp(out, text, kText) == 0) + out[rounds % kText];
  }
  return sum;
}

const struct kernel deflate_kernels[] = {
    {"deflate", "integer", deflate, 20}, {"inflate", "integer", inflate, 80}, {0, 0, 0, 0}};
