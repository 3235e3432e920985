// devices/block/snapshot_overlay.h: copy-on-write in memory over a disk that is never written (-snapshot).
#pragma once
#include <memory>
#include <unordered_map>

#include "devices/block/backend.h"

namespace sluice {

class SnapshotOverlay final : public BlockBackend {
 public:
  static constexpr u64 kCluster = 64 * 1024;
  // At most `max_bytes` of changed clusters are kept; more is NoSpace.
  explicit SnapshotOverlay(std::unique_ptr<BlockBackend> base, u64 max_bytes = ~u64{0});

  u64 size() const override { return base_->size(); }
  bool read_only() const override { return false; }
  std::string name() const override { return base_->name(); }
  BlockStatus read(u64 offset, std::span<u8> out) override;
  BlockStatus write(u64 offset, std::span<const u8> bytes) override;
  BlockStatus flush() override { return BlockStatus::Ok; }
  BlockStatus discard(u64 offset, u64 length) override;
  BlockStatus write_zeroes(u64 offset, u64 length, Unmap unmap) override;
  // Bytes of memory that hold changed clusters.
  u64 resident_bytes() const { return resident_ * kCluster; }

 private:
  // What became of a cluster of the base: without an entry it is unchanged, a null one reads as zeroes.
  using Cluster = std::unique_ptr<u8[]>;
  u64 cluster_length(u64 index) const;
  BlockStatus make_resident(u64 index, u8*& bytes);

  std::unique_ptr<BlockBackend> base_;
  const u64 max_bytes_;
  u64 resident_ = 0;
  std::unordered_map<u64, Cluster> clusters_;
};

}  // namespace sluice
