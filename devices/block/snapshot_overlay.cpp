// devices/block/snapshot_overlay.cpp: copy-on-write in memory, in clusters of 64 KiB.
#include "devices/block/snapshot_overlay.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace sluice {
namespace {

// Cuts [offset, offset + length) at cluster boundaries: visit(cluster, offset inside it, bytes done, piece).
template <class Visit>
BlockStatus for_each_cluster(u64 offset, u64 length, Visit visit) {
  for (u64 done = 0; done < length;) {
    const u64 index = (offset + done) / SnapshotOverlay::kCluster,
              inside = (offset + done) % SnapshotOverlay::kCluster;
    const u64 piece = std::min(length - done, SnapshotOverlay::kCluster - inside);
    if (BlockStatus status = visit(index, inside, done, piece); status != BlockStatus::Ok) return status;
    done += piece;
  }
  return BlockStatus::Ok;
}

}  // namespace

SnapshotOverlay::SnapshotOverlay(std::unique_ptr<BlockBackend> base, u64 max_bytes)
    : base_(std::move(base)), max_bytes_(max_bytes) {}

// The last cluster may be cut off by the end of the disk.
u64 SnapshotOverlay::cluster_length(u64 index) const { return std::min(kCluster, size() - index * kCluster); }

BlockStatus SnapshotOverlay::read(u64 offset, std::span<u8> out) {
  return for_each_cluster(offset, out.size(), [&](u64 index, u64 inside, u64 done, u64 piece) {
    std::span<u8> part = out.subspan(done, piece);
    auto found = clusters_.find(index);
    if (found == clusters_.end()) return base_->read(offset + done, part);
    if (found->second)
      std::memcpy(part.data(), &found->second[inside], part.size());
    else
      std::fill(part.begin(), part.end(), u8{0});
    return BlockStatus::Ok;
  });
}

// The cluster's own bytes, copied from what it read as so far.
BlockStatus SnapshotOverlay::make_resident(u64 index, u8*& bytes) {
  auto found = clusters_.find(index);
  if (found != clusters_.end() && found->second) return bytes = found->second.get(), BlockStatus::Ok;
  if (resident_bytes() + kCluster > max_bytes_) return BlockStatus::NoSpace;
  Cluster fresh{new (std::nothrow) u8[kCluster]()};
  if (!fresh) return BlockStatus::NoSpace;
  if (found == clusters_.end()) {
    BlockStatus status = base_->read(index * kCluster, {fresh.get(), size_t(cluster_length(index))});
    if (status != BlockStatus::Ok) return status;
  }
  bytes = fresh.get();
  clusters_[index] = std::move(fresh);
  resident_++;
  return BlockStatus::Ok;
}

BlockStatus SnapshotOverlay::write(u64 offset, std::span<const u8> bytes) {
  return for_each_cluster(offset, bytes.size(), [&](u64 index, u64 inside, u64 done, u64 piece) {
    u8* cluster = nullptr;
    BlockStatus status = make_resident(index, cluster);
    if (status == BlockStatus::Ok) std::memcpy(cluster + inside, bytes.data() + done, piece);
    return status;
  });
}

BlockStatus SnapshotOverlay::discard(u64 offset, u64 length) {
  return write_zeroes(offset, length, Unmap::Allow);
}

BlockStatus SnapshotOverlay::write_zeroes(u64 offset, u64 length, Unmap) {
  return for_each_cluster(offset, length, [&](u64 index, u64 inside, u64, u64 piece) {
    if (inside == 0 && piece == cluster_length(index)) {
      Cluster& cluster = clusters_[index];
      if (cluster) resident_--;
      cluster.reset();
      return BlockStatus::Ok;
    }
    u8* cluster = nullptr;
    BlockStatus status = make_resident(index, cluster);
    if (status == BlockStatus::Ok) std::memset(cluster + inside, 0, piece);
    return status;
  });
}

}  // namespace sluice
