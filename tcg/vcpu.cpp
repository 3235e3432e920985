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
    backend_ = make_jit({options.code_bytes, options.icount, options.loop_heat});
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

// Between blocks: links the exit that brought us here, frees what was dropped meanwhile.
void Vcpu::settle() {
  const u64 exit = std::exchange(state_.link_site, 0);
  if (auto* site = reinterpret_cast<ChainSite*>(exit & ~ChainSite::kHot); site && !site->owner->removed) {
    if (exit & ChainSite::kHot) {
      site->heat = std::numeric_limits<i32>::max();  // asks once
      region_wanted_ = site->target_pc == state_.pc && state_.mode == site->owner->fetch_mode;
    }
    // The site's target is in the same page and mode, so the owner's fetch translation is the target's.
    const TranslatedBlock& from = *site->owner;
    if (!flush_wanted_ && !Log::on(LogTopic::Exec) && site->target_pc == state_.pc &&
        state_.mode == from.fetch_mode && !site->linked_to) {
      u64 offset = from.ram_offset + (site->target_pc - from.pc);
      if (TranslatedBlock* to = blocks_.find(from.ram, offset, site->target_pc, from.mode);
          to && !to->isolated)
        link(*site, *to);
    }
  }
  blocks_.release();
  if (flush_wanted_) {
    flush_wanted_ = false;
    jump_caches_.clear();
    blocks_.clear();
    if (backend_) backend_->reset();
    counters_.code_flushes++;
  }
}

// A miss in the jump cache: the whole way through the MMU. Null when nothing is to be entered (a fault was
// taken, or the instruction has been executed already).
const void* Vcpu::find_code() {
  counters_.lookups++;
  FetchTarget from = guest_.fetch(state_.pc);
  counters_.fetches++;
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
  if (!block->isolated && !Log::on(LogTopic::Exec))
    state_.jump_cache[jump_cache_index(state_.pc)] = {state_.pc, code};
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

std::unique_ptr<TranslatedBlock> Vcpu::make_block(const FetchTarget& from) {
  scratch_.clear();
  scratch_.pc = state_.pc;
  scratch_.mode = from.mode;
  guest_.translate(scratch_, from, kMaxInsnsPerBlock);
  counters_.blocks_translated++;
  counters_.insns_translated += scratch_.guest_insns;
  finish_ir();
  return describe_block(from);
}

void Vcpu::finish_ir() {
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

std::unique_ptr<TranslatedBlock> Vcpu::describe_block(const FetchTarget& from) const {
  auto block = std::make_unique<TranslatedBlock>();
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
  return block;
}

TranslatedBlock* Vcpu::translate(const FetchTarget& from) {
  std::unique_ptr<TranslatedBlock> block = make_block(from);
  if (!backend_) {
    block->ir = scratch_.insts;
  } else if (!backend_->compile(scratch_, *block)) {
    flush_wanted_ = true;  // the arena is full: start over with an empty one at the next turn of the loop
    return nullptr;
  } else if (Log::on(LogTopic::OutAsm)) {
    Log::line(LogTopic::OutAsm, backend_->disassemble_latest());
  }
  return blocks_.insert(std::move(block));
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
  std::unique_ptr<TranslatedBlock> region = describe_block(from);
  if (!backend_->compile(scratch_, *region)) {
    flush_wanted_ = true;
    return nullptr;
  }
  if (Log::on(LogTopic::OutAsm)) Log::line(LogTopic::OutAsm, backend_->disassemble_latest());
  counters_.regions++;
  blocks_.remove(*block);
  unlink(*block);
  return blocks_.insert(std::move(region));
}

void Vcpu::run_uncached(const FetchTarget& from) {
  FetchTarget one = from;
  one.host = reinterpret_cast<const u8*>(&one.word);
  one.bytes = 4;
  std::unique_ptr<TranslatedBlock> block = make_block(one);
  interpret(state_, block->pc, block->insns, scratch_.insts, options_.icount);
}

void Vcpu::enter(const void* code) {
  if (Log::on(LogTopic::Exec)) log_line(LogTopic::Exec, "pc=%016llx", (unsigned long long)state_.pc);
  if (backend_) return backend_->enter(state_, code);
  const auto& block = *static_cast<const TranslatedBlock*>(code);
  interpret(state_, block.pc, block.insns, block.ir, options_.icount);
}

void Vcpu::link(ChainSite& site, TranslatedBlock& target) {
  backend_->link(site, target.code);
  site.linked_to = &target;
  target.incoming.push_back(&site);
  counters_.links++;
}

// Takes a block out of every path that leads to it.
void Vcpu::unlink(TranslatedBlock& block) {
  for (ChainSite* site : block.incoming) {
    backend_->unlink(*site);
    site->linked_to = nullptr;
  }
  block.incoming.clear();
  for (ChainSite& site : block.sites)
    if (site.linked_to) {
      std::erase(site.linked_to->incoming, &site);
      site.linked_to = nullptr;
    }
  jump_caches_.forget_code(block.pc, backend_ ? block.code : &block);
}

void Vcpu::invalidate_code(GuestRam& ram, u64 offset, u64 length) {
  if (length == 0) return;
  for (TranslatedBlock* block : blocks_.remove_overlapping(&ram, offset, length)) {
    unlink(*block);
    // It may be running, and go round in itself for long.
    if (block->is_region) state_.attention.store(1, std::memory_order_relaxed);
  }
}

void Vcpu::flush_all_code() {
  flush_wanted_ = true;
  jump_caches_.clear();
  state_.leave = 1;
}

}  // namespace sluice::tcg
