// cpu/translation/mmu.h: the memory side of a PE: translation regimes, architectural TLB, soft TLB, and the
// instructions that act on them (Arm DDI 0487, chapters D7 and D8). It takes no exception: it returns faults,
// and cpu/pe.cpp turns them into exceptions.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "base/sysreg_port.h"
#include "cpu/models.h"
#include "cpu/state.h"
#include "cpu/translation/fault.h"
#include "memory/invalidation.h"
#include "tcg/guest.h"
#include "tcg/soft_tlb.h"

namespace sluice {
class AddressSpace;
}

namespace sluice::cpu {

struct MmuWiring {
  PeState& state;  // registers (state.sysregs), EL, PAN, UAO; bank pointers are written
  const CpuModel& model;
  tcg::SoftTlb& soft_tlb;
  Participant& participant;               // the PE's mailbox; its hub reaches the other PEs
  AddressSpace& memory;                   // what the PE sees downstream
  u16 number;                             // of the PE, for MemTxAttrs
  bool direct_tlb = false;                // --tlb=direct: bounded like hardware
  AddressSpace* secure_memory = nullptr;  // what Secure accesses see; none: the same
};

class Mmu {
 public:
  explicit Mmu(const MmuWiring& wiring);
  ~Mmu();
  Mmu(const Mmu&) = delete;
  Mmu& operator=(const Mmu&) = delete;

  // All of these run on the PE's thread. Those with a Fault& fill it and leave everything else alone when
  // they fail (kind Fault, or false).

  // Instructions at `va`, which is 4-byte aligned, at the current EL. `mode` of the target is state.mode plus
  // what the page adds (Mode::Guarded).
  tcg::FetchTarget fetch(u64 va, Fault& fault);
  // [va, va + size) within one 4 KiB page, with the current EL's rights, or EL0's for op.unprivileged (UAO is
  // looked at here). A write to a page with translated code of this PE (state.vcpu->has_code_in_page) goes
  // through state.pe->code_written first; it gets a write tag only once the page has no such code left. Fills
  // the soft TLB unless `may_cache` is false (a watchpoint is in the page). Accesses that are not naturally
  // aligned fault here on Device memory, and under SCTLR.A.
  tcg::DataTarget access(u64 va, unsigned size, Access access, tcg::ir::MemOp op, bool may_cache,
                         Fault& fault);
  // An access that is not naturally aligned: true when it must fault (SCTLR.A, or a Device memory type).
  bool alignment_faults(u64 va, unsigned size, Access access, tcg::ir::MemOp op, Fault& fault);
  bool mmio_load(const tcg::DataTarget& target, u64 va, unsigned size, tcg::Vec& value, Fault& fault);
  bool mmio_store(const tcg::DataTarget& target, u64 va, unsigned size, const tcg::Vec& value, Fault& fault);

  // AT S1E0R .. S1E1WP, S12E*, S1E3*: performs the walk and returns the value for PAR_EL1.
  u64 address_translate(SysregId operation, u64 va);

  // TLBI and its broadcast forms: applied here at once, posted to the others.
  void tlbi(SysregId operation, u64 xt);
  // A data barrier that waits for TLBIs (DSB of any kind but LD in other PEs' domains): returns when every
  // TLBI that this PE has issued is complete everywhere.
  void complete_invalidations();
  // True when complete_invalidations() would have something to wait for.
  bool invalidations_pending() const;

  // A message from the PE's mailbox (every kind: FullFlush, IommuUnmapped, TopologyChanged, Tlbi, ...).
  void apply(const Invalidation& message);

  // TTBRn, TCR, MAIR, SCTLR, CONTEXTIDR, the EL or the Security state have changed: chooses the banks
  // (state.bank and state.unprivileged_bank) and returns the key of the fetch context, for the jump cache.
  tcg::ContextKey update_context();
  // TTBR0_EL1 or TTBR1_EL1 has changed, in the EL1&0 regime: walks begin elsewhere. The context is another
  // one if the ASID is; banks are as they were until update_context().
  void update_table_bases();
  // Of the current context.
  u16 asid() const;
  // Whether what update_context() has returned and chosen before still stands for the same contexts: it does
  // as long as this number stays.
  u64 contexts_replaced() const;
  void reset();

  // For the debugger, monitor and semihosting: translates with the rights of the current EL and without side
  // effect. False: no translation. `length` receives how many bytes from va are contiguous, `space` where pa
  // is.
  bool debug_translate(u64 va, GuestPhysAddr& pa, u64& length, PaSpace& space);
  bool debug_translate(u64 va, GuestPhysAddr& pa, u64& length) {
    PaSpace space;
    return debug_translate(va, pa, length, space);
  }
  // Stage 1 as a data access or fetch of the current EL would meet it now, read from memory, and whether the
  // TLB has it. No side effect.
  struct Explanation {
    std::string text;           // lines, with the raw descriptors
    std::optional<u64> output;  // the physical address; absent: denied
    MemTxAttrs attrs = MemTxAttrs::debugger();
  };
  Explanation explain(u64 va, Access access);
  // Lines of `info tlb` (at most `limit`), and of `info mem`.
  std::string describe_tlb(size_t limit) const;
  std::string describe_memory_map();

 private:
  struct Inside;  // cpu/translation/mmu.cpp
  std::unique_ptr<Inside> in_;
};

}  // namespace sluice::cpu
