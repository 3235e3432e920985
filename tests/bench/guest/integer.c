// tests/bench/guest/integer.c: integer work: loops over small tables, recursion, multiplication, division.
#include "kernels.h"

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
    for (uint32_t n = 0; n < 32768; n++) v[n] = next_random(&seed);
    sort(v, 0, 32767);
    for (uint32_t n = 0; n < 32768; n += 97) sum = sum * 31 + v[n];
  }
  return sum;
}

static __attribute__((noinline)) uint64_t fibonacci(uint64_t n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}
static uint64_t recursion(uint64_t rounds) {
  uint64_t sum = 0;
  for (; rounds; rounds--) sum = sum * 3 + fibonacci(20 + (rounds & 1));
  return sum;
}

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

// --- Three small jobs in turn, as CoreMark has them: a list, a matrix, a state machine; a CRC of the results
struct item {
  struct item* next;
  int16_t key;
  uint16_t data;
};

static struct item* merge_sorted(struct item* list, int by_data) {
  if (!list || !list->next) return list;
  struct item *slow = list, *fast = list->next;
  while (fast && fast->next) slow = slow->next, fast = fast->next->next;
  struct item* b = merge_sorted(slow->next, by_data);
  slow->next = 0;
  struct item *a = merge_sorted(list, by_data), *head = 0, **end = &head;
  while (a && b) {
    struct item** least = (by_data ? a->data <= b->data : a->key <= b->key) ? &a : &b;
    *end = *least;
    end = &(*least)->next;
    *least = *end;
  }
  *end = a ? a : b;
  return head;
}

static struct item* reversed(struct item* list) {
  struct item* result = 0;
  while (list) {
    struct item* next = list->next;
    list->next = result;
    result = list;
    list = next;
  }
  return result;
}

static uint16_t crc16(uint16_t crc, uint32_t value) {
  for (int n = 0; n < 32; n++, value >>= 1) crc = (uint16_t)(crc >> 1 ^ (0xa001 & -((crc ^ value) & 1)));
  return crc;
}

static uint32_t multiply_matrices(int16_t a[16][16], int16_t b[16][16]) {
  uint32_t sum = 0;
  for (int i = 0; i < 16; i++)
    for (int j = 0; j < 16; j++) {
      int32_t c = 0;
      for (int k = 0; k < 16; k++) c += a[i][k] * b[k][j];
      sum = sum * 5 + (uint32_t)(c >> 3);
    }
  return sum;
}

enum state { kStart, kSign, kInteger, kFraction, kExponent, kInvalid, kStates };
static enum state scan_number(const char** at) {
  enum state s = kStart;
  for (; **at && **at != ','; (*at)++) {
    const char c = **at;
    const int digit = c >= '0' && c <= '9';
    switch (s) {
      case kStart:
        s = digit ? kInteger : c == '-' || c == '+' ? kSign : c == '.' ? kFraction : kInvalid;
        break;
      case kSign: s = digit ? kInteger : c == '.' ? kFraction : kInvalid; break;
      case kInteger: s = digit ? kInteger : c == '.' ? kFraction : c == 'e' ? kExponent : kInvalid; break;
      case kFraction: s = digit ? kFraction : c == 'e' ? kExponent : kInvalid; break;
      case kExponent: s = digit ? kExponent : kInvalid; break;
      default: break;
    }
  }
  if (**at) (*at)++;
  return s;
}

static uint64_t core_mix(uint64_t rounds) {
  static const char text[] = "5012,1.5e3,-874,+122,x91,0.12e9,-.5,7e,1.2.3,-11e7x,8,+0.25,--4,3.14159,1e1";
  static struct item items[128];
  static int16_t a[16][16], b[16][16];
  uint32_t seed = 5;
  for (int n = 0; n < 128; n++)
    items[n] = (struct item){n < 127 ? items + n + 1 : 0, (int16_t)(next_random(&seed) >> 16), (uint16_t)n};
  for (int n = 0; n < 256; n++) a[n / 16][n % 16] = (int16_t)(n * 7), b[n / 16][n % 16] = (int16_t)(n ^ 85);
  struct item* list = items;
  uint16_t crc = 0;
  for (; rounds; rounds--) {
    list = merge_sorted(reversed(list), (int)(rounds & 1));
    uint32_t found = 0;
    for (struct item* i = list; i; i = i->next)
      if (i->key > 0 && i->data % 3 == 0) found++;
    crc = crc16(crc, found << 16 | list->data);
    crc = crc16(crc, multiply_matrices(a, b));
    a[rounds % 16][3]++;
    uint32_t counts[kStates] = {0};
    for (const char* at = text; *at;) counts[scan_number(&at)]++;
    crc = crc16(crc, counts[kInteger] | counts[kFraction] << 8 | counts[kInvalid] << 16);
  }
  return crc;
}

// --- Records, small procedures and strings, as Dhrystone has them
struct record {
  struct record* other;
  int kind, enumeration, number;
  char text[32];
};
static char one_byte, first_letters[16];

static __attribute__((noinline)) int same_letter(char a, char b) {
  char copy = a;
  if (copy != b) return 0;
  one_byte = copy;
  return 1;
}
static __attribute__((noinline)) int ordered(const char* a, const char* b) {
  int at = 2;
  while (at <= 2)
    if (!same_letter(a[at], b[at + 1])) at++;
  return strcmp(a, b) > 0 ? at + 7 : 0;
}
static __attribute__((noinline)) void choose(int given, int* result) {
  *result = given == 2 ? given : 3;
  switch (given) {
    case 0: *result = 0; break;
    case 1: *result = one_byte > 100 ? 0 : 3; break;
    case 2: *result = 1; break;
    default: *result = 2; break;
  }
}
static __attribute__((noinline)) void add_numbers(int a, int b, int* result) { *result = a + 2 + b; }
static __attribute__((noinline)) void follow(struct record* r) {
  struct record* next = r->other;
  *next = *r;
  r->number = 5;
  next->number = r->number;
  next->other = r->other;
  if (next->kind == 0) {
    next->number = 6;
    choose(r->enumeration, &next->enumeration);
    add_numbers(next->number, 10, &next->number);
  }
}
static uint64_t records(uint64_t rounds) {
  static struct record a, b;
  char first[32], second[32];
  uint64_t sum = 0;
  a = (struct record){&b, 0, 2, 40, "records and strings, the one"};
  strcpy(first, "records and strings, in turn");
  for (; rounds; rounds--) {
    strcpy(second, "records and strings, another");
    second[20 + (rounds & 7)] = (char)('a' + (rounds & 15));
    int n = 2, m = 3 + (ordered(first, second) != 0);
    while (n < m) add_numbers(n, (int)rounds & 3, &n);
    follow(&a);
    for (char c = 'A'; c <= 'C'; c++) first_letters[same_letter(c, 'B') + (c - 'A')] = c;
    sum += (uint64_t)(b.number * 3 + b.enumeration + n + first_letters[1] + a.text[rounds & 15]);
  }
  return sum;
}

// --- A hash table with open addressing
static uint64_t hash_table(uint64_t rounds) {
  enum { kSlots = 8192 };
  static uint64_t keys[kSlots], values[kSlots];
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    memset(keys, 0, sizeof keys);
    uint32_t seed = (uint32_t)rounds;
    for (int n = 0; n < 6000; n++) {
      const uint64_t key = (next_random(&seed) >> 19) + 1;
      uint64_t at = key * 0x9e3779b97f4a7c15ull >> 51;
      while (keys[at] && keys[at] != key) at = (at + 1) % kSlots;
      if (!keys[at]) keys[at] = key, values[at] = 0;
      values[at] += (uint64_t)n;
      sum += values[at];
    }
  }
  return sum;
}

static uint64_t division(uint64_t rounds) {
  uint64_t a = 0x9e3779b97f4a7c15ull, sum = 0;
  for (; rounds; rounds--) {
    const uint64_t d = (a >> 40) | 1;
    const int32_t e = (int32_t)(a >> 17) | 3;
    sum += a / d + a % d;
    sum += (uint64_t)(int64_t)((int32_t)a / e) + (uint64_t)((int64_t)a % (int64_t)(d | 0x100));
    a = a * 6364136223846793005ull + 1442695040888963407ull;
  }
  return sum;
}

static uint64_t bit_fields(uint64_t rounds) {
  uint64_t a = 0x0123456789abcdefull, sum = 0;
  for (; rounds; rounds--) {
    sum += (uint64_t)__builtin_clzll(a | 1) + (uint64_t)__builtin_ctzll(a | 1ull << 63);
    sum ^= __builtin_bswap64(a) >> (a & 31);
    a = a >> 13 | a << 51;
    sum += (a >> 7 & 0x1ff) << 3 | (a >> 40 & 7);
    a ^= (uint64_t)(int64_t)(int16_t)(sum >> 5) * 5;
    a += (uint64_t)(sum > a) + (uint64_t)((int64_t)sum < (int64_t)a) * 2;
  }
  return sum ^ a;
}

static uint64_t place_queens(uint32_t all, uint32_t columns, uint32_t left, uint32_t right) {
  if (columns == all) return 1;
  uint64_t count = 0;
  for (uint32_t free = all & ~(columns | left | right); free;) {
    const uint32_t one = free & -free;
    free -= one;
    count += place_queens(all, columns | one, (left | one) << 1, (right | one) >> 1);
  }
  return count;
}
static uint64_t queens(uint64_t rounds) {
  uint64_t sum = 0;
  for (; rounds; rounds--) sum += place_queens((1u << (7 + (rounds & 1))) - 1, 0, 0, 0);
  return sum;
}

static uint64_t edit_distance(uint64_t rounds) {
  enum { kLength = 256 };
  static uint8_t a[kLength], b[kLength];
  static uint16_t row[kLength + 1];
  uint32_t seed = 11;
  uint64_t sum = 0;
  for (int n = 0; n < kLength; n++) a[n] = next_random(&seed) >> 30, b[n] = next_random(&seed) >> 30;
  for (; rounds; rounds--) {
    for (int j = 0; j <= kLength; j++) row[j] = (uint16_t)j;
    for (int i = 0; i < kLength; i++) {
      uint16_t corner = row[0]++;
      for (int j = 0; j < kLength; j++) {
        uint16_t least = (uint16_t)(corner + (a[i] != b[j]));
        if (row[j] + 1 < least) least = (uint16_t)(row[j] + 1);
        if (row[j + 1] + 1 < least) least = (uint16_t)(row[j + 1] + 1);
        corner = row[j + 1];
        row[j + 1] = least;
      }
    }
    sum += row[kLength];
    a[rounds % kLength] ^= 1;
  }
  return sum;
}

// MD5's kind of straight-line code: additions, rotations and logic, nothing else.
static uint64_t mixing(uint64_t rounds) {
  uint32_t a = 0x67452301, b = 0xefcdab89, c = 0x98badcfe, d = 0x10325476, w[16];
  for (uint32_t n = 0; n < 16; n++) w[n] = n * 0x5bd1e995;
  for (; rounds; rounds--) {
    for (uint32_t n = 0; n < 16; n++) {
      const uint32_t f = (b & c) | (~b & d), g = b ^ c ^ d, h = c ^ (b | ~d);
      const uint32_t t = a + f + w[n] + 0xd76aa478;
      a = d + h, d = c ^ (g >> 3), c = b;
      b += t << 7 | t >> 25;
    }
    w[rounds & 15] ^= b;
  }
  return (uint64_t)(a ^ b) << 32 | (c ^ d);
}

const struct kernel integer_kernels[] = {{"sieve", "integer", sieve, 300},
                                         {"quicksort", "integer", quicksort, 25},
                                         {"recursion", "integer", recursion, 700},
                                         {"bignum", "integer", bignum, 30000},
                                         {"lists and states", "integer", core_mix, 2500},
                                         {"records", "integer", records, 500000},
                                         {"hash table", "integer", hash_table, 300},
                                         {"division", "integer", division, 4000000},
                                         {"bit fields", "integer", bit_fields, 5000000},
                                         {"queens", "integer", queens, 500},
                                         {"edit distance", "integer", edit_distance, 250},
                                         {"mixing", "integer", mixing, 700000},
                                         {0, 0, 0, 0}};
