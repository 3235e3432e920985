// The virtio IOMMU under random requests, against a list, with host containers that mirror two endpoints; and
// under raw bytes and raw rings. Seeds are printed; SLUICE_SEED repeats a run.
#include <map>

#include "tests/support/memory_world.h"
#include "tests/unit/virtio_iommu_rig.h"

namespace sluice::virtio_test {
namespace {

constexpr u64 kTop = ~u64{0};
constexpr u64 kPages = 48;  // of input addresses that are in use, at either end of the space

// The specification, said as simply as possible.
struct Model {
  struct Map {
    u64 first, last, phys;
    u32 flags;
  };
  struct Domain {
    bool bypass;
    std::vector<Map> maps;
  };
  std::map<u32, Domain> domains;
  std::map<u32, std::optional<u32>> endpoints;
  std::map<u32, std::vector<ReservedRegion>> reserved;
  bool bypass = false;

  static bool overlap(u64 a, u64 b, u64 c, u64 d) { return a <= d && c <= b; }
  void leave(u32 endpoint) {
    auto& at = endpoints[endpoint];
    if (!at) return;
    u32 domain = *at;
    at.reset();
    for (auto& [id, in] : endpoints)
      if (in == domain) return;
    domains.erase(domain);
  }
  int attach(u32 domain, u32 endpoint, u32 flags, u32 zero) {
    if (zero || flags > 1) return kInval;
    if (!endpoints.count(endpoint)) return kNoEnt;
    if (domain < 1 || domain > 6) return kRange;
    auto d = domains.find(domain);
    if (d != domains.end()) {
      if (d->second.bypass != (flags == 1)) return kInval;
      if (endpoints[endpoint] == domain) return kOk;
      for (const Map& m : d->second.maps)
        for (const ReservedRegion& r : reserved[endpoint])
          if (overlap(m.first, m.last, r.range.first, r.range.last)) return kUnsupp;
    }
    leave(endpoint);
    domains.try_emplace(domain, Domain{flags == 1, {}});
    endpoints[endpoint] = domain;
    return kOk;
  }
  int detach(u32 domain, u32 endpoint) {
    if (!endpoints.count(endpoint)) return kNoEnt;
    if (endpoints[endpoint] != domain) return kInval;
    leave(endpoint);
    return kOk;
  }
  int map(u32 domain, u64 first, u64 last, u64 phys, u32 flags) {
    if (flags & ~7u) return kInval;
    auto d = domains.find(domain);
    if (d == domains.end()) return kNoEnt;
    if (d->second.bypass || first > last) return kInval;
    if ((first | phys | (last + 1)) & 0xfff) return kRange;
    if (last - first > kTop - phys) return kRange;
    for (auto& [id, in] : endpoints)
      if (in == domain)
        for (const ReservedRegion& r : reserved[id])
          if (overlap(first, last, r.range.first, r.range.last)) return kInval;
    for (const Map& m : d->second.maps)
      if (overlap(first, last, m.first, m.last)) return kInval;
    d->second.maps.push_back({first, last, phys, flags});
    return kOk;
  }
  int unmap(u32 domain, u64 first, u64 last) {
    auto d = domains.find(domain);
    if (d == domains.end()) return kNoEnt;
    if (d->second.bypass || first > last) return kInval;
    for (const Map& m : d->second.maps)
      if (overlap(first, last, m.first, m.last) && (m.first < first || m.last > last)) return kRange;
    std::erase_if(d->second.maps, [&](const Map& m) { return overlap(first, last, m.first, m.last); });
    return kOk;
  }
  std::optional<u64> where(u32 endpoint, u64 address, bool write) const {
    auto e = endpoints.find(endpoint);
    if (e == endpoints.end()) return bypass ? std::optional(address) : std::nullopt;
    const Domain* d = e->second ? &domains.at(*e->second) : nullptr;
    bool passes = d ? d->bypass : bypass;
    for (const ReservedRegion& r : reserved.at(endpoint)) {
      if (!r.range.contains(address)) continue;
      if (r.subtype == kReserved) return {};
      if (!passes) return d && write ? std::optional(address) : std::nullopt;
    }
    if (passes) return address;
    if (!d) return {};
    for (const Map& m : d->maps)
      if (m.first <= address && address <= m.last && (m.flags & (write ? kWriteFlag : kReadFlag)))
        return m.phys + (address - m.first);
    return {};
  }
};

struct RandomWorld : IommuDriver {
  RandomWorld()
      : IommuDriver(
            {.config = {.first_domain = 1, .last_domain = 6, .bypass_at_boot = false}, .endpoints = {8, 9}}) {
    const std::vector<ReservedRegion> some{{{0x10000, 0x13fff}}, {{0x20000, 0x20fff}, kMsi}};
    EXPECT_EQ(iommu.add_mirrored_endpoint(20, host_a), "");
    EXPECT_EQ(iommu.add_mirrored_endpoint(21, host_b, some), "");
    for (u32 id : {8, 9, 20, 21}) model.endpoints[id], model.reserved[id];
    model.reserved[21] = some;
  }
  SoftHostIommu host_a{memory.hub(), {"host a", ~u64{0xfff}, {}}};
  SoftHostIommu host_b{memory.hub(), {"host b", ~u64{0xfff}, {}}};
  Model model;
};

u64 some_page(test::Random& random) {
  u64 page = random.below(kPages) << 12;
  return random.chance(70) ? page : page - (kPages << 12);  // the last pages of all
}
u32 some_endpoint(test::Random& random) {
  static constexpr u32 kIds[] = {8, 9, 20, 21, 20, 21, 5};
  return kIds[random.below(std::size(kIds))];
}

// A domain with mappings and, for UNMAP, the range of one to three of them.
void aim(const Model& model, test::Random& random, u32& domain, u64* first, u64* last) {
  std::vector<u32> ids;
  for (auto& [id, d] : model.domains)
    if (!d.bypass) ids.push_back(id);
  if (ids.empty()) return;
  domain = ids[random.below(ids.size())];
  const auto& maps = model.domains.at(domain).maps;
  if (!first || maps.empty() || random.chance(30)) return;
  const Model::Map &a = maps[random.below(maps.size())], &b = maps[random.below(maps.size())];
  *first = a.first;
  *last = random.chance(80) || b.last < a.first ? a.last : b.last;
}

// Sends one request to both.
void step(RandomWorld& w, test::Random& random) {
  u32 domain = u32(random.between(0, 7)), endpoint = some_endpoint(random);
  u64 first = some_page(random), last = first + (random.between(1, 8) << 12) - 1;
  if (random.chance(3)) first += random.below(0x1000);
  if (random.chance(3)) last += random.below(0x1000);
  if (random.chance(2)) std::swap(first, last);
  const u64 kind = random.below(1000);
  // Mostly about what exists: everything else is refused, and that is soon tested.
  if (kind >= 80 && random.chance(95)) aim(w.model, random, domain, kind >= 630 ? &first : nullptr, &last);
  if (kind < 60) {
    u32 flags = random.chance(25) ? u32(random.between(1, 2)) : 0, zero = random.chance(5);
    ASSERT_EQ(w.status_of(IommuDriver::attach_bytes(domain, endpoint, flags, zero)),
              w.model.attach(domain, endpoint, flags, zero));
  } else if (kind < 80) {
    if (w.model.endpoints.count(endpoint) && random.chance(70))
      domain = w.model.endpoints[endpoint].value_or(domain);
    ASSERT_EQ(w.detach(domain, endpoint), w.model.detach(domain, endpoint));
  } else if (kind < 630) {
    u64 phys = random.chance(3) ? kTop - 0xfff : random.below(256) << 12;
    u32 flags = u32(random.below(random.chance(5) ? 16 : 8));
    ASSERT_EQ(w.map(domain, first, last, phys, flags), w.model.map(domain, first, last, phys, flags));
  } else if (kind < 980) {
    if (random.chance(2)) first = 0;
    if (random.chance(2)) last = kTop;
    ASSERT_EQ(w.unmap(domain, first, last), w.model.unmap(domain, first, last));
  } else if (kind < 997) {
    w.model.bypass = random.chance(50);
    w.write_bypass(w.model.bypass);
  } else {
    w.begin(kAllIommuFeatures);
    for (auto& [id, in] : w.model.endpoints) in.reset();
    w.model.domains.clear();
  }
}

TEST(VirtioIommuRandom, RequestsAgreeWithAListAndMirrorsWithTheDevice) {
  test::Random random(20261121);
  RandomWorld w;
  for (int i = 0; i < 20000; i++) {
    ASSERT_NO_FATAL_FAILURE(step(w, random)) << "step " << i;
    ASSERT_EQ(compare(*w.iommu.region(), w.host_a, 20), "") << "step " << i;
    ASSERT_EQ(compare(*w.iommu.region(), w.host_b, 21), "") << "step " << i;
    for (int look = 0; look < 6; look++) {
      u32 endpoint = some_endpoint(random);
      u64 address = some_page(random) + (random.chance(50) ? 0xfff : random.below(0x1000));
      bool write = random.chance(50);
      ASSERT_EQ(w.where(endpoint, address, write ? Access::Write : Access::Read),
                w.model.where(endpoint, address, write))
          << "step " << i << " endpoint " << endpoint << " address " << address;
    }
  }
  EXPECT_EQ(w.host_a.counters().refused_maps + w.host_b.counters().refused_maps, 0u);
  EXPECT_FALSE(w.needs_reset());
}

// ---- Fuzz: anything may be in the request, and in the rings. Nothing crashes, hangs or is written twice.
// ----

TEST(VirtioIommuFuzz, RawRequestBytesAreAnsweredOrReturnedUnwritten) {
  test::Random random(77);
  RandomWorld w;
  for (int i = 0; i < 20000; i++) {
    Bytes bytes(random.below(random.chance(80) ? 80 : 300));
    for (u8& b : bytes) b = u8(random.chance(60) ? 0 : random.below(256));
    if (!bytes.empty() && random.chance(90)) bytes[0] = u8(random.between(1, 5));
    for (size_t at : {4, 8})  // domains and endpoints that exist
      if (bytes.size() > at && random.chance(70)) bytes[at] = u8(random.chance(50) ? 20 : random.below(8));
    u32 writable = u32(random.below(random.chance(50) ? 8 : 600));
    auto reply = w.exchange(bytes, bytes.empty() && !writable ? 4 : writable);
    ASSERT_TRUE(reply.used == 0 || reply.used >= 4);
    ASSERT_LE(reply.used, writable);
    if (reply.used) {
      ASSERT_LE(reply.written[reply.used - 4], kNoMem);
    }
    for (size_t n = reply.used; n < reply.written.size(); n++) ASSERT_EQ(reply.written[n], 0xa5);
    if (i % 64 == 0) {
      ASSERT_EQ(compare(*w.iommu.region(), w.host_a, 20), "");
    }
  }
  EXPECT_FALSE(w.needs_reset());
}

TEST(VirtioIommuFuzz, RawRingsBreakTheQueueAtWorst) {
  test::Random random(78);
  RandomWorld w;
  unsigned broken = 0;
  for (int i = 0; i < 3000; i++) {
    Ring& ring = w.rings[random.below(2)];
    u64 target = w.memory.allocate(16);
    if (target > kRamBase + kRamSize - 0x200000) target = kRamBase + 0x200000;
    for (u16 n = 0; n < ring.size; n++) {
      if (random.chance(60)) continue;
      u64 address = random.chance(80) ? kRamBase + 0x300000 + random.below(0x10000) : random.below(kTop);
      u32 length = random.chance(85) ? u32(random.below(100)) : u32(random.below(kTop));
      w.put_descriptor(ring.descriptors, n, address, length, u16(random.below(random.chance(90) ? 4 : 8)),
                       u16(random.below(random.chance(95) ? ring.size : 0x10000)));
    }
    for (u16 n = 0; n < ring.size; n++)
      w.memory.put<u16>(ring.available + 4 + 2u * n,
                        u16(random.below(random.chance(97) ? ring.size : 0x10000)));
    ring.available_index = u16(ring.available_index + random.below(random.chance(90) ? 8 : 0x10000));
    w.memory.put<u16>(ring.available + 2, ring.available_index);
    for (int n = 0; n < 4; n++)
      w.memory.put<u8>(kRamBase + 0x300000 + random.below(0x10000), u8(random.below(6)));
    w.kick(0), w.kick(1);
    (void)w.reads(8, some_page(random));  // a fault wants a buffer
    if (w.needs_reset()) {
      broken++;
      w.begin(kAllIommuFeatures);
      (void)w.attach(1, 20);
    }
  }
  EXPECT_GT(broken, 10u);
  w.begin(kAllIommuFeatures);
  EXPECT_EQ(w.attach(1, 8), kOk);  // and it still works
  EXPECT_EQ(w.map(1, 0, 0xfff, kWindow), kOk);
  EXPECT_TRUE(w.reads(8, 0));
}

TEST(VirtioIommuFuzz, RegisterAccessesOfAnyKindLeaveADeviceThatCanBeReset) {
  test::Random random(79);
  RandomWorld w;
  for (int i = 0; i < 50000; i++) {
    unsigned size = 1u << random.below(3);
    u64 offset = random.below(random.chance(70) ? 0x128 : 0x200) & ~u64{size - 1};
    u32 value = u32(random.chance(60) ? random.below(16) : random.below(1ull << 32));
    // Rings in memory, now and then.
    if (offset >= 0x80 && offset < 0xa8) value = random.chance(50) ? u32(kRamBase + 0x200000) : value;
    if (random.chance(50)) {
      w.write(offset, value, size);
    } else {
      (void)w.read(offset, size);
    }
    if (i % 100 == 0) (void)w.writes(20, some_page(random));
    if (i % 500 == 0) {
      ASSERT_EQ(compare(*w.iommu.region(), w.host_a, 20), "");
      w.begin(kAllIommuFeatures);
      (void)w.attach(1, 20);
      (void)w.map(1, 0, 0xfff, kWindow);
      ASSERT_EQ(compare(*w.iommu.region(), w.host_a, 20), "");
    }
  }
}

}  // namespace
}  // namespace sluice::virtio_test
