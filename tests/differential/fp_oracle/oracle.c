/* tests/differential/fp_oracle/oracle.c: an AArch64 program that executes the real instruction for every
 * request on its standard input and writes what it left behind. Build: aarch64-linux-gnu-gcc -O1 -static
 * -march=armv8.5-a+fp16. */
#include <unistd.h>

#include "protocol.h"

#define OP(name, operand, count, result, instruction, meaning)                                      \
  static void execute_##name(const struct OracleRequest* in, struct OracleReply* out) {             \
    uint64_t fpsr, nzcv;                                                                            \
    __asm__ volatile(                                                                               \
        "msr fpcr, %[fpcr]\n msr fpsr, xzr\n"                                                       \
        "fmov d0, %[a]\n fmov d1, %[b]\n fmov d2, %[c]\n mov x0, %[a]\n" instruction                \
        "\n mrs %[nzcv], nzcv\n mrs %[fpsr], fpsr\n msr fpcr, xzr\n fmov %[v], d0\n mov %[x], x0\n" \
        : [v] "=&r"(out->v), [x] "=&r"(out->x), [fpsr] "=&r"(fpsr), [nzcv] "=&r"(nzcv)              \
        : [a] "r"(in->a), [b] "r"(in->b), [c] "r"(in->c), [fpcr] "r"((uint64_t)in->fpcr)            \
        : "x0", "v0", "v1", "v2", "cc");                                                            \
    out->fpsr = (uint32_t)fpsr;                                                                     \
    out->nzcv = (uint32_t)nzcv;                                                                     \
  }
#include "operations.inc"
#undef OP

typedef void Execute(const struct OracleRequest*, struct OracleReply*);
static Execute* const kExecute[] = {
#define OP(name, ...) execute_##name,
#include "operations.inc"
#undef OP
};

static int read_all(void* to, size_t size) {
  size_t done = 0;
  while (done < size) {
    ssize_t n = read(0, (char*)to + done, size - done);
    if (n <= 0) break;
    done += (size_t)n;
  }
  return (int)done;
}

static int write_all(const void* from, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = write(1, (const char*)from + done, size - done);
    if (n <= 0) return 0;
    done += (size_t)n;
  }
  return 1;
}

int main(void) {
  enum { kBatch = 4096 };
  static struct OracleRequest requests[kBatch];
  static struct OracleReply replies[kBatch];
  for (;;) {
    int count = read_all(requests, sizeof requests) / (int)sizeof requests[0];
    if (count == 0) return 0;
    for (int i = 0; i < count; i++) {
      if (requests[i].operation >= sizeof kExecute / sizeof kExecute[0]) return 2;
      kExecute[requests[i].operation](&requests[i], &replies[i]);
    }
    if (!write_all(replies, (size_t)count * sizeof replies[0])) return 1;
  }
}
