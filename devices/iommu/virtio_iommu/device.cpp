// devices/iommu/virtio_iommu/device.cpp: configuration, requests, events. VIRTIO 1.3, 5.13.
#include "devices/iommu/virtio_iommu/device.h"

#include <algorithm>
#include <cstdio>

#include "base/log.h"
#include "base/trace.h"

namespace sluice {

using namespace virtio_iommu;

namespace {

Trace<u32> trace_probe{"virtio_iommu_probe", "endpoint={:#x}"};
Trace<u32, u32, u64, u64> trace_property{"virtio_iommu_fill_resv_property",
                                         "endpoint={:#x} subtype={} start={:#x} end={:#x}"};
Trace<u32, unsigned, u32, u64> trace_fault{"virtio_iommu_report_fault",
                                           "reason={} access={} endpoint={:#x} address={:#x}"};
Trace<unsigned, size_t> trace_status{"virtio_iommu_request", "status={} work={}"};
Trace<> trace_reset{"virtio_iommu_device_reset", ""};
Trace<bool> trace_set_config{"virtio_iommu_set_config", "bypass={:d}"};

constexpr u16 kQueueSize = 256;
constexpr size_t kSliceWork =
    1 << 16;  // mappings that one notification may touch before others get their turn

template <class T>
T get_le(const u8* from) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); i++) value = T(value | T(from[i]) << (8 * i));
  return value;
}
template <class T>
void put_le(u8* to, T value) {
  for (size_t i = 0; i < sizeof(T); i++) to[i] = u8(value >> (8 * i));
}

u32 flag_if(bool condition, u32 flag) { return condition ? flag : 0; }

}  // namespace

// 5.13.6: `size` bytes are the device-readable part; the type is known when `feature` is negotiated.
struct VirtioIommu::RequestKind {
  RequestType type;
  u32 size;
  Feature feature;
  Outcome (VirtioIommu::*serve)(const u8*, Answer&);
};

const VirtioIommu::RequestKind* VirtioIommu::find_kind(u8 type) {
  static constexpr RequestKind kKinds[] = {
      {RequestType::Attach, AttachRequest::kSize, kMapUnmap, &VirtioIommu::attach},
      {RequestType::Detach, DetachRequest::kSize, kMapUnmap, &VirtioIommu::detach},
      {RequestType::Map, MapRequest::kSize, kMapUnmap, &VirtioIommu::map},
      {RequestType::Unmap, UnmapRequest::kSize, kMapUnmap, &VirtioIommu::unmap},
      {RequestType::Probe, ProbeRequest::kSize, kProbe, &VirtioIommu::probe},
  };
  for (const RequestKind& kind : kKinds)
    if (u8(kind.type) == type) return &kind;
  return nullptr;
}

VirtioIommu::VirtioIommu(InvalidationHub& hub, AddressSpace& downstream, VirtioIommuConfig config)
    : VirtioDevice(VirtioId::Iommu, {kQueueSize, kQueueSize}, ConfigLayout::kSize),
      hub_(hub),
      region_(std::make_shared<VirtioIommuRegion>(hub, downstream, config)) {
  write_config_fields();
  region_->set_fault_sink([this](const VirtioIommuRegion::Fault& fault) { report(fault); });
}

VirtioIommu::~VirtioIommu() { region_->set_fault_sink({}); }

std::string VirtioIommu::add_mirrored_endpoint(u32 id, SoftHostIommu& container,
                                               std::vector<VirtioIommuRegion::Reserved> reserved) {
  std::string why = region_->add_mirrored_endpoint(id, container, std::move(reserved));
  // Once the guest may look, the mask does not change any more.
  u8* mask = config().data() + ConfigLayout::kPageSizeMask;
  if (get_le<u64>(mask) != region_->page_size_mask()) put_le<u64>(mask, region_->page_size_mask());
  return why;
}

// --- Features, configuration, reset ---

u64 VirtioIommu::device_features(bool legacy) const {
  if (legacy) return 0;
  return 1u << kInputRange | 1u << kDomainRange | 1u << kMapUnmap | 1u << kProbe | 1u << kMmio |
         1u << kBypassConfig;
}

void VirtioIommu::write_config_fields() {
  const VirtioIommuConfig& c = region_->config();
  u8* to = config().data();
  put_le<u64>(to + ConfigLayout::kPageSizeMask, region_->page_size_mask());
  put_le<u64>(to + ConfigLayout::kInputRangeStart, c.input_range.first);
  put_le<u64>(to + ConfigLayout::kInputRangeEnd, c.input_range.last);
  put_le<u32>(to + ConfigLayout::kDomainRangeStart, c.first_domain);
  put_le<u32>(to + ConfigLayout::kDomainRangeEnd, c.last_domain);
  put_le<u32>(to + ConfigLayout::kProbeSize, c.probe_size);
  to[ConfigLayout::kBypass] = region_->bypass();
}

// 5.13.4: a driver with BYPASS_CONFIG may write 0 or 1 to `bypass`, and nothing else.
void VirtioIommu::config_written(u32 offset, std::span<const u8> bytes) {
  if (offset != ConfigLayout::kBypass || bytes.size() != 1 || bytes[0] > 1 || !has_feature(kBypassConfig)) {
    guest_error("virtio-iommu: refused write of %zu bytes at %u of the configuration", bytes.size(), offset);
    return;
  }
  trace_set_config(bytes[0]);
  Outcome outcome = region_->set_bypass(bytes[0]);
  config()[ConfigLayout::kBypass] = bytes[0];
  if (outcome.ticket) hub_.complete(*outcome.ticket);  // the write retires after that
}

void VirtioIommu::reset_device() {
  trace_reset();
  Outcome outcome = region_->detach_all();
  if (outcome.ticket) hub_.complete(*outcome.ticket);
  std::lock_guard lock{faults_mutex_};
  faults_.clear();
}

void VirtioIommu::system_reset() {
  reset_device();
  Outcome outcome = region_->set_bypass(region_->config().bypass_at_boot);
  config()[ConfigLayout::kBypass] = region_->bypass();
  if (outcome.ticket) hub_.complete(*outcome.ticket);
}

void VirtioIommu::queue_was_reset(u16 n) {
  std::lock_guard lock{faults_mutex_};
  if (n == kEventQueue) faults_.clear();
}

VirtioIommu::Counters VirtioIommu::counters() const {
  return {ok_.load(), refused_.load(), unparsed_.load(), reported_.load(), lost_.load()};
}

// --- Requests ---

VirtioIommu::Outcome VirtioIommu::attach(const u8* request, Answer&) {
  u32 flags = get_le<u32>(request + AttachRequest::kFlags);
  u32 known = flag_if(has_feature(kBypassConfig), AttachRequest::kFlagBypass);
  if (get_le<u32>(request + AttachRequest::kReserved) || (flags & ~known)) return {Status::Inval};
  return region_->attach(get_le<u32>(request + AttachRequest::kDomain),
                         get_le<u32>(request + AttachRequest::kEndpoint), flags & AttachRequest::kFlagBypass);
}

VirtioIommu::Outcome VirtioIommu::detach(const u8* request, Answer&) {
  return region_->detach(get_le<u32>(request + DetachRequest::kDomain),
                         get_le<u32>(request + DetachRequest::kEndpoint));
}

VirtioIommu::Outcome VirtioIommu::map(const u8* request, Answer&) {
  u32 flags = get_le<u32>(request + MapRequest::kFlags);
  u32 known =
      MapRequest::kFlagRead | MapRequest::kFlagWrite | flag_if(has_feature(kMmio), MapRequest::kFlagMmio);
  if (flags & ~known) return {Status::Inval};
  // There is no flag for execution: to the bus an instruction fetch is a read.
  Access rights = Access::None;
  if (flags & MapRequest::kFlagRead) rights = rights | Access::Read | Access::Execute;
  if (flags & MapRequest::kFlagWrite) rights = rights | Access::Write;
  return region_->map(
      {.domain = get_le<u32>(request + MapRequest::kDomain),
       .input = {get_le<u64>(request + MapRequest::kVirtStart), get_le<u64>(request + MapRequest::kVirtEnd)},
       .output = get_le<u64>(request + MapRequest::kPhysStart),
       .rights = rights,
       .mmio = (flags & MapRequest::kFlagMmio) != 0});
}

// A non-zero `reserved` MAY be refused; a driver that uses it wants something that we do not know.
VirtioIommu::Outcome VirtioIommu::unmap(const u8* request, Answer&) {
  if (get_le<u32>(request + UnmapRequest::kReserved)) return {Status::Inval};
  return region_->unmap(
      get_le<u32>(request + UnmapRequest::kDomain),
      {get_le<u64>(request + UnmapRequest::kVirtStart), get_le<u64>(request + UnmapRequest::kVirtEnd)});
}

// 5.13.6.5: zeroes where there is no property, and everywhere when the request is refused.
VirtioIommu::Outcome VirtioIommu::probe(const u8* request, Answer& answer) {
  trace_probe(get_le<u32>(request + ProbeRequest::kEndpoint));
  const u32 probe_size = region_->config().probe_size;
  u64 room = answer.chain.writable_size() - kTailSize;
  answer.properties.resize(size_t(std::min<u64>(room, probe_size)));
  if (room < probe_size) return {Status::Inval};
  auto regions = region_->properties(get_le<u32>(request + ProbeRequest::kEndpoint));
  if (!regions) return {Status::NoEnt};
  u8* to = answer.properties.data();
  for (const ReservedRegion& r : *regions) {
    trace_property(get_le<u32>(request + ProbeRequest::kEndpoint), u32(r.subtype), r.range.first,
                   r.range.last);
    put_le<u16>(to, ResvMemProperty::kType);
    put_le<u16>(to + ResvMemProperty::kLength, ResvMemProperty::kSize - ResvMemProperty::kHeaderSize);
    to[ResvMemProperty::kSubtype] = u8(r.subtype);
    put_le<u64>(to + ResvMemProperty::kStart, r.range.first);
    put_le<u64>(to + ResvMemProperty::kEnd, r.range.last);
    to += ResvMemProperty::kSize;
  }
  return {};
}

// 5.13.6: what cannot be parsed, and what is not known, comes back unwritten.
VirtioIommu::Answer VirtioIommu::serve(Chain&& chain) {
  Answer answer{.chain = std::move(chain)};
  std::array<u8, kLargestRequest> request{};
  u64 size = std::min<u64>(answer.chain.readable_size(), request.size());
  if (!size || answer.chain.writable_size() < kTailSize) return answer;
  if (!answer.chain.read(0, std::span{request}.first(size_t(size)))) return answer;
  const RequestKind* kind = find_kind(request[0]);
  if (!kind || !has_feature(kind->feature) || size < kind->size) return answer;
  answer.parsed = true;
  answer.outcome = (this->*kind->serve)(request.data(), answer);
  trace_status(unsigned(answer.outcome.status), answer.outcome.work);
  return answer;
}

void VirtioIommu::use(const Answer& answer) {
  std::array<u8, kTailSize> tail{u8(answer.outcome.status)};
  u64 written = 0;
  if (answer.parsed && answer.chain.write(0, answer.properties) &&
      answer.chain.write(answer.properties.size(), tail))
    written = answer.properties.size() + tail.size();
  auto& counter = !written ? unparsed_ : answer.outcome.status == Status::Ok ? ok_ : refused_;
  counter.fetch_add(1, std::memory_order_relaxed);
  complete(kRequestQueue, answer.chain, written);
}

void VirtioIommu::use(std::vector<Answer>& answers) {
  Batch batch(*this, kRequestQueue);
  for (const Answer& answer : answers)
    if (!queue(kRequestQueue).is_stale(answer.chain)) use(answer);
}

// A batch is used in its order, when the last of what it took away is gone. Nobody waits here, with the
// transport's lock held: the rest happens after the access that notified us has given it back.
void VirtioIommu::notify(u16 n) {
  if (n == kEventQueue) return deliver_faults();
  auto answers = std::make_shared<std::vector<Answer>>();
  std::optional<Ticket> ticket;
  size_t work = 0;
  drain(kRequestQueue, [&](Chain&& chain) {
    if (work >= kSliceWork) {
      queue(kRequestQueue).unpop(chain);
      transport().defer(kRequestQueue);
      return false;
    }
    answers->push_back(serve(std::move(chain)));
    work += answers->back().outcome.work;
    if (const auto& t = answers->back().outcome.ticket) {
      if (!ticket) ticket = *t;
      ticket->merge(*t);
    }
    return true;
  });
  if (!ticket) return use(*answers);
  hub_.complete(*ticket, [this, answers] { enter_device(transport(), [&] { use(*answers); }); });
}

// --- Events ---

// On the thread of the transaction that was refused, which may hold locks of its device, but not ours.
void VirtioIommu::report(const VirtioIommuRegion::Fault& fault) {
  trace_fault(unsigned(fault.reason), unsigned(fault.access), fault.endpoint, fault.address);
  {
    std::lock_guard lock{faults_mutex_};
    if (faults_.size() == kMaxPendingFaults) {
      lost_.fetch_add(1, std::memory_order_relaxed);
      guest_error("virtio-iommu: fault records are lost: the event queue has no buffers");
      return;
    }
    faults_.push_back(fault);
  }
  if (is_connected()) enter_device(transport(), [this] { deliver_faults(); });
}

// 5.13.6.7: waits for a buffer while there is a driver to supply one.
void VirtioIommu::deliver_faults() {
  VirtQueue& events = queue(kEventQueue);
  const bool live = is_live() && events.usable();
  for (;;) {
    VirtioIommuRegion::Fault fault;
    {
      std::lock_guard lock{faults_mutex_};
      if (faults_.empty()) return;
      fault = faults_.front();
    }
    std::optional<Chain> chain;
    if (live && !(chain = events.pop())) {
      events.want_notifications(true);
      if (!events.has_available() || !events.usable()) return;
      continue;
    }
    {
      std::lock_guard lock{faults_mutex_};
      if (!faults_.empty()) faults_.pop_front();
    }
    bool told = chain && deliver(fault, *chain);
    (told ? reported_ : lost_).fetch_add(1, std::memory_order_relaxed);
  }
}

bool VirtioIommu::deliver(const VirtioIommuRegion::Fault& fault, Chain& chain) {
  std::array<u8, FaultLayout::kSize> record{};
  bool reads = (fault.access & (Access::Read | Access::Execute)) != Access::None;
  bool writes = allows(fault.access, Access::Write);
  record[FaultLayout::kReason] = u8(fault.reason);
  put_le<u32>(&record[FaultLayout::kFlags], flag_if(reads, FaultLayout::kFlagRead) |
                                                flag_if(writes, FaultLayout::kFlagWrite) |
                                                FaultLayout::kFlagAddress);
  put_le<u32>(&record[FaultLayout::kEndpoint], fault.endpoint);
  put_le<u64>(&record[FaultLayout::kAddress], fault.address);
  // Too small a buffer is not continued in the next one.
  bool fits = chain.write(0, record);
  complete(kEventQueue, chain, fits ? record.size() : 0);
  return fits;
}

std::string VirtioIommu::report() const {
  std::string text =
      region_->bypass() ? "  unattached endpoints bypass\n" : "  unattached endpoints are blocked\n";
  char line[160];
  for (const VirtioIommuRegion::EndpointInfo& e : region_->endpoints()) {
    std::snprintf(line, sizeof line, "  endpoint 0x%x: %s%s\n", e.id,
                  e.domain ? ("domain " + std::to_string(*e.domain)).c_str() : "unattached",
                  e.bypass ? ", bypass" : "");
    text += line;
  }
  for (const VirtioIommuRegion::DomainInfo& d : region_->domains()) {
    std::snprintf(line, sizeof line, "  domain %u: %zu endpoints, %zu mappings%s\n", d.id, d.endpoints.size(),
                  d.mappings, d.bypass ? ", bypass" : "");
    text += line;
  }
  const Counters c = counters();
  std::snprintf(
      line, sizeof line,
      "  requests: %llu ok, %llu refused, %llu not parsed; faults: %llu reported, %llu lost\n",
      static_cast<unsigned long long>(c.requests_ok), static_cast<unsigned long long>(c.requests_refused),
      static_cast<unsigned long long>(c.requests_unparsed),
      static_cast<unsigned long long>(c.faults_reported), static_cast<unsigned long long>(c.faults_lost));
  return text + line;
}

}  // namespace sluice
