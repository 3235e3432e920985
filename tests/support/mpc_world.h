// tests/support/mpc_world.h: RAM behind a TrustZone MPC, its register frame, and its interrupt.
#pragma once
#include "base/bits.h"
#include "devices/iommu/tz_mpc.h"
#include "tests/support/memory_world.h"

namespace sluice::test {

enum : u64 {
  MPC_CTRL = 0x00,
  MPC_BLK_MAX = 0x10,
  MPC_BLK_CFG = 0x14,
  MPC_BLK_IDX = 0x18,
  MPC_BLK_LUT = 0x1c,
  MPC_INT_STAT = 0x20,
  MPC_INT_CLEAR = 0x24,
  MPC_INT_EN = 0x28,
  MPC_INT_INFO1 = 0x2c,
  MPC_INT_INFO2 = 0x30,
  MPC_INT_SET = 0x34,
};
inline constexpr u32 kSecResp = 1 << 4, kGateRequest = 1 << 6, kGateAck = 1 << 7, kAutoIncrement = 1 << 8;
inline constexpr u32 kLockdown = 1u << 31;
inline constexpr MemTxAttrs kSecureDevice = MemTxAttrs::device(1, 0x18, PaSpace::Secure);

struct MpcWorld {
  InvalidationHub hub;
  Topology topology{hub};
  std::shared_ptr<GuestRam> ram;
  AddressSpace downstream;
  bool irq = false;
  std::shared_ptr<TzMpc> mpc;
  AddressSpace upstream;
  AddressSpace registers;

  explicit MpcWorld(u64 block_size = 0x1000, u64 size = u64{1} << 20)
      : MpcWorld(TzMpc::Config{.size = size, .block_size = block_size}) {}
  explicit MpcWorld(const TzMpc::Config& config)
      : ram(make_ram(std::max<u64>(config.size, kPage))),
        downstream(topology, "downstream", std::make_shared<RamRegion>("ram", ram)),
        mpc(std::make_shared<TzMpc>("mpc", hub, downstream, config,
                                    IrqLine([this](bool high) { irq = high; }))),
        upstream(topology, "upstream", mpc),
        registers(topology, "registers",
                  std::make_shared<MmioRegion>("mpc-regs", TzMpc::kFrameSize, *mpc, nullptr)) {}

  // The register frame, as Secure software reaches it.
  u32 r(u64 offset, unsigned size = 4, MemTxAttrs attrs = kSecure) {
    u64 value = 0;
    EXPECT_TRUE(registers.load({offset}, size, value, attrs).is_ok());
    return u32(value);
  }
  void w(u64 offset, u32 value, unsigned size = 4, MemTxAttrs attrs = kSecure) {
    EXPECT_TRUE(registers.store({offset}, size, value, attrs).is_ok());
  }
  u32 lut(u32 word) {
    w(MPC_BLK_IDX, word);
    return r(MPC_BLK_LUT);
  }
  void set_lut(u32 word, u32 value) {
    w(MPC_BLK_IDX, word);
    w(MPC_BLK_LUT, value);
  }
  // One block, leaving its neighbours as they are.
  void set_block(u64 block, bool non_secure) {
    u32 now = lut(u32(block / 32));
    set_lut(u32(block / 32), u32(deposit(now, unsigned(block % 32), 1, non_secure)));
  }
  MemTxResult load(u64 address, u64& value, MemTxAttrs attrs, unsigned size = 4) {
    return upstream.load({address}, size, value, attrs);
  }
  MemTxResult store(u64 address, u64 value, MemTxAttrs attrs, unsigned size = 4) {
    return upstream.store({address}, size, value, attrs);
  }
  void fill(u64 offset, u64 value) { std::memcpy(ram->host() + offset, &value, sizeof value); }
  u64 peek(u64 offset) {
    u64 value;
    std::memcpy(&value, ram->host() + offset, sizeof value);
    return value;
  }
};

}  // namespace sluice::test
