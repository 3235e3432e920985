// tests/bench/guest/branches.c: indirect calls, returns, interpreters, branches that depend on data.
#include <stdlib.h>

#include "kernels.h"

// --- Calls through a table that changes from one object to the next
typedef uint64_t (*method)(uint64_t);
static __attribute__((noinline)) uint64_t rotate(uint64_t x) { return x << 7 | x >> 57; }
static __attribute__((noinline)) uint64_t add(uint64_t x) { return x + 0x9e3779b9; }
static __attribute__((noinline)) uint64_t mix(uint64_t x) { return (x ^ x >> 31) * 0xbf58476d1ce4e5b9ull; }
static __attribute__((noinline)) uint64_t invert(uint64_t x) { return ~x; }
static const method methods[4] = {rotate, add, mix, invert};

static uint64_t virtual_calls(uint64_t rounds) {
  uint32_t seed = 7;
  method objects[256];
  for (int n = 0; n < 256; n++) objects[n] = methods[next_random(&seed) >> 30];
  uint64_t x = 1;
  for (; rounds; rounds--)
    for (int n = 0; n < 256; n++) x = ((volatile method*)objects)[n](x);
  return x;
}

// --- A stack machine in one switch
static uint64_t switch_interpreter(uint64_t rounds) {
  uint8_t program[256];
  uint32_t seed = 3;
  for (int n = 0; n < 256; n++) program[n] = (uint8_t)(next_random(&seed) >> 24) % 9;
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

// --- A register machine with typed values, tables and calls, as Lua's is
enum tag { kInteger, kNumber, kTable };
struct value {
  enum tag tag;
  union {
    int64_t i;
    double d;
    struct table* t;
  };
};
struct table {
  struct value array[64];
};
enum op { kLoad, kMove, kAdd, kSub, kMul, kLess, kJump, kGet, kSet, kCall, kReturn };
struct insn {
  uint8_t op;
  int8_t a, b, c;
};
struct frame {
  const struct insn* pc;
  struct value* base;
};

static double number_of(const struct value* v) { return v->tag == kInteger ? (double)v->i : v->d; }
static __attribute__((noinline)) void slow_arithmetic(struct value* to, const struct value* a,
                                                      const struct value* b, uint8_t op) {
  const double x = number_of(a), y = number_of(b);
  to->tag = kNumber;
  to->d = op == kAdd ? x + y : op == kSub ? x - y : x * y;
}
#define INTEGER_OP(operator)                                      \
  if (r[i.b].tag == kInteger && r[i.c].tag == kInteger)           \
    r[i.a].i = r[i.b].i operator r[i.c].i, r[i.a].tag = kInteger; \
  else                                                            \
    slow_arithmetic(&r[i.a], &r[i.b], &r[i.c], i.op)

// Runs until the outermost function returns; its result is in base[0].
static void interpret(const struct insn* const* functions, const struct insn* pc, struct value* r) {
  struct frame frames[64], *f = frames;
  for (;;) {
    const struct insn i = *pc++;
    switch (i.op) {
      case kLoad: r[i.a] = (struct value){kInteger, {.i = i.b}}; break;
      case kMove: r[i.a] = r[i.b]; break;
      case kAdd: INTEGER_OP(+); break;
      case kSub: INTEGER_OP(-); break;
      case kMul: INTEGER_OP(*); break;
      case kLess:
        if (r[i.a].tag == kInteger && r[i.b].tag == kInteger ? r[i.a].i < r[i.b].i
                                                             : number_of(&r[i.a]) < number_of(&r[i.b]))
          pc += i.c;
        break;
      case kJump: pc += i.c; break;
      case kGet:
        if (r[i.b].tag == kTable) r[i.a] = r[i.b].t->array[r[i.c].i & 63];
        break;
      case kSet:
        if (r[i.a].tag == kTable) r[i.a].t->array[r[i.b].i & 63] = r[i.c];
        break;
      case kCall:  // function b, its registers begin at a
        *f++ = (struct frame){pc, r};
        r += i.a;
        pc = functions[i.b];
        break;
      default:  // kReturn: register a becomes register 0
        r[0] = r[i.a];
        if (f == frames) return;
        pc = (--f)->pc;
        r = f->base;
        break;
    }
  }
}

static uint64_t register_interpreter(uint64_t rounds) {
  static const struct insn fib[] = {// fib(r0) = r0 < 2 ? r0 : fib(r0 - 1) + fib(r0 - 2)
                                    {kLoad, 1, 2, 0}, {kLess, 0, 1, 7},  {kLoad, 1, 1, 0}, {kSub, 2, 0, 1},
                                    {kCall, 2, 0, 0}, {kSub, 3, 0, 1},   {kSub, 3, 3, 1},  {kCall, 3, 0, 0},
                                    {kAdd, 0, 2, 3},  {kReturn, 0, 0, 0}};
  static const struct insn sums[] = {
      // for r2 = 0..99: t[r2] = t[r2 * r2] * 0.5 + r2 (0.5 is r5, t is r1)
      {kLoad, 2, 0, 0},  {kLoad, 3, 100, 0}, {kLoad, 4, 1, 0},  {kMul, 6, 2, 2}, {kGet, 7, 1, 6},
      {kMul, 7, 7, 5},   {kAdd, 7, 7, 2},    {kSet, 1, 2, 7},   {kAdd, 2, 2, 4}, {kLess, 2, 3, -7},
      {kLoad, 8, 12, 0}, {kCall, 8, 0, 0},   {kReturn, 8, 0, 0}};
  static const struct insn* const functions[] = {fib, sums};
  static struct value registers[1024];
  static struct table t;
  memset(&t, 0, sizeof t);
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    registers[1] = (struct value){kTable, {.t = &t}};
    registers[5] = (struct value){kNumber, {.d = 0.5}};
    interpret(functions, functions[1], registers);
    sum = sum * 3 + (uint64_t)registers[0].i + bits_of(t.array[rounds & 63].d);
  }
  return sum;
}

// --- Threaded code: each operation jumps to the next, as Forth systems do
static uint64_t threaded_code(uint64_t rounds) {
  static const void* const labels[] = {&&push, &&plus,        &&times, &&swap,
                                       &&over, &&drop_if_odd, &&shift, &&end};
  const void* program[201];
  uint32_t seed = 17;
  for (int n = 0; n < 200; n++) program[n] = labels[(next_random(&seed) >> 24) % 7];
  program[200] = labels[7];
  uint64_t stack[64] = {0}, top = 1, depth = 0;
  for (;;) {
    const void* const* pc = program;
    forget();
    goto** pc++;
  push:
    stack[depth++ & 63] = top;
    goto** pc++;
  plus:
    top += stack[depth & 63];
    goto** pc++;
  times:
    top = top * 5 + 1;
    goto** pc++;
  swap : {
    const uint64_t t = stack[depth & 63];
    stack[depth & 63] = top;
    top = t;
    goto** pc++;
  }
  over:
    top ^= stack[(depth - 1) & 63] << 1;
    goto** pc++;
  drop_if_odd:
    if (top & 1) depth--;
    goto** pc++;
  shift:
    top += top >> 7;
    goto** pc++;
  end:
    if (--rounds == 0) return top;
  }
}

// --- Search trees: each step goes where the key says
struct node {
  struct node *left, *right;
  uint32_t key;
};
static uint64_t tree_search(uint64_t rounds) {
  enum { kNodes = 4096 };
  static struct node nodes[kNodes];
  struct node* root = 0;
  uint32_t seed = 23;
  for (int n = 0; n < kNodes; n++) {
    nodes[n] = (struct node){0, 0, next_random(&seed) >> 8};
    struct node** at = &root;
    while (*at) at = nodes[n].key < (*at)->key ? &(*at)->left : &(*at)->right;
    *at = &nodes[n];
  }
  uint64_t found = 0, steps = 0;
  for (; rounds; rounds--) {
    const uint32_t key = next_random(&seed) >> 8;
    const struct node* at = root;
    while (at && at->key != key) {
      steps++;
      if (key < at->key)
        at = at->left;
      else
        at = at->right;
    }
    found += at != 0;
  }
  return steps * 1000 + found;
}

// --- The C library's sort with a function to compare
static int compare_words(const void* a, const void* b) {
  const uint32_t x = *(const uint32_t*)a, y = *(const uint32_t*)b;
  return x < y ? -1 : x > y;
}
static uint64_t callbacks(uint64_t rounds) {
  static uint32_t v[2048];
  uint32_t seed = 1;
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    for (uint32_t n = 0; n < 2048; n++) v[n] = next_random(&seed);
    qsort(v, 2048, sizeof *v, compare_words);
    for (uint32_t n = 0; n < 2048; n += 97) sum = sum * 31 + v[n];
  }
  return sum;
}

// --- Calls from one page to another: each function is in a page of its own
#define FAR_FUNCTION(name, body) \
  static __attribute__((noinline, aligned(4096))) uint64_t name(uint64_t x, uint64_t depth) { body; }
FAR_FUNCTION(far_leaf, return x * 3 + depth)
FAR_FUNCTION(far_middle, return far_leaf(x ^ depth, depth) + far_leaf(x >> 1, depth + 1))
FAR_FUNCTION(far_top, return far_middle(x + 7, depth) ^ far_leaf(x, depth) ^ far_middle(x, depth + 2))
static uint64_t far_calls(uint64_t rounds) {
  uint64_t x = 1;
  for (; rounds; rounds--) x = far_top(x, rounds);
  return x;
}

// --- Words of a text, through character classes
static uint64_t tokens(uint64_t rounds) {
  static char text[4096];
  uint32_t seed = 41;
  for (size_t n = 0; n < sizeof text - 1; n++)
    text[n] = "abcde  _019+-(){}\n\"x;"[(next_random(&seed) >> 20) % 20];
  uint64_t names = 0, numbers = 0, signs = 0, strings = 0, lines = 0;
  for (; rounds; rounds--) {
    for (const char* at = text; *at;) {
      const char c = *at++;
      if ((c >= 'a' && c <= 'z') || c == '_') {
        while ((*at >= 'a' && *at <= 'z') || *at == '_' || (*at >= '0' && *at <= '9')) at++;
        names++;
      } else if (c >= '0' && c <= '9') {
        while (*at >= '0' && *at <= '9') at++;
        numbers++;
      } else if (c == '"') {
        while (*at && *at != '"' && *at != '\n') at++;
        if (*at) at++;
        strings++;
      } else if (c == '\n') {
        lines++;
      } else if (c != ' ') {
        signs++;
      }
    }
    text[rounds % (sizeof text - 1)] ^= 1;
  }
  return names + numbers * 3 + signs * 5 + strings * 7 + lines * 11;
}

const struct kernel branch_kernels[] = {{"virtual calls", "branches", virtual_calls, 150000},
                                        {"switch interpreter", "branches", switch_interpreter, 100000},
                                        {"register interpreter", "branches", register_interpreter, 1500},
                                        {"threaded code", "branches", threaded_code, 100000},
                                        {"tree search", "branches", tree_search, 800000},
                                        {"callbacks", "branches", callbacks, 150},
                                        {"far calls", "branches", far_calls, 1500000},
                                        {"tokens", "branches", tokens, 2500},
                                        {0, 0, 0, 0}};
