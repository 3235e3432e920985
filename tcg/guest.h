// tcg/guest.h: what the run loop and the memory slow path ask of the guest architecture (implemented by
// cpu/pe.cpp). All calls come on the vCPU's own thread, never from inside another call, with state.pc valid.
// noexcept throughout: some are made under translated code.
#pragma once
#include "memory/attrs.h"
#include "tcg/ir/block.h"
#include "tcg/ir/mem_op.h"
#include "tcg/vec.h"

namespace sluice {
class GuestRam;
}

namespace sluice::tcg {

// Where instructions come from.
struct FetchTarget {
  enum class Kind : u8 {
    Fault,     // the exception has been taken; state.pc is at its vector
    Host,      // `host` points at the instruction in guest RAM
    Uncached,  // no stable host memory (MMIO, ROM device): `words` holds one instruction, good for one
               // execution
  };
  Kind kind = Kind::Fault;
  bool whole_page =
      false;  // the translation covers the 4 KiB page: its code may be chained and cached by page
  const u8* host = nullptr;
  GuestRam* ram = nullptr;
  u64 ram_offset = 0;  // of the instruction
  u32 bytes = 0;  // of code that may be translated from here (to the end of the page or of a smaller block)
  u32 word = 0;   // Uncached: the instruction
  u64 mode = 0;   // the mode word for this fetch: state.mode plus what the page adds (guarded, ...)
};

// Where a data access goes.
struct DataTarget {
  enum class Kind : u8 {
    Fault,  // the exception has been taken, state.leave is set
    Host,   // `host` points at the first byte, good for the whole access
    Mmio,   // through mmio_load / mmio_store
  };
  Kind kind = Kind::Fault;
  u8* host = nullptr;
  u64 cookie[4] =
      {};  // Mmio: the guest's own note of where it goes (region and offset), copied, not pointed to
};

class Guest {
 public:
  virtual ~Guest() = default;

  // Before it returns a Host target, fetch marks the RAM page as holding code (GuestRam::mark_code) and takes
  // fast write access to it away from every PE's soft TLB, so that stores to it are seen through
  // code_written.
  virtual FetchTarget fetch(u64 pc) noexcept = 0;
  // Fills `block` (pc and mode set, empty) with at most max_insns guest instructions from `from`.
  virtual void translate(ir::Block& block, const FetchTarget& from, unsigned max_insns) noexcept = 0;

  // Fills `region` (pc and mode set, empty) with the loops that go through pc, which `from` (whole_page) is
  // for, inside its page. False: there are none that are worth it.
  virtual bool translate_region(ir::Block& region, const FetchTarget& from) noexcept = 0;

  // Translates and checks [va, va + size), which lies within one 4 KiB page. `access` is Read, Write or
  // ReadWrite. Takes the exception on failure. Fills the soft TLB where the answer may be cached. Handles
  // watchpoints.
  virtual DataTarget access(u64 va, unsigned size, Access access, ir::MemOp op) noexcept = 0;
  // Alignment: true when an access that is not naturally aligned must fault here (then the exception has been
  // taken and state.leave set).
  virtual bool alignment_fault(u64 va, Access access, ir::MemOp op) noexcept = 0;
  virtual bool mmio_load(const DataTarget& target, u64 va, unsigned size, Vec& value) noexcept = 0;
  virtual bool mmio_store(const DataTarget& target, u64 va, unsigned size, Vec value) noexcept = 0;
  // A store is about to change [offset, offset + length) of a RAM page that holds translated code.
  virtual void code_written(GuestRam& ram, u64 offset, u64 length) noexcept = 0;

  // Called with attention set and at every return to the run loop: drains the mailbox, takes pending
  // interrupts, waits in WFI, stops. False: leave run().
  virtual bool attend() noexcept = 0;
};

}  // namespace sluice::tcg
