// cpu/translation/inside.h: the state behind Mmu, private to this folder.
#pragma once
#include <memory>
#include <vector>

#include "cpu/translation/mmu.h"
#include "cpu/translation/stage1.h"
#include "cpu/translation/tlbi.h"
#include "memory/address_space.h"
#include "memory/guest_ram.h"

namespace sluice::cpu {

// payload of a TLB entry. What is at input.first; for other addresses of the entry, add the distance.
namespace payload {
inline constexpr unsigned kLeaf = 0;    // Leaf::pack()
inline constexpr unsigned kHost = 1;    // host address, or 0
inline constexpr unsigned kRam = 2;     // GuestRam*, or 0
inline constexpr unsigned kOffset = 3;  // in it
}  // namespace payload

// A translation that was found or made, for one address.
struct Resolved {
  CacheEntry entry;
  EntryId id;  // empty: holds for this access alone
  Leaf leaf{};
  u64 va = 0;           // without tag
  bool raz_wi = false;  // an IOMMU has refused, in silence
  u64 distance() const { return va - entry.input.first; }
  u64 pa() const { return entry.output + distance(); }
  u8* host() const {
    u64 at = entry.payload[payload::kHost];
    return at ? reinterpret_cast<u8*>(at + distance()) : nullptr;
  }
  GuestRam* ram() const { return reinterpret_cast<GuestRam*>(entry.payload[payload::kRam]); }
  u64 ram_offset() const { return entry.payload[payload::kOffset] + distance(); }
  u64 left() const { return entry.input.last - va; }  // bytes after this one
  bool is(Translation::Target target) const { return leaf.target == u8(target); }
  bool covers_page() const {
    u64 page = align_down(va, tcg::kSoftPageSize);
    return entry.input.first <= page && entry.input.last - page >= tcg::kSoftPageMask;
  }
};

struct Mmu::Inside {
  explicit Inside(const MmuWiring& wiring);

  // --- Looking up and filling (resolve.cpp) ---
  struct Request {
    u64 va;  // as the program has it
    unsigned size;
    Purpose purpose;
    bool instruction() const { return purpose.access == Access::Execute; }
  };
  // The TLB, else the walk and what lies behind it. All checks are made. False: `fault` says why.
  bool resolve(const Request& request, Resolved& out, Fault& fault);
  bool find(const Request& request, Resolved& out);
  bool map(const Request& request, FillGuard* guard, u64 va, Mapping& mapping, Fault& fault);
  bool attach_memory(const Request& request, FillGuard& guard, const Mapping& mapping, bool is_fragment,
                     Resolved& out, Fault& fault);
  void keep(FillGuard& guard, const Provenance& hops, bool fragment, Resolved& out);
  // What is at `pa`, as far as an entry needs it.
  struct Behind {
    InclusiveRange block;
    Translation::Target target;
    bool read_only, ok;
    Access rights;
    u8* host;
    GuestRam* ram;
    u64 offset;
  };
  Behind look_behind(const Request& request, u64 pa, bool ns, bool privileged, Provenance& hops);
  bool el0_denied(const Request& request, u64 va) const {
    return controls.on && request.purpose.privilege == Privilege::El0 && controls.range_of(va).el0_denied;
  }
  MemTxAttrs attrs(bool ns, bool privileged, bool instruction) const {
    return MemTxAttrs::pe(w.number, PhysicalMemory::name(ns), privileged, instruction);
  }
  Scope scope_behind_iommu(bool privileged, bool instruction) const {
    Scope scope = controls.scope();
    scope.world = World{scope.world}.behind_iommu(privileged, instruction).value;
    return scope;
  }

  // --- Accesses (access.cpp) ---
  Privilege privilege(bool unprivileged) const {
    if (w.state.el == 0 || (w.state.el == 1 && unprivileged && !w.state.uao)) return Privilege::El0;
    return w.state.pan && w.state.el == 1 ? Privilege::El1Pan : Privilege::El1;
  }
  Privilege fetch_privilege() const { return w.state.el == 0 ? Privilege::El0 : Privilege::El1; }
  void before_code_is_read(GuestRam& ram, u64 offset, const u8* host);
  bool write_to_code(GuestRam& ram, u64 offset, unsigned size);
  void follow(GuestRam& ram);

  // --- Removing (mmu.cpp) ---
  // Collects what a removal takes from the fetch side and forgets it at the end, all at once.
  struct Removal {
    Removal(Inside& in, tcg::ContextMatch contexts, tcg::ContextMatch with_global)
        : in(in), contexts(contexts), with_global(with_global) {
      outer = in.removal;
      in.removal = this;
    }
    ~Removal();
    Inside& in;
    const tcg::ContextMatch contexts, with_global;
    InclusiveRange fetched{};
    bool any_fetched = false, any_global = false;
    Removal* outer;
  };
  void removed(EntryId id, const CacheEntry& entry);
  void remove_everything();
  void apply(const TlbiOperation& operation);
  void apply(const TopologyChanged& change);

  // --- Contexts (mmu.cpp) ---
  RegimeControls controls_of(Regime regime) const;
  // What slots and fetched code take from the controls, besides what their entry and their world say.
  struct View {
    u64 mair;
    u8 flags;
    bool operator==(const View&) const = default;
  };
  u8 number_of(const View& view);
  std::vector<View> views;
  u8 latest_view = 0;
  u64 views_dropped = 0;  // how often their numbers have been given anew

  MmuWiring w;
  RegimeControls controls;
  TranslationCache tlb;
  PhysicalMemory memory{w.memory, w.secure_memory ? *w.secure_memory : w.memory};
  Stage1Walker walker;
  std::vector<bool> fetched;      // by slot of the TLB: instructions came through it
  FragmentClasses fragments = 0;  // of any fragment since the TLB was last empty
  bool variants = false;          // an entry lies behind an IOMMU
  Removal* removal = nullptr;
  Ticket pending;  // of the broadcasts that the next barrier waits for
  std::vector<std::pair<GuestRam*, std::unique_ptr<Publisher<CodeWritten>::Subscription>>> followed;
};

}  // namespace sluice::cpu
