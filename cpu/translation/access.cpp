// Instruction fetch, data accesses and device accesses of a PE: the contract of tcg/guest.h.
#include "base/log.h"
#include "cpu/pe.h"
#include "cpu/translation/inside.h"
#include "tcg/vcpu.h"

namespace sluice::cpu {

using Target = Translation::Target;

// DataTarget::cookie of a device access: [0] is the PA, [1] these.
namespace {
constexpr u64 kPrivileged = 1, kRazWi = 2, kNonSecure = 4;

// SCTLR_ELx.A: accesses that are not aligned fault before they are translated.
bool alignment_checked(const PeState& state) { return bit(current_sctlr(state), 1); }

}  // namespace

// --- Pages with translated code
// ------------------------------------------------------------------------------

// Writes by devices and loaders come to this PE as mail; its own stores are seen in access(). Stores of other
// PEs need IC IVAU, as the architecture has it.
void Mmu::Inside::follow(GuestRam& ram) {
  for (auto& [known, subscription] : followed) {
    if (known != &ram) continue;
    if (subscription->live()) return;
    subscription.reset();  // of one that is gone: its address is used again
  }
  std::erase_if(followed, [](const auto& f) { return !f.second; });
  followed.emplace_back(
      &ram, std::make_unique<Publisher<CodeWritten>::Subscription>(
                ram.code_written(), [&participant = w.participant](const CodeWritten& written) {
                  participant.post(InstructionCacheInvalidate{written.ram, written.offset, written.length});
                }));
}

// The page is marked before its bytes are read, and this PE's own fast stores to it end.
void Mmu::Inside::before_code_is_read(GuestRam& ram, u64 offset, const u8* host) {
  if (followed.empty() || followed.back().first != &ram || !followed.back().second->live()) follow(ram);
  bool had_code = w.state.vcpu && w.state.vcpu->has_code_in_page(ram, offset);
  if (!ram.has_code(offset)) ram.mark_code(offset / GuestRam::kPage);
  if (!had_code) w.soft_tlb.protect_host_page(host - offset % GuestRam::kPage);
}

// A store of this PE to [offset, offset + size) is about to be made. True: the page has no code of this PE
// (any more), and stores to it may be fast. A page that has lost all its code is taken off the list of pages
// with code; other PEs drop what they have of it, so that whoever translates from it again marks it again.
bool Mmu::Inside::write_to_code(GuestRam& ram, u64 offset, unsigned size) {
  tcg::Vcpu* vcpu = w.state.vcpu;
  if (!vcpu || !vcpu->has_code_in_page(ram, offset)) return true;
  if (w.state.pe)
    w.state.pe->code_written(ram, offset, size);
  else
    vcpu->invalidate_code(ram, offset, size);
  if (vcpu->has_code_in_page(ram, offset)) return false;
  u64 page = offset / GuestRam::kPage;
  ram.clear_code(page);
  pending.merge(w.participant.hub().broadcast(
      Participant::Kind::Pe, InstructionCacheInvalidate{&ram, page * GuestRam::kPage, GuestRam::kPage},
      &w.participant));
  return true;
}

// --- Fetch
// ---------------------------------------------------------------------------------------------------

tcg::FetchTarget Mmu::fetch(u64 va, Fault& fault) {
  Inside& in = *in_;
  Inside::Request request{va, 4, {}};
  request.purpose.access = Access::Execute;
  request.purpose.privilege = in.fetch_privilege();
  Resolved r;
  if (!in.resolve(request, r, fault)) {
    fault.write = false;
    return {};
  }
  tcg::FetchTarget target;
  target.mode = in.w.state.mode;
  if (r.leaf.guarded) target.mode = Mode::Guarded::set(target.mode, 1);
  if (u8* host = r.host(); host && r.left() >= 3) {
    u64 page_left = tcg::kSoftPageSize - (va & tcg::kSoftPageMask);
    target.kind = tcg::FetchTarget::Kind::Host;
    // What is cached by address is forgotten by address, without a tag.
    target.whole_page = r.id && r.covers_page() && r.va == va;
    target.host = host;
    target.ram = r.ram();
    target.ram_offset = r.ram_offset();
    target.bytes = u32(r.left() < page_left ? r.left() + 1 : page_left);
    if (r.id) in.fetched[r.id.slot] = true;
    in.before_code_is_read(*target.ram, target.ram_offset, host);
    return target;
  }
  target.kind = tcg::FetchTarget::Kind::Uncached;
  target.bytes = 4;
  u64 word = 0;
  bool privileged = request.purpose.privilege != Privilege::El0;
  if (!r.raz_wi &&
      !in.memory.space(r.leaf.ns).load({r.pa()}, 4, word, in.attrs(r.leaf.ns, privileged, true)).is_ok()) {
    fault.kind = Fault::Kind::External;
    return {};
  }
  target.word = u32(word);
  return target;
}

// --- Data
// ----------------------------------------------------------------------------------------------------

tcg::DataTarget Mmu::access(u64 va, unsigned size, Access access, tcg::ir::MemOp op, bool may_cache,
                            Fault& fault) {
  Inside& in = *in_;
  Inside::Request request{va, size, {}};
  request.purpose.access = access;
  request.purpose.privilege = in.privilege(op.unprivileged);
  // Part of an access that crosses a page is never aligned as a whole.
  request.purpose.unaligned = !op.any_alignment && (size != op.size() || !is_aligned(va, size));
  if (request.purpose.unaligned && alignment_checked(in.w.state)) {
    fault = {};
    fault.kind = Fault::Kind::Alignment;
    fault.va = va;
    fault.write = access == Access::Write;
    return {};
  }
  Resolved r;
  if (!in.resolve(request, r, fault)) return {};
  bool writes = allows(access, Access::Write);
  u8* host = r.host();
  bool direct = host && r.left() >= size - 1 && (r.is(Target::Ram) || (r.is(Target::RomDevice) && !writes));
  if (!direct) {
    // Atomics and exclusives outside of RAM are a load and a store: IMPLEMENTATION DEFINED.
    u64 flags = (request.purpose.privilege != Privilege::El0 ? kPrivileged : 0) | (r.raz_wi ? kRazWi : 0) |
                (r.leaf.ns ? kNonSecure : 0);
    tcg::DataTarget target;
    target.kind = tcg::DataTarget::Kind::Mmio;
    target.cookie[0] = r.pa();
    target.cookie[1] = flags;
    return target;
  }
  // Whether stores to the page may go straight to memory from now on.
  bool no_code = true;
  if (writes)
    no_code = in.write_to_code(*r.ram(), r.ram_offset(), size);
  else if (in.w.state.vcpu)
    no_code = !in.w.state.vcpu->has_code_in_page(*r.ram(), r.ram_offset());
  tcg::SoftTlbSet* bank = op.unprivileged ? in.w.state.unprivileged_bank : in.w.state.bank;
  // Unaligned accesses to Device memory must come here to fault. (With the MMU off everything is Device
  // memory: there translated code is made to check alignment, Mode::AlignCheck.)
  bool device = !r.leaf.flat && is_device(mair_attribute(in.controls.mair, r.leaf.attr_index));
  if (may_cache && bank && r.id && !device && r.covers_page()) {
    Access rights = rights_of(r.leaf, request.purpose.privilege, in.controls.wxn) & r.entry.rights;
    bool writable = allows(rights, Access::Write) && r.is(Target::Ram) && !r.leaf.read_only_target &&
                    !r.leaf.clean && no_code;
    in.w.soft_tlb.insert(bank, va, host - (va & tcg::kSoftPageMask), allows(rights, Access::Read), writable,
                         parent_of(r.id));
  }
  return {tcg::DataTarget::Kind::Host, host, {}};
}

bool Mmu::alignment_faults(u64 va, unsigned size, Access access, tcg::ir::MemOp op, Fault& fault) {
  const Inside& in = *in_;
  // SCTLR_EL1.A, ordered and exclusive accesses: whatever the memory is. Otherwise Device memory faults,
  // which only the translation knows: access() says so.
  bool required = op.aligned || (!op.any_alignment && (alignment_checked(in.w.state) || !in.controls.on));
  if (!required || is_aligned(va, size)) return false;
  fault = {};
  fault.kind = Fault::Kind::Alignment;
  fault.va = va;
  fault.write = access == Access::Write;
  return true;
}

bool Mmu::mmio_load(const tcg::DataTarget& target, u64 va, unsigned size, tcg::Vec& value, Fault& fault) {
  Inside& in = *in_;
  value = {};
  if (target.cookie[1] & kRazWi) return true;
  bool ns = target.cookie[1] & kNonSecure;
  MemTxAttrs attrs = in.attrs(ns, target.cookie[1] & kPrivileged, false);
  AddressSpace& memory = in.memory.space(ns);
  GuestPhysAddr pa{target.cookie[0]};
  MemTxResult result;
  if (size <= 8 && is_power_of_two(size)) {
    result = memory.load(pa, size, value.lo, attrs);
  } else {
    std::byte bytes[sizeof value] = {};
    result = memory.read(pa, std::span(bytes, size), attrs);
    std::memcpy(&value, bytes, size);
  }
  if (result.is_ok()) return true;
  fault = {};
  fault.kind = Fault::Kind::External;
  fault.va = va;
  return false;
}

bool Mmu::mmio_store(const tcg::DataTarget& target, u64 va, unsigned size, const tcg::Vec& value,
                     Fault& fault) {
  Inside& in = *in_;
  if (target.cookie[1] & kRazWi) return true;
  bool ns = target.cookie[1] & kNonSecure;
  MemTxAttrs attrs = in.attrs(ns, target.cookie[1] & kPrivileged, false);
  AddressSpace& memory = in.memory.space(ns);
  GuestPhysAddr pa{target.cookie[0]};
  MemTxResult result;
  if (size <= 8 && is_power_of_two(size)) {
    result = memory.store(pa, size, value.lo, attrs);
  } else {
    std::byte bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    result = memory.write(pa, std::span<const std::byte>(bytes, size), attrs);
  }
  if (result.is_ok()) return true;
  fault = {};
  fault.kind = Fault::Kind::External;
  fault.va = va;
  fault.write = true;
  return false;
}

}  // namespace sluice::cpu
