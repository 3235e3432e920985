// memory/iommu_region.h: an IOMMU, MPC, MSC or anything else that translates or filters, in any path.
// The contract (docs/invalidation.md): commit the new state, then `publish_unmap`, then
// `InvalidationHub::complete` with the ticket before the architected sync point. Restricting must complete;
// relaxing may be lazy.
#pragma once
#include <atomic>
#include <functional>
#include <string>

#include "memory/invalidation.h"
#include "memory/region.h"

namespace sluice {

// What an IOMMU says about one input address: where the block around it goes, and what is allowed there.
struct IommuEntry {
  InclusiveRange
      input;  // the block, of its true size: smaller than a page or not a power of two, if so it is
  GuestPhysAddr output;          // where input.first goes, in *target
  Access rights = Access::None;  // merged rights of the block, not just those that were asked for
  const AddressSpace* target = nullptr;
  // On refusal: the device's own words, handed back to `refuse` untouched.
  u32 reason = 0;
  u64 detail = 0;
  // An IOMMU or security controller may move the transaction to another physical address space.
  bool sets_space = false;
  PaSpace space = PaSpace::NonSecure;
};

// What a consumer registers for (memory/iommu_listener.h).
enum class IommuEvents : u8 {
  None = 0,
  Map = 1,             // what has become reachable: an exact mirror of the translations
  Unmap = 2,           // what must be forgotten, as a translation cache needs it
  DeviceTlbUnmap = 4,  // what software tells the TLBs of devices to forget
};
constexpr IommuEvents operator|(IommuEvents a, IommuEvents b) { return IommuEvents(u8(a) | u8(b)); }
constexpr bool includes(IommuEvents have, IommuEvents want) { return (u8(have) & u8(want)) == u8(want); }

// "This has become reachable", in the IOMMU's own blocks. Published after the commit, as unmaps are.
struct IommuMapped {
  IommuIndex index{};
  InclusiveRange input{};
  GuestPhysAddr output{};  // where input.first goes, in *target
  Access rights = Access::None;
  bool mmio = false;  // device registers: not to be prefetched, cached or split
  const AddressSpace* target = nullptr;
};

class IommuRegion : public Region {
 public:
  using Subscription = Publisher<IommuUnmap>::Subscription;

  IommuRegion(std::string name, u128 size, InvalidationHub& hub)
      : Region(Kind::Iommu, std::move(name), size), hub_(hub) {}
  ~IommuRegion() override;

  // The translation context that these attributes select. The key is the device's own.
  virtual IommuIndex index_for(MemTxAttrs attrs) const = 0;
  // Pure: no event, no interrupt, no counter that the guest can see. Any thread, concurrently with commits
  // (the device takes its own lock or uses atomics). `input` is an offset into this region. The returned
  // block must contain `input`. `access` is a hint: rights must be right for the whole block whatever it
  // says.
  virtual IommuEntry translate(Iova input, Access access, IommuIndex index, MemTxAttrs attrs,
                               Intent intent) const = 0;
  // A translated block may be made up of pieces of this size (a power of two), each of which changes by
  // itself and is published by itself. 0: a change of any part of a block is one of the whole block, as of an
  // entry of a page table.
  virtual u64 piece_size() const { return 0; }
  // A real transaction was refused: record the event, raise the interrupt. Called once per transaction,
  // without any lock held. Ok means RAZ/WI; anything else is what the initiator gets.
  virtual MemTxResult refuse(Iova input, Access access, MemTxAttrs attrs, const IommuEntry& entry) = 0;

  // Step 2 of the protocol: everyone who holds something derived from this range hears of it. The new state
  // is committed already. The ticket is complete when nobody uses the old state any more.
  Ticket publish_unmap(const IommuUnmap& unmap);
  // Moves with every publish: a fill that saw another value than the one now must be dropped.
  u64 epoch() const { return epoch_.load(std::memory_order_seq_cst); }

  Publisher<IommuUnmap>& unmaps() { return unmaps_; }

  // --- For consumers that mirror the translations, and for device TLBs (memory/iommu_listener.h) ---
  // Why this IOMMU cannot give `wanted` for this context; "" when it can. The default gives all but Map.
  virtual std::string refuse_events(IommuIndex index, IommuEvents wanted) const;
  // Tells `deliver`, and nobody else, everything that `index` can reach now. For those that give Map.
  virtual void replay(IommuIndex, const std::function<void(const IommuMapped&)>& /*deliver*/) const {}
  // Runs `body` while nothing is committed or published. It must not wait.
  virtual void between_commits(const std::function<void()>& body) const { body(); }
  // Whether software invalidates device TLBs by commands of their own; otherwise every unmap does.
  virtual bool has_device_tlb_commands() const { return false; }
  Publisher<IommuMapped>& maps() { return maps_; }
  Publisher<IommuUnmap>& device_tlb_unmaps() { return device_tlb_unmaps_; }
  InvalidationHub& hub() const { return hub_; }

 private:
  InvalidationHub& hub_;
  std::atomic<u64> epoch_{1};
  Publisher<IommuUnmap> unmaps_, device_tlb_unmaps_;
  Publisher<IommuMapped> maps_;
};

}  // namespace sluice
