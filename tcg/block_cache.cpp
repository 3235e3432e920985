#include "tcg/block_cache.h"

namespace sluice::tcg {
namespace {

constexpr size_t kFirstBuckets = 1 << 13, kFirstPages = 1 << 10;

}  // namespace

BlockCache::BlockCache() { clear(); }

TranslatedBlock* BlockCache::make() {
  if (spare_.empty()) {
    chunks_.push_back(std::make_unique<TranslatedBlock[]>(kChunk));
    for (size_t n = kChunk; n-- > 0;) spare_.push_back(&chunks_.back()[n]);
  }
  TranslatedBlock* b = spare_.back();
  spare_.pop_back();
  *b = TranslatedBlock{};
  return b;
}

void BlockCache::insert(TranslatedBlock* b) {
  count_++;
  if ((buckets_used_ + 1) * 2 > buckets_.size()) grow();
  put_into_bucket(b);
  u64 number = b->ram_offset >> kSoftPageBits;
  Page& page = page_for(b->ram, number);
  if (!page.blocks) filter_[filter_index(b->ram, number)]++;
  b->next_in_page = page.blocks;
  page.blocks = b;
  if (b->segment >= in_segment_.size()) in_segment_.resize(b->segment + 1);
  in_segment_[b->segment].push_back(b);
}

void BlockCache::put_into_bucket(TranslatedBlock* b) {
  u64 h = hash(b->ram, b->ram_offset, b->pc, b->mode), n = h >> 32;
  while (buckets_[n & mask_].block) n++;
  if (buckets_[n & mask_].hash == kFree) buckets_used_++;
  buckets_[n & mask_] = {h, b, b->isolated ? nullptr : b->code};
}

void BlockCache::grow() {
  size_t size = kFirstBuckets;
  while (size < count_ * 4) size *= 2;
  std::vector<Bucket> old(size);
  old.swap(buckets_);
  mask_ = size - 1;
  buckets_used_ = 0;
  for (const Bucket& bucket : old)
    if (bucket.block) put_into_bucket(bucket.block);
}

BlockCache::Page& BlockCache::page_for(GuestRam* ram, u64 number) {
  if ((pages_used_ + 1) * 4 > pages_.size() * 3) grow_pages();
  for (u64 n = page_hash(ram, number);; n++) {
    Page& p = pages_[n & (pages_.size() - 1)];
    if (p.number == number && p.ram == ram) return p;
    if (p.ram) continue;
    p = {ram, number, nullptr};
    pages_used_++;
    return p;
  }
}

// Pages that have lost their code are left out.
void BlockCache::grow_pages() {
  size_t live = 0;
  for (const Page& p : pages_) live += p.blocks != nullptr;
  size_t size = kFirstPages;
  while (size < live * 4) size *= 2;
  std::vector<Page> old(size);
  old.swap(pages_);
  pages_used_ = live;
  for (const Page& p : old) {
    if (!p.blocks) continue;
    u64 n = page_hash(p.ram, p.number);
    while (pages_[n & (size - 1)].ram) n++;
    pages_[n & (size - 1)] = p;
  }
}

void BlockCache::take_from_bucket(TranslatedBlock* b) {
  u64 n = hash(b->ram, b->ram_offset, b->pc, b->mode) >> 32;
  while (buckets_[n & mask_].block != b) n++;
  buckets_[n & mask_] = {kLeft, nullptr, nullptr};
  // Before a bucket that was never used no search has to go on: code that changes all the time leaves no
  // trail.
  if (buckets_[(n + 1) & mask_].hash == kFree)
    for (; buckets_[n & mask_].hash == kLeft; n--) buckets_[n & mask_].hash = kFree, buckets_used_--;
  b->removed = true;
  removed_.push_back(b);
  count_--;
}

void BlockCache::remove(TranslatedBlock& block) {
  u64 number = block.ram_offset >> kSoftPageBits;
  Page& page = *find_page(block.ram, number);
  TranslatedBlock** at = &page.blocks;
  while (*at != &block) at = &(*at)->next_in_page;
  *at = block.next_in_page;
  if (!page.blocks) filter_[filter_index(block.ram, number)]--;
  take_from_bucket(&block);
}

void BlockCache::release() {
  spare_.insert(spare_.end(), removed_.begin(), removed_.end());
  removed_.clear();
}

void BlockCache::entries_like(const TranslatedBlock& like, std::vector<u64>& out) const {
  const Page* page = const_cast<BlockCache*>(this)->find_page(like.ram, like.ram_offset >> kSoftPageBits);
  for (const TranslatedBlock* b = page ? page->blocks : nullptr; b; b = b->next_in_page)
    if (b->mode == like.mode && (b->pc ^ like.pc) >> kSoftPageBits == 0) out.push_back(b->pc);
}

void BlockCache::clear() {
  buckets_.assign(kFirstBuckets, {});
  mask_ = kFirstBuckets - 1;
  pages_.assign(kFirstPages, {});
  filter_.assign(kFilterSize, 0);
  spare_.clear(), removed_.clear(), in_segment_.clear(), chunks_.clear();
  count_ = buckets_used_ = pages_used_ = 0;
}

}  // namespace sluice::tcg
