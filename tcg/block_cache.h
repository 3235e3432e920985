// tcg/block_cache.h: the translated blocks of one vCPU, keyed by physical page and mode. Owned and used by
// the vCPU's thread alone, so nothing here locks (docs/decisions/002-private-code-caches.md).
#pragma once
#include <memory>
#include <unordered_map>
#include <vector>

#include "tcg/ir/block.h"

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
  static constexpr u64 kHot = 1;  // bit of ExecState::link_site: it asks
};

struct TranslatedBlock {
  u64 pc = 0;
  u64 mode = 0;        // what it was translated for: the key
  u64 fetch_mode = 0;  // ExecState::mode then (without what the page adds)
  GuestRam* ram = nullptr;
  u64 ram_offset = 0;
  u32 bytes = 0;
  u32 bytes_before = 0;  // of a region: code in front of pc that it covers as well
  u32 insns = 0;
  bool removed = false;  // waits for BlockCache::release()
  bool is_region = false;
  bool no_region = false;      // making a region from here has been tried in vain
  bool isolated = false;       // a sub-page translation: never chained, never in a jump cache
  const void* code = nullptr;  // JIT entry point
  std::vector<ir::Inst> ir;    // interpreter: the block itself
  std::vector<ChainSite> sites;
  std::vector<ChainSite*> incoming;  // sites of other blocks (or of this one) that are linked to this one
  TranslatedBlock* next_in_bucket = nullptr;
};

class BlockCache {
 public:
  BlockCache();
  TranslatedBlock* find(GuestRam* ram, u64 ram_offset, u64 pc, u64 mode) const;
  // Takes ownership; the block's key fields are set.
  TranslatedBlock* insert(std::unique_ptr<TranslatedBlock> block);
  // Blocks that overlap [offset, offset + length) of `ram`. They stay alive until release() (the one that
  // runs now may be among them) but are not found any more.
  std::vector<TranslatedBlock*> remove_overlapping(GuestRam* ram, u64 offset, u64 length);
  // The same for one block.
  void remove(TranslatedBlock& block);
  bool has_code_in_page(GuestRam* ram, u64 offset) const;
  // The pcs of the blocks like `like`: of its page, at its virtual address, in its mode.
  void entries_like(const TranslatedBlock& like, std::vector<u64>& out) const;
  // Frees removed blocks; only with no translated code running.
  void release() { removed_.clear(); }
  void clear();
  size_t size() const { return count_; }

 private:
  struct PageKey {
    GuestRam* ram;
    u64 page;
    bool operator==(const PageKey&) const = default;
  };
  struct PageHash {
    size_t operator()(const PageKey& k) const {
      return ((reinterpret_cast<size_t>(k.ram) >> 4) ^ k.page) * 0x9e3779b97f4a7c15ull;
    }
  };
  static u64 hash(GuestRam* ram, u64 ram_offset, u64 pc, u64 mode);
  static size_t filter_index(GuestRam* ram, u64 page) {
    return (PageHash{}({ram, page}) >> 40) % kFilterSize;
  }
  void grow();
  void take_out(std::vector<std::unique_ptr<TranslatedBlock>>& blocks, size_t i);

  std::vector<TranslatedBlock*> buckets_;
  std::unordered_map<PageKey, std::vector<std::unique_ptr<TranslatedBlock>>, PageHash> pages_;
  std::vector<std::unique_ptr<TranslatedBlock>> removed_;
  // Pages with code, counted by hash: most pages have none, and that is known at once.
  static constexpr size_t kFilterSize = 8192;
  std::vector<u32> filter_ = std::vector<u32>(kFilterSize);
  size_t count_ = 0;
};

}  // namespace sluice::tcg
