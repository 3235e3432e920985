#include "tcg/block_cache.h"

#include "tcg/soft_tlb.h"

namespace sluice::tcg {

BlockCache::BlockCache() : buckets_(1 << 12) {}

u64 BlockCache::hash(GuestRam* ram, u64 ram_offset, u64 pc, u64 mode) {
  u64 h = ram_offset ^ (reinterpret_cast<u64>(ram) >> 4) ^ (mode * 0x9e3779b97f4a7c15ull) ^ (pc >> 12 << 7);
  return (h * 0xff51afd7ed558ccdull) >> 32;
}

TranslatedBlock* BlockCache::find(GuestRam* ram, u64 ram_offset, u64 pc, u64 mode) const {
  TranslatedBlock* b = buckets_[hash(ram, ram_offset, pc, mode) & (buckets_.size() - 1)];
  while (b && !(b->ram_offset == ram_offset && b->pc == pc && b->mode == mode && b->ram == ram))
    b = b->next_in_bucket;
  return b;
}

TranslatedBlock* BlockCache::insert(std::unique_ptr<TranslatedBlock> block) {
  if (count_ >= buckets_.size()) grow();
  TranslatedBlock* b = block.get();
  auto& bucket = buckets_[hash(b->ram, b->ram_offset, b->pc, b->mode) & (buckets_.size() - 1)];
  b->next_in_bucket = bucket;
  bucket = b;
  u64 page = b->ram_offset >> kSoftPageBits;
  auto& in_page = pages_[{b->ram, page}];
  if (in_page.empty()) filter_[filter_index(b->ram, page)]++;
  in_page.push_back(std::move(block));
  count_++;
  return b;
}

void BlockCache::grow() {
  std::vector<TranslatedBlock*> old(buckets_.size() * 4);
  old.swap(buckets_);
  for (TranslatedBlock* b : old)
    while (b) {
      TranslatedBlock* next = b->next_in_bucket;
      auto& bucket = buckets_[hash(b->ram, b->ram_offset, b->pc, b->mode) & (buckets_.size() - 1)];
      b->next_in_bucket = bucket;
      bucket = b;
      b = next;
    }
}

// `blocks` are those of its page.
void BlockCache::take_out(std::vector<std::unique_ptr<TranslatedBlock>>& blocks, size_t i) {
  TranslatedBlock* b = blocks[i].get();
  TranslatedBlock** at = &buckets_[hash(b->ram, b->ram_offset, b->pc, b->mode) & (buckets_.size() - 1)];
  while (*at != b) at = &(*at)->next_in_bucket;
  *at = b->next_in_bucket;
  b->removed = true;
  removed_.push_back(std::move(blocks[i]));
  blocks[i] = std::move(blocks.back());
  blocks.pop_back();
  count_--;
}

void BlockCache::remove(TranslatedBlock& block) {
  u64 page = block.ram_offset >> kSoftPageBits;
  auto found = pages_.find({block.ram, page});
  auto& blocks = found->second;
  for (size_t i = 0; i < blocks.size(); i++)
    if (blocks[i].get() == &block) {
      take_out(blocks, i);
      break;
    }
  if (!blocks.empty()) return;
  filter_[filter_index(block.ram, page)]--;
  pages_.erase(found);
}

std::vector<TranslatedBlock*> BlockCache::remove_overlapping(GuestRam* ram, u64 offset, u64 length) {
  std::vector<TranslatedBlock*> gone;
  u64 last_page = (offset + length - 1) >> kSoftPageBits;
  for (u64 page = offset >> kSoftPageBits; page <= last_page; page++) {
    auto found = pages_.find({ram, page});
    if (found == pages_.end()) continue;
    auto& blocks = found->second;
    for (size_t i = 0; i < blocks.size();) {
      TranslatedBlock* b = blocks[i].get();
      if (b->ram_offset - b->bytes_before >= offset + length || b->ram_offset + b->bytes <= offset) {
        i++;
        continue;
      }
      gone.push_back(b);
      take_out(blocks, i);
    }
    if (blocks.empty()) {
      filter_[filter_index(ram, page)]--;
      pages_.erase(found);
    }
  }
  return gone;
}

bool BlockCache::has_code_in_page(GuestRam* ram, u64 offset) const {
  u64 page = offset >> kSoftPageBits;
  return filter_[filter_index(ram, page)] && pages_.contains({ram, page});
}

void BlockCache::entries_like(const TranslatedBlock& like, std::vector<u64>& out) const {
  auto found = pages_.find({like.ram, like.ram_offset >> kSoftPageBits});
  if (found == pages_.end()) return;
  for (const auto& b : found->second)
    if (b->mode == like.mode && (b->pc ^ like.pc) >> kSoftPageBits == 0) out.push_back(b->pc);
}

void BlockCache::clear() {
  pages_.clear(), removed_.clear();
  buckets_.assign(1 << 12, nullptr);
  filter_.assign(kFilterSize, 0);
  count_ = 0;
}

}  // namespace sluice::tcg
