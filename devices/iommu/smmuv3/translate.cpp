// devices/iommu/smmuv3/translate.cpp: what the memory core asks: IommuRegion's three questions.
#include "base/trace.h"
#include "devices/iommu/smmuv3/smmuv3.h"

namespace sluice {

using namespace smmuv3;

namespace {

// rw: bit 0 is a read, bit 1 a write, bit 2 an instruction fetch
Trace<u32, u64, unsigned> trace_disable{"smmuv3_translate_disable", "sid={:#x} iova={:#x} rw={}"};
Trace<u32, u64, unsigned> trace_bypass{"smmuv3_translate_bypass", "sid={:#x} iova={:#x} rw={}"};
Trace<u32, u64, unsigned, const char*> trace_abort{"smmuv3_translate_abort",
                                                   "sid={:#x} iova={:#x} rw={} event={}"};
Trace<u32, u64, u64, unsigned> trace_success{"smmuv3_translate_success",
                                             "sid={:#x} iova={:#x} translated={:#x} perm={}"};
Trace<u32, u64, u64> trace_config_hit{"smmuv3_config_cache_hit", "sid={:#x} hits={} misses={}"};
Trace<u32, u64, u64> trace_config_miss{"smmuv3_config_cache_miss", "sid={:#x} hits={} misses={}"};
Trace<u16, u16, u64, u64, u64> trace_hit{"smmu_iotlb_lookup_hit",
                                         "asid={} vmid={} addr={:#x} hits={} misses={}"};
Trace<u16, u16, u64, u64, u64> trace_miss{"smmu_iotlb_lookup_miss",
                                          "asid={} vmid={} addr={:#x} hits={} misses={}"};

constexpr unsigned kTries = 64;  // walks that an invalidation has overtaken, until one is made under the lock

StreamId stream_of(MemTxAttrs attrs) { return {attrs.requester, attrs.substream, attrs.substream_valid}; }

InclusiveRange page_of(u64 address) { return {address & ~ones(12), address | ones(12)}; }

}  // namespace

IommuIndex Smmuv3::index_for(MemTxAttrs attrs) const { return index_of(stream_of(attrs), attrs.space); }

StreamTableRegisters Smmuv3::table_registers() const {
  return {u64{strtab_base_[1]} << 32 | strtab_base_[0], strtab_base_cfg_, bool(cr2_ & kE2h),
          bool(cr2_ & kRecInvSid)};
}

IommuEntry Smmuv3::pass(InclusiveRange block) const {
  return {.input = block, .output = {block.first}, .rights = Access::All, .target = &downstream_};
}

IommuEntry Smmuv3::refused(u64 input, const StreamContext* context, const Fault& fault, MemTxAttrs attrs,
                           Access access) const {
  trace_abort(attrs.requester, input, unsigned(access), name_of(fault.type));
  Attributes a = attributes_of(context ? context->ste : Ste{}, attrs, access);
  Refusal r{fault, a.privileged, a.instruction, !a.write};
  return {.input = page_of(input), .output = {}, .reason = r.reason(), .detail = fault.address};
}

IommuEntry Smmuv3::answer(u64 input, const StreamContext& c, const Selected&, const Mapping& m,
                          MemTxAttrs attrs, Access access) const {
  u64 within = ones(m.log2);
  IommuEntry e{.input = {input & ~within, input | within}, .output = {m.output}, .target = &downstream_};
  e.rights = rights_of(c, m, attrs);
  Fault fault;
  if (allows(e.rights, access))
    trace_success(attrs.requester, input, m.output + (input & within), unsigned(e.rights));
  if (allows(e.rights, access) || !permission_fault(c, m, attrs, access, m.ipa + (input & within), fault))
    return e;
  trace_abort(attrs.requester, input, unsigned(access), name_of(fault.type));
  Attributes a = attributes_of(c.ste, attrs, access);
  // 13.1.1: an atomic access that may write but not read reports the read.
  bool read = !a.write || (allows(access, Access::Read) && allows(e.rights, Access::Write));
  e.reason = Refusal{fault, a.privileged, a.instruction, read}.reason();
  e.detail = fault.address;
  return e;
}

// With the lock held. False: memory has to be asked, with what `q` has now.
bool Smmuv3::answer_from_caches(Question& q, IommuEntry& entry) const {
  counters_.translations++;
  if (!(cr0_ & kSmmuEn)) {
    InclusiveRange reachable{0, ones(config_.oas_bits)};
    bool pass_it = !(gbpa_ & kGbpaAbort) && reachable.contains(q.input);
    if (pass_it) trace_disable(q.attrs.requester, q.input, unsigned(q.access));
    entry = pass_it ? pass(reachable) : refused(q.input, nullptr, {}, q.attrs, q.access);
    return true;
  }
  q.generation = generation_;
  q.table = table_registers();
  q.mapping.reset();
  q.fetched = false;
  ConfigurationCache::Entry* known = caches_.configuration.find(q.index);
  if (!known) {
    counters_.config_misses++;
    trace_config_miss(q.attrs.requester, counters_.config_hits, counters_.config_misses);
    q.context.reset();
    return false;
  }
  counters_.config_hits++;
  trace_config_hit(q.attrs.requester, counters_.config_hits, counters_.config_misses);
  q.context = known->context;
  const StreamContext& c = *q.context;
  Fault fault;
  if (!select_table(c, q.input, config_.oas_bits, q.selected, fault)) {
    entry = refused(q.input, &c, fault, q.attrs, q.access);
    return true;
  }
  if (!c.stage1 && !c.stage2) {
    trace_bypass(q.attrs.requester, q.input, unsigned(q.access));
    entry = pass({0, ones(config_.oas_bits)});
    return true;
  }
  Mapping m;
  if (!caches_.iotlb.find(c, q.selected.address, m)) {
    counters_.iotlb_misses++;
    trace_miss(c.asid, c.vmid, q.selected.address, counters_.iotlb_hits, counters_.iotlb_misses);
    return false;
  }
  counters_.iotlb_hits++;
  trace_hit(c.asid, c.vmid, q.selected.address, counters_.iotlb_hits, counters_.iotlb_misses);
  caches_.configuration.used(q.index, *known, m, q.selected.tagged);
  entry = answer(q.input, c, q.selected, m, q.attrs, q.access);
  return true;
}

// Reads the structures and tables. True: the answer is a refusal, which nobody caches.
bool Smmuv3::look_up(Question& q, const TableMemory& memory, IommuEntry& entry) const {
  Fault fault;
  if (!q.context) {
    auto fresh = std::make_shared<StreamContext>();
    q.context = fresh;
    q.fetched = true;
    if (!find_context(config_, q.table, memory, id_of(q.index), *fresh, fault)) {
      entry = refused(q.input, fresh.get(), fault, q.attrs, q.access);
      return true;
    }
  }
  const StreamContext& c = *q.context;
  Mapping m;
  bool translates = c.stage1 || c.stage2;
  if (!select_table(c, q.input, config_.oas_bits, q.selected, fault) ||
      (translates && !walk_all(c, memory, config_.oas_bits, q.selected, m, fault))) {
    entry = refused(q.input, &c, fault, q.attrs, q.access);
    return true;
  }
  if (!translates) {
    trace_bypass(q.attrs.requester, q.input, unsigned(q.access));
    entry = pass({0, ones(config_.oas_bits)});
    return false;
  }
  q.mapping = m;
  entry = answer(q.input, c, q.selected, m, q.attrs, q.access);
  return false;
}

// With the lock held and the generation unchanged. False: somebody else has cached another configuration for
// the index, and that one counts.
bool Smmuv3::keep(const Question& q) const {
  ConfigurationCache::Entry* known = caches_.configuration.find(q.index);
  if (known ? q.fetched : !q.fetched) return false;
  if (!known) known = caches_.configuration.insert(q.index, q.context);
  if (!q.mapping) return true;
  counters_.walks++;
  caches_.iotlb.insert(*q.context, *q.mapping);
  if (known) caches_.configuration.used(q.index, *known, *q.mapping, q.selected.tagged);
  return true;
}

IommuEntry Smmuv3::translate(Iova input, Access access, IommuIndex index, MemTxAttrs attrs,
                             Intent intent) const {
  if (space_of(index) != PaSpace::NonSecure) return pass({});
  if (intent == Intent::AtsRequest) return refused(input.value, nullptr, {}, attrs, access);  // IDR0.ATS is 0
  Question q(input.value, access, index, attrs);
  IommuEntry entry;
  for (unsigned attempt = 0; attempt < kTries; attempt++) {
    {
      auto held = hold();
      if (answer_from_caches(q, entry)) return entry;
    }
    if (look_up(q, TableMemory(port_, intent), entry) || intent == Intent::Debug) return entry;
    auto held = hold();
    if (generation_ == q.generation && keep(q)) return entry;
    counters_.walks_repeated++;
  }
  // Invalidations come faster than walks: keep them out for once. Silent, because nothing may be told with
  // the lock held.
  auto held = hold();
  if (!answer_from_caches(q, entry) && !look_up(q, TableMemory(port_, Intent::Prefetch), entry)) keep(q);
  return entry;
}

MemTxResult Smmuv3::refuse(Iova input, Access, MemTxAttrs attrs, const IommuEntry& entry) {
  Refusal refusal = Refusal::from(entry.reason, entry.detail);
  bool records = refusal.fault.type != EventType::None && refusal.fault.record;
  {
    auto held = lock();
    counters_.faults++;
    if (!records) counters_.events_suppressed++;
  }
  if (u8(refusal.fault.type) && u8(refusal.fault.type) < u8(EventType::F_TRANSLATION))
    guest_error("%s: stream 0x%x: %s", config_.name.c_str(), attrs.requester, name_of(refusal.fault.type));
  if (records) record(make_event(refusal, stream_of(attrs), input.value));
  return MemTxResult::access_error();
}

}  // namespace sluice
