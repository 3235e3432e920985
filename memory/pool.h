// memory/pool.h: records named by small numbers, and a hash table threaded through them. For caches that a
// guest can fill: no allocation per record, stable addresses, and memory that is used again.
#pragma once
#include <memory>
#include <vector>

#include "base/types.h"

namespace sluice {

inline constexpr u32 kNil = ~u32{0};

// Record needs a member `u32 next`, which the pool uses while the record is free.
template <class Record>
class Pool {
 public:
  u32 take() {
    live_++;
    if (free_ != kNil) {
      u32 id = free_;
      free_ = (*this)[id].next;
      return id;
    }
    if (used_ % kChunk == 0) chunks_.push_back(std::make_unique<Record[]>(kChunk));
    return used_++;
  }
  void give_back(u32 id) {
    (*this)[id].next = free_;
    free_ = id;
    live_--;
  }
  Record& operator[](u32 id) { return chunks_[id / kChunk][id % kChunk]; }
  const Record& operator[](u32 id) const { return chunks_[id / kChunk][id % kChunk]; }
  u32 used() const { return used_; }  // ids that were ever taken: 0..used()-1
  u32 live() const { return live_; }

 private:
  static constexpr u32 kChunk = 1024;
  std::vector<std::unique_ptr<Record[]>> chunks_;
  u32 used_ = 0, live_ = 0, free_ = kNil;
};

// Chains of pool records. Record needs `u32 hash` (kept across the record's stay) and `u32 next`.
template <class Record>
class PoolHash {
 public:
  explicit PoolHash(Pool<Record>& pool) : pool_(pool), buckets_(64, kNil) {}
  void insert(u32 id, u32 hash) {
    if (++count_ > buckets_.size()) grow();
    pool_[id].hash = hash;
    link(id);
  }
  void erase(u32 id) {
    u32* at = &buckets_[pool_[id].hash & (buckets_.size() - 1)];
    while (*at != id) at = &pool_[*at].next;
    *at = pool_[id].next;
    count_--;
  }
  // The first record of this hash for which `matches` holds; kNil when there is none.
  template <class F>
  u32 find(u32 hash, F&& matches) const {
    for (u32 id = buckets_[hash & (buckets_.size() - 1)]; id != kNil; id = pool_[id].next)
      if (pool_[id].hash == hash && matches(pool_[id])) return id;
    return kNil;
  }

 private:
  void link(u32 id) {
    u32& bucket = buckets_[pool_[id].hash & (buckets_.size() - 1)];
    pool_[id].next = bucket;
    bucket = id;
  }
  void grow() {
    std::vector<u32> old(buckets_.size() * 2, kNil);
    old.swap(buckets_);
    for (u32 id : old) {
      while (id != kNil) {
        u32 next = pool_[id].next;
        link(id);
        id = next;
      }
    }
  }
  Pool<Record>& pool_;
  std::vector<u32> buckets_;
  size_t count_ = 0;
};

inline u32 mix_hash(u64 a, u64 b) {
  u64 h = (a ^ (b * 0x9e3779b97f4a7c15)) * 0xff51afd7ed558ccd;
  h ^= h >> 32;
  return u32((h * 0xc4ceb9fe1a85ec53) >> 32);
}

}  // namespace sluice
