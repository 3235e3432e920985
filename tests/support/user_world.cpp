#include "tests/support/user_world.h"

#include <cstring>

#include "base/bits.h"
#include "cpu/a64/translate_block.h"
#include "cpu/mode.h"
#include "cpu/sysreg/fp_control.h"

namespace sluice::test {
namespace {

constexpr u64 kParent = 1;  // of every soft TLB slot: nothing is ever unmapped

const cpu::a64::Decoder& user_decoder() {
  static const cpu::a64::Decoder decoder(user_features());
  return decoder;
}

u64 fpcr_mode(u32 fpcr) {
  return extract(fpcr, 22, 2) | extract(fpcr, 24, 1) << 2 | extract(fpcr, 25, 1) << 3 |
         extract(fpcr, 19, 1) << 4 | extract(fpcr, 26, 1) << 5;
}

}  // namespace

cpu::FeatureSet user_features() {
  using cpu::Feature;
  return {Feature::AES,  Feature::PMULL, Feature::SHA1,    Feature::SHA256,  Feature::CRC32, Feature::LSE,
          Feature::RDM,  Feature::FP16,  Feature::DotProd, Feature::FHM,     Feature::SHA3,  Feature::SHA512,
          Feature::SM3,  Feature::SM4,   Feature::LRCPC,   Feature::LRCPC2,  Feature::LOR,   Feature::JSCVT,
          Feature::FCMA, Feature::FlagM, Feature::FlagM2,  Feature::FRINTTS, Feature::I8MM,  Feature::SB};
}

UserWorld::UserWorld(const Options& options)
    : icount_(options.icount),
      ram_(*GuestRam::create("user", kSize)),
      state_(std::make_unique<cpu::PeState>()),
      vcpu_(std::make_unique<tcg::Vcpu>(*this, *state_,
                                        tcg::Vcpu::Options{options.accel, options.icount, options.passes,
                                                           options.code_bytes, options.loop_heat})) {
  state_->el = 0, state_->sp_sel = 0;
  state_->bank = state_->unprivileged_bank = soft_tlb_.bank_for(0);
  set_fp(0, 0);
}
UserWorld::~UserWorld() = default;

void UserWorld::put(u64 va, std::span<const u32> words) {
  std::memcpy(host(va), words.data(), words.size_bytes());
  // The word behind, too: it is where run() often is to stop, and what is translated is not fetched again.
  vcpu_->invalidate_code(*ram_, va - kBase, words.size_bytes() + 4);
}

void UserWorld::set_fp(u32 fpcr, u32 fpsr) {
  state_->fpcr = fpcr;
  cpu::fp_control_changed(*state_);
  cpu::set_fp_status(*state_, fpsr);
  cpu::Mode mode;
  mode.set<cpu::Mode::El>(0);
  mode.set<cpu::Mode::FpcrMode>(fpcr_mode(fpcr));
  mode.set<cpu::Mode::Icount>(icount_);
  mode.set<cpu::Mode::ZeroBlocks>(1);
  state_->mode = mode.word;
  state_->jump_cache = vcpu_->jump_cache_for(0, mode.word);
}
u32 UserWorld::fpsr() { return cpu::fp_status(*state_); }

UserWorld::End UserWorld::run(u64 stop_pc) {
  stop_pc_ = stop_pc;
  ended_ = false;
  state_->leave = 0;
  vcpu_->run();
  return end_;
}

void UserWorld::stop() {
  stop_wanted_.store(true);
  state_->attention.store(1);
}

tcg::FetchTarget UserWorld::fetch(u64 pc) noexcept {
  tcg::FetchTarget t;
  if (pc == stop_pc_ || !contains(pc, 4) || (pc & 3)) {
    end(End::Arrived);
    return t;
  }
  t.kind = tcg::FetchTarget::Kind::Host;
  t.whole_page = true;
  t.ram = ram_.get();
  t.ram_offset = pc - kBase;
  t.host = host(pc);
  t.bytes = u32(GuestRam::kPage - (pc & (GuestRam::kPage - 1)));
  if (stop_pc_ > pc && stop_pc_ - pc < t.bytes) t.bytes = u32(stop_pc_ - pc);
  t.mode = state_->mode;
  ram_->mark_code(t.ram_offset / GuestRam::kPage);
  soft_tlb_.protect_host_page(t.host - t.ram_offset % GuestRam::kPage);
  return t;
}

bool UserWorld::translate_region(tcg::ir::Block& region, const tcg::FetchTarget& from) noexcept {
  return cpu::a64::translate_region(region, user_decoder(), user_features(), {from.host, from.bytes});
}

void UserWorld::translate(tcg::ir::Block& block, const tcg::FetchTarget& from, unsigned max_insns) noexcept {
  cpu::a64::translate_block(block, user_decoder(), user_features(), {from.host, from.bytes}, max_insns);
}

tcg::DataTarget UserWorld::access(u64 va, unsigned size, Access access, tcg::ir::MemOp) noexcept {
  if (log) log->push_back({va, size, access != Access::Read});
  if (!contains(va, size)) {
    fault_address_ = va;
    end(End::DataFault);
    return {};
  }
  bool code = ram_->has_code(va - kBase);
  if (code && access != Access::Read) code_written(*ram_, va - kBase, size);
  u64 page = align_down(va, tcg::kSoftPageSize);
  if (fast_memory) soft_tlb_.insert(state_->bank, page, host(page), true, !code, kParent);
  return {tcg::DataTarget::Kind::Host, host(va), {}};
}

bool UserWorld::alignment_fault(u64 va, Access, tcg::ir::MemOp op) noexcept {
  if (!op.aligned) return false;
  fault_address_ = va;
  end(End::Misaligned);
  return true;
}

void UserWorld::code_written(GuestRam& ram, u64 offset, u64 length) noexcept {
  vcpu_->invalidate_code(ram, offset, length);
}

bool UserWorld::attend() noexcept {
  state_->attention.store(0);
  if (!ended_ && stop_wanted_.exchange(false)) end(End::Stopped);
  if (!ended_ && icount_ && state_->icount_left <= 0) end(End::OutOfTime);
  return !ended_;
}

}  // namespace sluice::test
