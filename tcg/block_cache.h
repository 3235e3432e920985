// tcg/block_cache.h: the translated blocks of one vCPU, keyed by physical page and mode. Owned and used by
// the vCPU's thread alone, so nothing here locks (docs/decisions/002-private-code-caches.md).
#pragma once
#include <memory>
#include <vector>

#include "tcg/ir/block.h"
#include "tcg/soft_tlb.h"

namespace sluice {
class GuestRam;
}

namespace sluice::tcg {

struct TranslatedBlock;

// A patchable jump in a block's host code. Its address names it (ExecState::link_site), so it does not move.
struct ChainSite {
  TranslatedBlock* owner = nullptr;
  u64 target_pc = 0;
  u32 jump_offset = 0;      // of the jump's 32-bit displacement, from the start of the code arena
  u32 unlinked_offset = 0;  // where the jump goes when it is not linked, likewise
  TranslatedBlock* linked_to = nullptr;
  i32 heat = 0;  // turns of the loop that this is the way back of, until it asks for a region
  static constexpr u64 kHot = 1;                  // bit of ExecState::link_site: it asks
  ChainSite *before = nullptr, *after = nullptr;  // others that are linked to the same block
};

struct alignas(64) TranslatedBlock {
  // What a look-up reads, in one cache line.
  u64 pc = 0;
  u64 mode = 0;  // what it was translated for: the key
  GuestRam* ram = nullptr;
  u64 ram_offset = 0;
  const void* code = nullptr;  // JIT entry point
  u32 bytes = 0;
  bool removed = false;   // waits for BlockCache::release()
  bool isolated = false;  // a sub-page translation: never chained, never in a jump cache
  bool is_region = false;
  bool no_region = false;  // making a region from here has been tried in vain

  u64 fetch_mode = 0;  // ExecState::mode when it was made (without what the page adds)
  u32 insns = 0;
  u32 bytes_before = 0;  // of a region: code in front of pc that it covers as well
  u32 segment = 0;       // of code memory
  TranslatedBlock* next_in_page = nullptr;
  ChainSite* incoming = nullptr;  // sites of other blocks (or of this one) that are linked to this one
  std::vector<ChainSite> sites;
  std::vector<ir::Inst> ir;  // interpreter: the block itself

  void link(ChainSite& site) {
    site.linked_to = this;
    site.before = nullptr, site.after = incoming;
    if (incoming) incoming->before = &site;
    incoming = &site;
  }
  static void unlink(ChainSite& site) {
    (site.before ? site.before->after : site.linked_to->incoming) = site.after;
    if (site.after) site.after->before = site.before;
    site.linked_to = nullptr;
  }
};

class BlockCache {
 public:
  BlockCache();
  // `code` comes from the bucket itself: whoever needs no more than that does not wait for the block, which
  // is compared while it goes on already. Null: the block has none that may be entered from elsewhere.
  struct Found {
    TranslatedBlock* block = nullptr;
    const void* code = nullptr;
  };
  Found find_code(GuestRam* ram, u64 ram_offset, u64 pc, u64 mode) const {
    u64 h = hash(ram, ram_offset, pc, mode);
    for (u64 n = h >> 32;; n++) {
      const Bucket& at = buckets_[n & mask_];
      if (at.hash == kFree) return {};
      TranslatedBlock* b = at.block;
      if (at.hash == h && b->ram_offset == ram_offset && b->pc == pc && b->mode == mode && b->ram == ram)
        return {b, at.code};
    }
  }
  TranslatedBlock* find(GuestRam* ram, u64 ram_offset, u64 pc, u64 mode) const {
    return find_code(ram, ram_offset, pc, mode).block;
  }
  // An empty block, for insert() once its key fields and its code are set, or for discard().
  TranslatedBlock* make();
  void insert(TranslatedBlock* block);
  void discard(TranslatedBlock* block) {
    block->removed = true;
    spare_.push_back(block);
  }
  // Takes out the blocks that overlap [offset, offset + length) of `ram`; gone(block) for each. They stay
  // alive until release() (the one that runs now may be among them) but are not found any more.
  template <class F>
  void remove_overlapping(GuestRam* ram, u64 offset, u64 length, F&& gone) {
    u64 last = (offset + length - 1) >> kSoftPageBits;
    for (u64 n = offset >> kSoftPageBits; n <= last; n++) {
      if (!filter_[filter_index(ram, n)]) continue;
      Page* page = find_page(ram, n);
      if (!page) continue;
      for (TranslatedBlock** at = &page->blocks; *at;) {
        TranslatedBlock* b = *at;
        if (b->ram_offset - b->bytes_before >= offset + length || b->ram_offset + b->bytes <= offset) {
          at = &b->next_in_page;
          continue;
        }
        *at = b->next_in_page;
        take_from_bucket(b);
        gone(*b);
      }
      if (!page->blocks) filter_[filter_index(ram, n)]--;
    }
  }
  // The same for one block.
  void remove(TranslatedBlock& block);
  // The same for all blocks of one segment of code memory.
  template <class F>
  void remove_segment(unsigned segment, F&& gone) {
    if (segment >= in_segment_.size()) return;
    std::vector<TranslatedBlock*> blocks;
    blocks.swap(in_segment_[segment]);
    // Some have gone before; their memory may be another block's now.
    for (TranslatedBlock* b : blocks) {
      if (b->removed || b->segment != segment) continue;
      remove(*b);
      gone(*b);
    }
  }
  template <class F>
  void for_each(F&& visit) {
    for (const Bucket& bucket : buckets_)
      if (bucket.block) visit(*bucket.block);
  }
  template <class F>
  void for_each_in_page(GuestRam* ram, u64 offset, F&& visit) {
    Page* page = find_page(ram, offset >> kSoftPageBits);
    for (TranslatedBlock* b = page ? page->blocks : nullptr; b; b = b->next_in_page) visit(*b);
  }
  bool has_code_in_page(GuestRam* ram, u64 offset) const {
    u64 n = offset >> kSoftPageBits;
    return filter_[filter_index(ram, n)] && const_cast<BlockCache*>(this)->find_page(ram, n);
  }
  // The pcs of the blocks like `like`: of its page, at its virtual address, in its mode.
  void entries_like(const TranslatedBlock& like, std::vector<u64>& out) const;
  // Frees removed blocks; only with no translated code running.
  void release();
  void clear();
  size_t size() const { return count_; }

 private:
  // A page that has code, or had (blocks is null then).
  struct Page {
    GuestRam* ram = nullptr;
    u64 number = 0;
    TranslatedBlock* blocks = nullptr;
  };
  // Open addressing, at most half full: a look-up that fails touches no block.
  struct alignas(32) Bucket {
    u64 hash = kFree;
    TranslatedBlock* block = nullptr;
    const void* code = nullptr;
  };
  static constexpr u64 kFree = 0, kLeft = 1;  // never used; was used, so that the search goes on
  static u64 hash(GuestRam* ram, u64 ram_offset, u64 pc, u64 mode) {
    u64 h =
        ram_offset ^ (reinterpret_cast<u64>(ram) >> 4) ^ (mode * 0x9e3779b97f4a7c15ull) ^ (pc >> 12 << 32);
    h *= 0xff51afd7ed558ccdull;
    return (h ^ h >> 32) | 2;
  }
  static u64 page_hash(GuestRam* ram, u64 number) {
    return (((reinterpret_cast<u64>(ram) >> 4) ^ number) * 0x9e3779b97f4a7c15ull) >> 32;
  }
  static size_t filter_index(GuestRam* ram, u64 number) { return page_hash(ram, number) % kFilterSize; }
  // Of a page with code; null: it has none.
  Page* find_page(GuestRam* ram, u64 number) {
    for (u64 n = page_hash(ram, number);; n++) {
      Page& p = pages_[n & (pages_.size() - 1)];
      if (!p.ram) return nullptr;
      if (p.number == number && p.ram == ram) return p.blocks ? &p : nullptr;
    }
  }
  Page& page_for(GuestRam* ram, u64 number);
  void grow_pages();
  void put_into_bucket(TranslatedBlock* block);
  void take_from_bucket(TranslatedBlock* block);
  void grow();

  std::vector<Bucket> buckets_;
  u64 mask_ = 0;
  size_t count_ = 0, buckets_used_ = 0;
  std::vector<Page> pages_;  // open addressing; a quarter is free at least
  size_t pages_used_ = 0;
  // Pages with code, counted by hash: most pages have none, and that is known at once.
  static constexpr size_t kFilterSize = 8192;
  std::vector<u32> filter_ = std::vector<u32>(kFilterSize);
  // Where blocks live.
  static constexpr size_t kChunk = 64;
  std::vector<std::unique_ptr<TranslatedBlock[]>> chunks_;
  std::vector<TranslatedBlock*> spare_, removed_;
  std::vector<std::vector<TranslatedBlock*>> in_segment_;
};

}  // namespace sluice::tcg
