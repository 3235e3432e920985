/* tests/differential/fp_oracle/protocol.h: what the host test and the AArch64 oracle say to each other. C11
 * and C++. */
#ifndef SLUICE_TESTS_FP_ORACLE_PROTOCOL_H
#define SLUICE_TESTS_FP_ORACLE_PROTOCOL_H
#include <stdint.h>

struct OracleRequest {
  uint32_t operation; /* row of operations.inc */
  uint32_t fpcr;
  uint64_t a, b, c; /* D0, D1, D2; a is in X0 as well */
};

struct OracleReply {
  uint64_t v, x; /* D0 and X0 afterwards */
  uint32_t fpsr;
  uint32_t nzcv; /* in bits 31:28 */
};

#endif
