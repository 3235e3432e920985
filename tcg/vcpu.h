// tcg/vcpu.h: the run loop of one PE: finds or makes translated blocks and runs them, until the guest
// architecture says stop. Everything here belongs to the thread that calls run().
#pragma once
#include <memory>

#include "tcg/backend.h"
#include "tcg/block_cache.h"
#include "tcg/guest.h"
#include "tcg/jump_cache.h"
#include "tcg/opt/passes.h"

namespace sluice::tcg {

class Vcpu {
 public:
  enum class Accel : u8 { Interpreter, Jit };
  struct Options {
    Accel accel = Accel::Jit;
    bool icount = false;
    PassSet passes = PassSet::all();
    size_t code_bytes =
        size_t{64} << 20;  // of the JIT's code arena; when it is full, the oldest part is dropped
    u32 loop_heat = 1024;  // turns of a loop until it is translated as a region; 0: never
  };
  struct Counters {
    u64 blocks_translated = 0, insns_translated = 0, lookups = 0, fetches = 0, links = 0, code_flushes = 0,
        regions = 0, evictions = 0;
    // lookups: what the jump cache did not answer; fetches: of these, through the MMU.
  };
  static constexpr unsigned kMaxInsnsPerBlock = 128;

  // Falls back to the interpreter where the host has no back end (see jit_available).
  Vcpu(Guest& guest, ExecState& state, const Options& options);
  ~Vcpu();
  Vcpu(const Vcpu&) = delete;
  Vcpu& operator=(const Vcpu&) = delete;

  // Runs guest code from state.pc until Guest::attend() returns false.
  void run();

  // For translated code whose jump cache does not have state.pc: the code, or null when the run loop has to
  // look.
  const void* find_known() noexcept;

  // What follows may be called from inside helpers and Guest callbacks of this vCPU.
  // Translated code that overlaps the range is not entered any more.
  void invalidate_code(GuestRam& ram, u64 offset, u64 length);
  bool has_code_in_page(GuestRam& ram, u64 offset) const { return blocks_.has_code_in_page(&ram, offset); }
  void flush_all_code();
  // Blocks of the page are not left by links any more, but through the run loop, which may link them again.
  void unlink_page(GuestRam& ram, u64 offset);
  JumpCacheEntry* jump_cache_for(ContextKey context, u64 mode) {
    return jump_caches_.table_for(context, mode);
  }
  // The same for one that jump_cache_for has given, and how many have been given to another context since.
  void touch_jump_cache(const JumpCacheEntry* table) { jump_caches_.touch(table); }
  u64 jump_caches_recycled() const { return jump_caches_.recycled(); }
  // A fetch translation died: nothing in [va, va + size) of the matching contexts is entered without a new
  // fetch. Size 0: all addresses.
  void forget_fetch(u64 va, u64 size, ContextMatch contexts) { jump_caches_.forget(va, size, contexts); }

  const Counters& counters() const { return counters_; }
  bool has(Pass pass) const { return options_.passes.has(pass); }
  bool uses_jit() const { return backend_ != nullptr; }

 private:
  const void* find_code();
  TranslatedBlock* block_for(const FetchTarget& from);
  TranslatedBlock* region_for(const FetchTarget& from);
  TranslatedBlock* translate(const FetchTarget& from);
  void make_ir(const FetchTarget& from);
  void finish_ir();
  TranslatedBlock* compile(const FetchTarget& from);
  void run_uncached(const FetchTarget& from);
  void enter(const void* code);
  ChainSite* linkable_exit();
  TranslatedBlock* target_of(const ChainSite& site) const;
  void link(ChainSite& site, TranslatedBlock& target);
  void unlink(TranslatedBlock& block);
  void unlink_exits(TranslatedBlock& block);
  void settle();
  void evict();

  Guest& guest_;
  ExecState& state_;
  const Options options_;
  std::unique_ptr<Backend> backend_;  // null: the interpreter
  BlockCache blocks_;
  JumpCaches jump_caches_;
  ir::Block scratch_;  // of the block being translated
  bool flush_wanted_ = false, region_wanted_ = false, arena_full_ = false;
  Counters counters_;
};

}  // namespace sluice::tcg
