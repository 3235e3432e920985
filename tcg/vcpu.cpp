#include "tcg/vcpu.h"

#include <limits>
#include <utility>

#include "base/log.h"
#include "tcg/interp/interpreter.h"

namespace sluice::tcg {

Vcpu::Vcpu(Guest& guest, ExecState& state, const Options& options)
    : guest_(guest), state_(state), options_(options) {
  state_.vcpu = this;
  state_.guest = &guest;
  if (options.accel == Accel::Jit)
    backend_ = make_jit({.code_bytes = options.code_bytes,
                         .icount = options.icount,
                         .contexts = options.passes.has(Pass::Contexts),
                         .loop_heat = options.passes.has(Pass::Regions) ? options.loop_heat : 0});
}

Vcpu::~Vcpu() { state_.vcpu = nullptr; }

void Vcpu::run() {
  for (;;) {
    bool out_of_time = options_.icount && state_.icount_left <= 0;
    if (state_.leave || out_of_time || state_.attention.load(std::memory_order_acquire)) {
      state_.leave = 0;
      if (!guest_.attend()) break;
    }
    settle();
    const JumpCacheEntry& e = state_.jump_cache[jump_cache_index(state_.pc)];
    const bool known = e.pc == state_.pc && e.code && !region_wanted_;
    if (const void* code = known ? e.code : find_code()) enter(code);
  }
  settle();
}

// The exit through which translated code has come back, when it may be linked to the block of state.pc: that
// is in the same page and mode, so the owner's fetch translation is the target's.
ChainSite* Vcpu::linkable_exit() {
  auto* site = reinterpret_cast<ChainSite*>(state_.link_site);
  if (!site) return nullptr;
  bool may = !site->owner->removed && !site->linked_to && site->target_pc == state_.pc &&
             site->owner->fetch_mode == state_.mode && options_.passes.has(Pass::Links) && !flush_wanted_ &&
             !Log::on(LogTopic::Exec);
  if (may) return site;
  state_.link_site = 0;
  return nullptr;
}

TranslatedBlock* Vcpu::target_of(const ChainSite& site) const {
  const TranslatedBlock& from = *site.owner;
  return blocks_.find(from.ram, from.ram_offset + (site.target_pc - from.pc), site.target_pc, from.mode);
}

// Between blocks: links the exit that brought us here, frees what was dropped meanwhile. An exit whose target
// is not translated yet stays for find_code.
void Vcpu::settle() {
  if (state_.link_site & ChainSite::kHot) {
    state_.link_site &= ~ChainSite::kHot;
    auto* site = reinterpret_cast<ChainSite*>(state_.link_site);
    if (!site->owner->removed) {
      site->heat = std::numeric_limits<i32>::max();  // asks once
      region_wanted_ = site->target_pc == state_.pc && state_.mode == site->owner->fetch_mode;
    }
  }
  if (ChainSite* site = linkable_exit())
    if (TranslatedBlock* to = target_of(*site)) link(*site, *to);
  blocks_.release();
  if (arena_full_ && !flush_wanted_) evict();
  if (flush_wanted_) {
    flush_wanted_ = arena_full_ = false;
    jump_caches_.clear();
    blocks_.clear();
    if (backend_) backend_->reset();
    counters_.code_flushes++;
  }
}

// Blocks of the part of code memory that has not been written to for the longest time give way.
void Vcpu::evict() {
  arena_full_ = false;
  state_.link_site = 0;  // its owner may be among them
  size_t before = blocks_.size();
  blocks_.remove_segment(backend_->make_room(), [this](TranslatedBlock& block) { unlink(block); });
  blocks_.release();
  counters_.evictions += blocks_.size() < before;
}

// Everything that needs more than a look into our own tables is left to the run loop.
const void* Vcpu::find_known() noexcept {
  bool must_leave = flush_wanted_ || state_.leave || state_.attention.load(std::memory_order_relaxed) ||
                    state_.link_site & ChainSite::kHot;
  if (must_leave || Log::on(LogTopic::Exec)) return nullptr;
  if (ChainSite* site = linkable_exit()) {
    TranslatedBlock* to = target_of(*site);
    if (!to || to->isolated) return nullptr;
    link(*site, *to);
    return to->code;
  }
  const FetchedPage* page = jump_caches_.fetched(state_.jump_cache, state_.pc);
  if (!page) return nullptr;
  u64 offset = page->ram_offset + (state_.pc & kSoftPageMask);
  const void* code = blocks_.find_code(page->ram, offset, state_.pc, page->mode).code;
  if (!code) return nullptr;
  if (options_.passes.has(Pass::JumpCache)) jump_caches_.add(state_.jump_cache, state_.pc, code);
  counters_.lookups++;
  return code;
}

// A miss in the jump cache: the whole way through the MMU. Null when nothing is to be entered (a fault was
// taken, or the instruction has been executed already).
const void* Vcpu::find_code() {
  counters_.lookups++, counters_.fetches++;
  FetchTarget from = guest_.fetch(state_.pc);
  if (from.kind != FetchTarget::Kind::Host) region_wanted_ = false;
  if (from.kind == FetchTarget::Kind::Fault) {
    // Takes time too: virtual time must not stand still for a guest whose vectors cannot be fetched.
    if (options_.icount) state_.icount_left--;
    return nullptr;
  }
  if (from.kind == FetchTarget::Kind::Uncached) {
    run_uncached(from);
    return nullptr;
  }
  TranslatedBlock* block = std::exchange(region_wanted_, false) ? region_for(from) : block_for(from);
  if (!block) return nullptr;
  const void* code = backend_ ? block->code : block;
  // With -d exec every block goes through the run loop, which logs it.
  if (block->isolated || Log::on(LogTopic::Exec)) return code;
  const PassSet& passes = options_.passes;
  if (passes.has(Pass::FetchedPages))
    jump_caches_.add_page(state_.jump_cache, {state_.pc & ~kSoftPageMask, from.ram,
                                              from.ram_offset - (state_.pc & kSoftPageMask), from.mode});
  if (passes.has(Pass::JumpCache)) jump_caches_.add(state_.jump_cache, state_.pc, code);
  if (ChainSite* site = linkable_exit(); site && target_of(*site) == block) link(*site, *block);
  return code;
}

TranslatedBlock* Vcpu::block_for(const FetchTarget& from) {
  TranslatedBlock* found = blocks_.find(from.ram, from.ram_offset, state_.pc, from.mode);
  // A block that was made under a wider translation must not be used through a narrower one.
  if (found && (found->bytes > from.bytes || found->isolated == from.whole_page)) {
    invalidate_code(*from.ram, from.ram_offset, 4);
    found = nullptr;
  }
  return found ? found : translate(from);
}

void Vcpu::make_ir(const FetchTarget& from) {
  scratch_.clear();
  scratch_.pc = state_.pc;
  scratch_.mode = from.mode;
  guest_.translate(scratch_, from, kMaxInsnsPerBlock);
  counters_.blocks_translated++;
  counters_.insns_translated += scratch_.guest_insns;
  finish_ir();
}

void Vcpu::finish_ir() {
  scratch_.fp_inline &= options_.passes.has(Pass::InlineFp);
  if (Log::on(LogTopic::Op)) Log::line(LogTopic::Op, ir::print(scratch_));
  optimise(scratch_, options_.passes);
  if (Log::on(LogTopic::OpOpt)) Log::line(LogTopic::OpOpt, ir::print(scratch_));
#ifndef NDEBUG
  if (std::string wrong = ir::verify(scratch_); !wrong.empty()) {
    log_line(LogTopic::Unimp, "IR of %#llx: %s", (unsigned long long)scratch_.pc, wrong.c_str());
    __builtin_trap();
  }
#endif
}

TranslatedBlock* Vcpu::translate(const FetchTarget& from) {
  make_ir(from);
  TranslatedBlock* block = compile(from);
  if (block) blocks_.insert(block);
  return block;
}

// A block, not yet found by others, of the IR in scratch_. Null: there is no room for its code.
TranslatedBlock* Vcpu::compile(const FetchTarget& from) {
  TranslatedBlock* block = blocks_.make();
  block->pc = state_.pc;
  block->mode = from.mode;
  block->fetch_mode = state_.mode;
  block->ram = from.ram;
  block->ram_offset = from.ram_offset;
  block->bytes = scratch_.guest_bytes;
  block->bytes_before = scratch_.guest_bytes_before;
  block->is_region = scratch_.is_region;
  block->insns = scratch_.guest_insns;
  block->isolated = !from.whole_page;
  if (backend_) block->segment = backend_->segment();
  if (!backend_) {
    block->ir = scratch_.insts;
  } else if (!backend_->compile(scratch_, *block)) {
    blocks_.discard(block);
    arena_full_ = true;  // again at the next turn of the loop, with room for it
    return nullptr;
  } else if (Log::on(LogTopic::OutAsm)) {
    Log::line(LogTopic::OutAsm, backend_->disassemble_latest());
  }
  return block;
}

// The loop at state_.pc has become hot: a region takes the place of its block. Where that cannot be, the
// block stays.
TranslatedBlock* Vcpu::region_for(const FetchTarget& from) {
  TranslatedBlock* block = block_for(from);
  if (!block || block->is_region || block->no_region || block->isolated || !backend_) return block;
  block->no_region = true;
  scratch_.clear();
  scratch_.pc = state_.pc;
  scratch_.mode = from.mode;
  blocks_.entries_like(*block, scratch_.entries);
  if (!guest_.translate_region(scratch_, from)) return block;
  finish_ir();
  TranslatedBlock* region = compile(from);
  if (!region) return nullptr;
  counters_.regions++;
  blocks_.remove(*block);
  unlink(*block);
  blocks_.insert(region);
  return region;
}

void Vcpu::run_uncached(const FetchTarget& from) {
  FetchTarget one = from;
  one.host = reinterpret_cast<const u8*>(&one.word);
  one.bytes = 4;
  make_ir(one);
  interpret(state_, state_.pc, scratch_.guest_insns, scratch_.insts, options_.icount);
}

void Vcpu::enter(const void* code) {
  state_.link_site = 0;
  if (Log::on(LogTopic::Exec)) log_line(LogTopic::Exec, "pc=%016llx", (unsigned long long)state_.pc);
  if (backend_) return backend_->enter(state_, code);
  const auto& block = *static_cast<const TranslatedBlock*>(code);
  interpret(state_, block.pc, block.insns, block.ir, options_.icount);
}

void Vcpu::link(ChainSite& site, TranslatedBlock& target) {
  state_.link_site = 0;
  if (target.isolated) return;
  backend_->link(site, target.code);
  target.link(site);
  counters_.links++;
}

// Takes a block out of every path that leads to it.
void Vcpu::unlink(TranslatedBlock& block) {
  while (ChainSite* site = block.incoming) {
    backend_->unlink(*site);
    TranslatedBlock::unlink(*site);
  }
  for (ChainSite& site : block.sites)
    if (site.linked_to) TranslatedBlock::unlink(site);
  jump_caches_.forget_code(block.pc, backend_ ? block.code : &block);
}

void Vcpu::invalidate_code(GuestRam& ram, u64 offset, u64 length) {
  if (length == 0) return;
  blocks_.remove_overlapping(&ram, offset, length, [this](TranslatedBlock& block) {
    unlink(block);
    // It may be running, and go round in itself for long.
    if (block.is_region) state_.attention.fetch_or(Attention::kOther, std::memory_order_relaxed);
  });
}

void Vcpu::unlink_exits(TranslatedBlock& block) {
  for (ChainSite& site : block.sites) {
    if (!site.linked_to) continue;
    backend_->unlink(site);
    TranslatedBlock::unlink(site);
  }
}

void Vcpu::unlink_page(GuestRam& ram, u64 offset) {
  if (backend_) blocks_.for_each_in_page(&ram, offset, [this](TranslatedBlock& b) { unlink_exits(b); });
}

void Vcpu::flush_all_code() {
  flush_wanted_ = true;
  jump_caches_.clear();
  if (state_.in_translated_code && backend_)
    blocks_.for_each([this](TranslatedBlock& b) { unlink_exits(b); });
  state_.leave |= Leave::kToRunLoop;
}

}  // namespace sluice::tcg
