// devices/iommu/tz_mpc.h: TrustZone Memory Protection Controller (AHB5 TrustZone MPC), Arm CoreLink SIE-200
// System IP (DDI 0571), with the register summary of SSE-200 (101104) section 3.4.4.
// Each block of the protected memory is Secure or Non-secure (BLK_LUT bit 1 = Non-secure). A transaction
// whose security differs from its block's is blocked: Secure accesses to a Non-secure block are, too. Wiring:
// the object itself is the region in front of the memory (offsets into it reach `downstream` at the same
// address); as an MmioDevice it is the 4 KiB register frame, for Secure accesses only; mpc_irq out (level,
// active high).
//
// Reset values are those of SIE-200: CTRL 0x100 (auto-increment on) and INT_EN 1; the SSE-200 summary prints
// 0. The LUT has a value as soon as reset ends, so BLK_CFG[31] (initialisation in progress) is always 0.
#pragma once
#include <atomic>
#include <functional>
#include <vector>

#include "base/wire.h"
#include "devices/register_block.h"
#include "memory/address_space.h"
#include "memory/iommu_region.h"

namespace sluice {

class TzMpc final : public IommuRegion, public RegisterDevice<TzMpc> {
 public:
  static constexpr const char* kName = "tz-mpc";
  static constexpr u64 kFrameSize = 0x1000;
  static constexpr u64 kMinBlock = 32, kMaxBlock = u64{1} << 20;
  // Root counts as Secure and Realm as Non-secure: the bus has one bit for it (HNONSEC).
  enum Index : u64 { kSecure, kNonSecure };

  struct Config {
    u64 size = 0;  // of the protected memory in bytes; a multiple of block_size, at least one block
    u64 block_size = 0x1000;  // bytes; a power of two, 32 to 1 MiB
    // What INT_INFO2.HMASTER shows for an initiator.
    std::function<u16(Initiator)> hmaster = default_hmaster;
  };
  // PEs have their own number, devices 0x8000 + theirs, the loader 0x7ffe, a debugger 0x7fff.
  static u16 default_hmaster(Initiator initiator);
  static bool is_valid(const Config& config);

  // `config` is valid; `downstream` outlives this.
  TzMpc(std::string name, InvalidationHub& hub, const AddressSpace& downstream, Config config,
        IrqLine mpc_irq);

  // All blocks Secure, gate open, unlocked; holders of translations are told, and have acknowledged when this
  // (or the enclosing CompletionScope) ends.
  void reset() { reset(false); }
  // As after a reset and after firmware that has made every block Non-secure.
  void reset_opened() { reset(true); }
  static RegisterTable<TzMpc> registers();

  IommuIndex index_for(MemTxAttrs attrs) const override;
  IommuEntry translate(Iova input, Access access, IommuIndex index, MemTxAttrs attrs,
                       Intent intent) const override;
  u64 piece_size() const override { return block_size(); }
  MemTxResult refuse(Iova input, Access access, MemTxAttrs attrs, const IommuEntry& entry) override;

  // APB: 32 bits wide.
  AccessRules access_rules() const override { return {.valid_max = 4, .impl_min = 1, .impl_max = 4}; }
  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override;
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) override;

  u64 block_size() const { return u64{1} << block_shift_; }
  // Counts blocked transactions (not debug or prefetch), captured or not.
  u64 blocked() const { return blocked_.load(std::memory_order_relaxed); }
  // For `info iommu`.
  std::string report() const;

 private:
  enum Reason : u32 { kSecurityViolation = 1, kGated = 2 };

  void reset(bool non_secure);
  u64 words() const { return lut_.size(); }
  bool is_non_secure(u64 block) const;
  InclusiveRange run_around(u64 input) const;
  bool locked_down() const;
  bool writable(const char* name) const;
  void step_blk_idx();
  void close_gate();
  void update_interrupt() { irq_((int_stat_ & int_en_) != 0); }

  u32 read_ctrl() { return ctrl_; }
  void write_ctrl(RegWrite w);
  u32 read_blk_max() { return u32(words() - 1); }
  u32 read_blk_cfg() { return block_shift_ - 5; }
  u32 read_blk_idx() { return blk_idx_; }
  void write_blk_idx(RegWrite w);
  u32 read_blk_lut() { return lut_[blk_idx_].load(std::memory_order_relaxed); }
  void write_blk_lut(RegWrite w);
  u32 read_int_stat() { return int_stat_; }
  void write_int_clear(RegWrite w);
  u32 read_int_en() { return int_en_; }
  void write_int_en(RegWrite w);
  u32 read_int_info1() { return int_info1_; }
  u32 read_int_info2() { return int_info2_; }
  void write_int_set(RegWrite w);

  const AddressSpace& downstream_;
  const std::function<u16(Initiator)> hmaster_;
  const unsigned block_shift_;
  const u64 blocks_;
  const IrqLine irq_;
  // Read by any thread in translate(); written with the device's lock held.
  std::vector<std::atomic<u32>> lut_;
  std::atomic<bool> gated_{false};
  std::atomic<u64> blocked_{0};
  // Under the device's lock.
  u32 ctrl_ = 0, blk_idx_ = 0, int_stat_ = 0, int_en_ = 0, int_info1_ = 0, int_info2_ = 0;
  u64 gate_requests_ = 0;  // tells an old gate's acknowledge from that of the gate that is requested now
};

}  // namespace sluice
