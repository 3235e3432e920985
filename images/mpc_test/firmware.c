// images/mpc_test/firmware.c: EL3 in front of a TrustZone MPC (-M virt,secure=on,mpc=on): what the Non-secure
// state may read changes with the MPC's table, at once, whatever the PE has cached. Register names: Arm DDI
// 0571.
#include "lib/arm.h"
#include "lib/console.h"
#include "lib/semihosting.h"

enum { kMpc = 0x0b000000, kCtrl = 0x00, kBlkCfg = 0x14, kBlkIdx = 0x18, kBlkLut = 0x1c, kIntStat = 0x20 };
enum { kRam = 0x40000000, kCode = kRam + 0x100000, kData = kRam + 0x300000, kRounds = 500 };
enum { kSecResp = 1 << 4, kScrNs = 1, kScrEa = 8, kScrRw = 1 << 10 };

u64 non_secure_load(u64 address);
extern u32 payload[], payload_end[];
u64 payload_address = kCode;
static u64 checks, failures;

static void check_equal(const char* what, u64 value, u64 expected) {
  checks++;
  if (value == expected) return;
  failures++;
  print("FAIL %s: 0x%lx, expected 0x%lx\n", what, value, expected);
}

_Noreturn void broken(void) {
  print("exception at EL3, ESR 0x%lx, ELR 0x%lx\n", READ_SYSREG(esr_el3), READ_SYSREG(elr_el3));
  semihosting_exit(3);
}

static void set_block(u64 address, bool non_secure) {
  u64 block = (address - kRam) >> ((read32(kMpc + kBlkCfg) & 15) + 5);
  write32(kMpc + kBlkIdx, (u32)(block / 32));
  u32 word = read32(kMpc + kBlkLut), bit = 1u << block % 32;
  write32(kMpc + kBlkLut, non_secure ? word | bit : word & ~bit);
}

_Noreturn void firmware_main(void) {
  write32(kMpc + kCtrl, 0);  // no auto-increment; what is blocked reads as zero
  WRITE_SYSREG(scr_el3, kScrRw | kScrEa | kScrNs);
  isb();
  set_block(kCode, false), set_block(kData, false);
  for (u32* p = payload; p < payload_end; p++) write32(kCode + (u64)(p - payload) * 4, *p);
  write64(kData, 0x600d);
  __asm__ volatile("dsb sy\n\tic iallu\n\tdsb sy\n\tisb" ::: "memory");
  set_block(kCode, true);
  check_equal("Secure block, read by NS", non_secure_load(kData), 0);
  set_block(kData, true);
  check_equal("Non-secure block, read by NS", non_secure_load(kData), 0x600d);
  check_equal("Non-secure block, read by S", read64(kData), 0);
  u64 wrong = 0;
  for (u64 n = 0; n < kRounds; n++) {
    set_block(kData, n & 1);
    wrong += non_secure_load(kData) != (n & 1 ? 0x600d : 0);
    wrong += read64(kData) != (n & 1 ? 0 : 0x600d);
  }
  check_equal("flips that somebody did not see", wrong, 0);
  // With bus errors an external abort, which SCR_EL3.EA brings here.
  write32(kMpc + kCtrl, kSecResp);
  set_block(kData, false);
  check_equal("blocked load", non_secure_load(kData), ~0ull);
  check_equal("its syndrome", READ_SYSREG(esr_el3) & ~0x1c00000ull, 0x24ull << 26 | 1 << 25 | 0x10);
  check_equal("its address", READ_SYSREG(far_el3), kData);
  check_equal("interrupt pending", read32(kMpc + kIntStat), 1);
  print("mpc_test: %lu checks, %lu failures\n", checks, failures);
  semihosting_exit(failures ? 1 : 0);
}
