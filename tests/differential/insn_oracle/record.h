/* tests/differential/insn_oracle/record.h: the registers before or after one instruction, as the host test
 * and the AArch64 oracle exchange them. C11 and C++. oracle.c has the offsets. */
#ifndef SLUICE_TESTS_INSN_ORACLE_RECORD_H
#define SLUICE_TESTS_INSN_ORACLE_RECORD_H
#include <stdint.h>

struct InsnRecord {
  uint64_t x[31], sp;
  uint64_t v[32][2];
  uint64_t nzcv; /* in bits 31:28 */
  uint64_t fpcr, fpsr;
  uint64_t word; /* request: the instruction; reply: 0, or the signal that it raised */
};

#endif
