// tests/unit/virtio_iommu_rig.h: a virtio-iommu, its driver, and endpoints behind it. Requests are put
// together byte by byte from VIRTIO 1.3, 5.13.6, sharing nothing with the device's code.
#pragma once
#include "devices/iommu/virtio_iommu/device.h"
#include "tests/unit/virtio_rig.h"

namespace sluice::virtio_test {

inline constexpr u8 kOk = 0, kUnsupp = 2, kInval = 4, kRange = 5, kNoEnt = 6, kNoMem = 8;
inline constexpr int kUnwritten = -1;
inline constexpr u64 kAllIommuFeatures =
    0x77;  // INPUT_RANGE, DOMAIN_RANGE, MAP_UNMAP, PROBE, MMIO, BYPASS_CONFIG
inline constexpr u32 kReadFlag = 1, kWriteFlag = 2, kMmioFlag = 4;
inline constexpr u64 kWindow = kRamBase + (4 << 20);  // guest memory that endpoints are let into

using ReservedRegion = virtio_iommu::ReservedRegion;
inline constexpr auto kMsi = ReservedRegion::Subtype::Msi;
inline constexpr auto kReserved = ReservedRegion::Subtype::Reserved;

// Little-endian fields one behind the other.
class Words : public Bytes {
 public:
  Words& byte(u8 v) { return put(v, 1); }
  Words& word(u32 v) { return put(v, 4); }
  Words& quad(u64 v) { return put(v, 8); }
  Words& zeroes(size_t n) {
    resize(size() + n);
    return *this;
  }

 private:
  Words& put(u64 v, unsigned n) {
    for (unsigned i = 0; i < n; i++) push_back(u8(v >> (8 * i)));
    return *this;
  }
};
inline Words head(u8 type) { return Words().byte(type).zeroes(3); }

struct IommuDriver : Driver {
  struct Options {
    VirtioIommuConfig config{.bypass_at_boot = false};
    std::vector<u32> endpoints{8, 9};
    u64 features = kAllIommuFeatures;
    bool start = true;
  };
  IommuDriver() : IommuDriver(Options{}) {}
  explicit IommuDriver(Options options)
      : iommu(plug<VirtioIommu>(memory.hub(), memory.space(), options.config)) {
    for (u32 id : options.endpoints) EXPECT_EQ(iommu.add_endpoint(id), "");
    requests_ = memory.allocate(64 * 1024);
    if (options.start) begin(options.features);
  }
  void begin(u64 wanted) { start(wanted, 2, 64); }

  // One request; `used` is the used length. The chain is one readable and one writable buffer.
  struct Reply {
    u32 used = ~u32{0};
    Bytes written;  // the whole writable part
  };
  Reply exchange(const Bytes& request, u32 writable = 4) {
    std::memset(memory.at(requests_), 0xa5, 64 * 1024);
    if (!request.empty()) memory.put_bytes(requests_, request);
    std::vector<Buffer> chain;
    if (!request.empty()) chain.push_back({requests_, u32(request.size()), false});
    if (writable) chain.push_back({requests_ + 32 * 1024, writable, true});
    add(0, chain);
    kick(0);
    auto used = next_used(0);
    EXPECT_TRUE(used) << "the request has not come back";
    if (!used) return {};
    return {used->length, memory.get_bytes(requests_ + 32 * 1024, writable)};
  }
  // The status, or kUnwritten; what must be zero is checked.
  int status_of(const Bytes& request) {
    Reply reply = exchange(request);
    if (reply.used == 0) {
      EXPECT_EQ(reply.written, Bytes(4, 0xa5));
      return kUnwritten;
    }
    EXPECT_EQ(reply.used, 4u);
    EXPECT_EQ(Bytes(reply.written.begin() + 1, reply.written.end()), Bytes(3, 0));
    return reply.written[0];
  }
  static Bytes attach_bytes(u32 domain, u32 endpoint, u32 flags = 0, u32 reserved = 0) {
    return head(1).word(domain).word(endpoint).word(flags).word(reserved);
  }
  static Bytes detach_bytes(u32 domain, u32 endpoint, u64 reserved = 0) {
    return head(2).word(domain).word(endpoint).quad(reserved);
  }
  static Bytes map_bytes(u32 domain, u64 first, u64 last, u64 phys, u32 flags) {
    return head(3).word(domain).quad(first).quad(last).quad(phys).word(flags);
  }
  static Bytes unmap_bytes(u32 domain, u64 first, u64 last, u32 reserved = 0) {
    return head(4).word(domain).quad(first).quad(last).word(reserved);
  }
  static Bytes probe_bytes(u32 endpoint, u8 filler = 0) {
    Bytes bytes = head(5).word(endpoint);
    bytes.insert(bytes.end(), 64, filler);
    return bytes;
  }
  int attach(u32 domain, u32 endpoint, u32 flags = 0) {
    return status_of(attach_bytes(domain, endpoint, flags));
  }
  int detach(u32 domain, u32 endpoint) { return status_of(detach_bytes(domain, endpoint)); }
  int map(u32 domain, u64 first, u64 last, u64 phys, u32 flags = kReadFlag | kWriteFlag) {
    return status_of(map_bytes(domain, first, last, phys, flags));
  }
  int unmap(u32 domain, u64 first, u64 last) { return status_of(unmap_bytes(domain, first, last)); }
  void write_bypass(u8 value) { write(0x100 + 36, value, 1); }
  u8 read_bypass() { return u8(read(0x100 + 36, 1)); }

  // ---- the endpoints ----
  DmaPort port(u32 endpoint) { return {dma, MemTxAttrs::device(1, endpoint)}; }
  // Whether the endpoint can make an access of one byte; it records a fault if it cannot.
  bool reads(u32 endpoint, u64 address) {
    u64 value;
    return port(endpoint).load(address, 1, value).is_ok();
  }
  bool writes(u32 endpoint, u64 address) { return port(endpoint).store(address, 1, 0x5a).is_ok(); }
  // Without side effects: where the access goes, or nothing.
  std::optional<u64> where(u32 endpoint, u64 address, Access access = Access::Read) {
    EpochDomain::Guard guard(memory.hub().epochs());
    MemTxAttrs attrs = MemTxAttrs::device(1, endpoint);
    const VirtioIommuRegion& r = *iommu.region();
    IommuEntry e = r.translate(Iova{address}, access, r.index_for(attrs), attrs, Intent::Debug);
    EXPECT_TRUE(e.input.contains(address));
    if (!allows(e.rights, access) || !e.target) return {};
    return e.output.value + (address - e.input.first);
  }

  // ---- events ----
  struct FaultRecord {
    u8 reason;
    u32 flags, endpoint, reserved;
    u64 address;
    u32 used;
  };
  void give_event_buffers(unsigned count, u32 size = 24) {
    for (unsigned i = 0; i < count; i++) {
      u64 at = memory.allocate(64);
      event_buffers_[add(1, {{at, size, true}})] = at;
    }
    kick(1);
  }
  std::optional<FaultRecord> next_fault() {
    auto used = next_used(1);
    if (!used) return {};
    u64 at = event_buffers_[u16(used->id)];
    return FaultRecord{memory.get<u8>(at),       memory.get<u32>(at + 4),
                       memory.get<u32>(at + 8),  memory.get<u32>(at + 12) | (memory.get<u32>(at) >> 8),
                       memory.get<u64>(at + 16), used->length};
  }

  VirtioIommu& iommu;
  AddressSpace dma{memory.topology(), "dma", iommu.region()};

 private:
  u64 requests_ = 0;
  std::map<u16, u64> event_buffers_;
};

// Compares what the guest's IOMMU lets an endpoint do with what the container does, everywhere: "" or the
// first difference. Walks both by their own blocks and holes.
inline std::string compare(const IommuRegion& guest, const IommuRegion& container, u32 endpoint) {
  EpochDomain::Guard guard(guest.hub().epochs());
  MemTxAttrs attrs = MemTxAttrs::device(1, endpoint);
  auto ask = [&](const IommuRegion& region, u64 at) {
    return region.translate(Iova{at}, Access::Read, region.index_for(attrs), attrs, Intent::Debug);
  };
  for (u64 at = 0;;) {
    IommuEntry a = ask(guest, at), b = ask(container, at);
    Access rights_a = a.target ? a.rights : Access::None, rights_b = b.target ? b.rights : Access::None;
    u64 to_a = a.output.value + (at - a.input.first), to_b = b.output.value + (at - b.input.first);
    bool reachable = rights_a != Access::None;
    if (rights_a != rights_b || (reachable && (to_a != to_b || a.target != b.target)))
      return "they differ at " + std::to_string(at);
    u64 last = std::min(a.input.last, b.input.last);
    if (last == ~u64{0}) return {};
    at = last + 1;
  }
}

}  // namespace sluice::virtio_test
