/* tests/differential/sequences/record.h: what the host test and the AArch64 oracle exchange: a piece of code
 * with the registers and memory it starts from, and what they are afterwards. C11 and C++. oracle.c has the
 * offsets. */
#ifndef SLUICE_TESTS_SEQUENCES_RECORD_H
#define SLUICE_TESTS_SEQUENCES_RECORD_H
#include <stdint.h>

enum {
  kSequenceBase = 0x10000000, /* of 4 MiB of memory, all rights */
  kSequenceSize = 4 << 20,
  kSequenceWindow = 0x10300c00, /* of the data: 2 KiB around a page boundary */
  kSequenceWindowBytes = 2048,
  kSequencePoolWords = 16, /* data in front of the code, for literal loads */
  kSequenceEntryWords = 2, /* then: ldr x30, [x0, #240]; ldr x0, [x0] (the oracle's way in) */
  kSequenceMaxWords = 256
};

struct SequenceRegisters {
  uint64_t x[31], sp;
  uint64_t v[32][2];
  uint64_t nzcv; /* in bits 31:28 */
  uint64_t fpcr, fpsr;
  uint64_t pc; /* afterwards */
};
struct SequenceCase {
  struct SequenceRegisters registers;
  uint64_t code; /* address of words[0] */
  uint64_t count;
  uint8_t window[kSequenceWindowBytes];
  uint32_t words[kSequenceMaxWords]; /* pool, entry, code; it ends at words[count] */
};
struct SequenceResult {
  struct SequenceRegisters registers;
  uint64_t signal; /* 0, or what the code raised */
  uint8_t window[kSequenceWindowBytes];
};

#endif
