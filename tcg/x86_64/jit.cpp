// The x86-64 back end as the run loop sees it.
#include "tcg/x86_64/jit.h"

#include <capstone/capstone.h>
#include <fmt/format.h>
#include <xmmintrin.h>

#include <cassert>

#include "tcg/x86_64/compiler.h"

namespace sluice::tcg::x86_64 {
namespace {

class Jit final : public Backend {
 public:
  Jit(const BackendOptions& options, const HostFeatures& host)
      : arena_(options.code_bytes), options_{options.icount, host, options.loop_heat} {
    if (!arena_.ok()) return;
    thunks_ = std::make_unique<Thunks>(arena_, options.contexts);
    arena_.begin_segments();
    compiler_ = std::make_unique<Compiler>(assembler_, *thunks_, options_);
  }
  bool ok() const { return arena_.ok(); }

  bool compile(const ir::Block& block, TranslatedBlock& out) override {
    holder_.reset();
    holder_.init(environment_, u64(arena_.next()));
    holder_.setErrorHandler(&failure_);
    // Emitted where it stays.
    asmjit::CodeBuffer& buffer = holder_.textSection()->buffer();
    std::span<u8> room = arena_.room_for_writing();
    buffer._data = room.data(), buffer._size = 0, buffer._capacity = room.size();
    buffer._flags = asmjit::CodeBufferFlags::kIsExternal | asmjit::CodeBufferFlags::kIsFixed;
    failure_.arena_is_full = false;
    holder_.attach(&assembler_);
    compiler_->compile(block, out);
    holder_.flatten();
    holder_.relocateToBase(u64(arena_.next()));
    if (failure_.arena_is_full) {
      out.sites.clear();
      return false;
    }
    const u8* code = arena_.take(buffer.size());
    out.code = code;
    u32 base = arena_.offset_of(code);
    for (ChainSite& site : out.sites) site.jump_offset += base, site.unlinked_offset += base;
    latest_ = {code, buffer.size()};
    return true;
  }

  void enter(ExecState& state, const void* code) noexcept override {
    u32 host = _mm_getcsr();
    state.in_translated_code = 1;
    thunks_->enter(&state, code);
    state.in_translated_code = 0;
    _mm_setcsr(host);
  }

  void link(ChainSite& site, const void* code) override {
    arena_.patch_jump(site.jump_offset, arena_.offset_of(code));
  }
  void unlink(ChainSite& site) override { arena_.patch_jump(site.jump_offset, site.unlinked_offset); }
  unsigned segment() const override { return arena_.segment(); }
  unsigned make_room() override {
    arena_.go_to_segment(arena_.next_segment());
    return arena_.segment();
  }
  void reset() override { arena_.go_to_segment(0); }

  std::string disassemble_latest() const override {
    csh handle;
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK) return "";
    cs_insn* insns = nullptr;
    size_t count = cs_disasm(handle, latest_.data(), latest_.size(), u64(latest_.data()), 0, &insns);
    std::string text;
    for (size_t n = 0; n < count; n++)
      text += fmt::format("{:#x}: {} {}\n", insns[n].address, insns[n].mnemonic, insns[n].op_str);
    if (count) cs_free(insns, count);
    cs_close(&handle);
    return text;
  }

 private:
  // Code that cannot be encoded is a mistake of ours; a full arena is not.
  struct Failure : asmjit::ErrorHandler {
    void handleError(asmjit::Error error, const char*, asmjit::BaseEmitter*) override {
      assert(error == asmjit::kErrorTooLarge);
      arena_is_full |= error == asmjit::kErrorTooLarge;
    }
    bool arena_is_full = false;
  };

  CodeArena arena_;
  const Compiler::Options options_;
  std::unique_ptr<Thunks> thunks_;
  asmjit::CodeHolder holder_;
  x86::Assembler assembler_;
  std::unique_ptr<Compiler> compiler_;
  Failure failure_;
  const asmjit::Environment environment_ = asmjit::Environment::host();
  std::span<const u8> latest_;
};

}  // namespace

std::unique_ptr<Backend> make_jit_for(const HostFeatures& host, const BackendOptions& options) {
  if (!asmjit::CpuInfo::host().features().x86().hasSSE4_2()) return nullptr;
  auto jit = std::make_unique<Jit>(options, host);
  if (!jit->ok()) return nullptr;
  return jit;
}

}  // namespace sluice::tcg::x86_64

namespace sluice::tcg {

std::unique_ptr<Backend> make_jit(const BackendOptions& options) {
  return x86_64::make_jit_for(x86_64::HostFeatures::of_this_host(), options);
}

}  // namespace sluice::tcg
