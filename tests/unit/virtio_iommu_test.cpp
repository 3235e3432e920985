// The virtio IOMMU device through its queues and its configuration space. VIRTIO 1.3, 5.13.
#include "tests/unit/virtio_iommu_rig.h"

namespace sluice::virtio_test {
namespace {

using Options = IommuDriver::Options;

// 5.13.4, and the defaults of 5.13.6 where no range is set.
TEST(VirtioIommu, ConfigurationIsLittleEndianAndComplete) {
  IommuDriver d{{.config = {.page_size_mask = 0x40201000,
                            .input_range = {0x1000, 0xffff'ffff'ffff},
                            .first_domain = 2,
                            .last_domain = 0x1234'5678,
                            .bypass_at_boot = true,
                            .probe_size = 48}}};
  EXPECT_EQ(d.read(0x008), 23u);
  EXPECT_EQ(d.config64(0), 0x40201000u);
  EXPECT_EQ(d.config64(8), 0x1000u);
  EXPECT_EQ(d.config64(16), 0xffff'ffff'ffffu);
  EXPECT_EQ(d.read(0x100 + 24), 2u);
  EXPECT_EQ(d.read(0x100 + 28), 0x1234'5678u);
  EXPECT_EQ(d.read(0x100 + 32), 48u);
  EXPECT_EQ(d.read(0x100 + 36), 1u);  // bypass and three zero bytes
  EXPECT_EQ(d.read(0x100 + 28, 1), 0x78u);
}

TEST(VirtioIommu, DefaultsCoverAllAddressesAndAllDomains) {
  IommuDriver d{{.config = {}}};
  EXPECT_EQ(d.config64(0), ~u64{0xfff});
  EXPECT_EQ(d.config64(8), 0u);
  EXPECT_EQ(d.config64(16), ~u64{0});
  EXPECT_EQ(d.read(0x100 + 24), 0u);
  EXPECT_EQ(d.read(0x100 + 28), ~u32{0});
  EXPECT_EQ(d.read(0x100 + 32), 512u);
}

// 5.13.3.2: BYPASS (3) is not offered beside BYPASS_CONFIG.
TEST(VirtioIommu, OffersItsFeaturesButNotTheOldBypass) {
  IommuDriver d;
  EXPECT_EQ(d.offered() & 0xff'ffff, kAllIommuFeatures);
}

TEST(VirtioIommu, OffersALegacyDriverNothing) {
  Driver d{true};
  auto& iommu = d.plug<VirtioIommu>(d.memory.hub(), d.memory.space());
  (void)iommu;
  EXPECT_EQ(d.offered() & 0x00ff'ffff, 0u);
}

// What the world looks like before each row of the table below.
//   endpoint 8: attached to domain 1, which has [0x10000, 0x1ffff] and [0x30000, 0x30fff]
//   endpoint 9: attached to domain 2, a bypass domain
//   endpoint 10: unattached; has a reserved region and a doorbell
struct World : IommuDriver {
  World()
      : IommuDriver({.config = {.input_range = {0, 0xffff'ffff},
                                .first_domain = 1,
                                .last_domain = 100,
                                .bypass_at_boot = false,
                                .max_mappings = 4}}) {
    EXPECT_EQ(iommu.add_endpoint(10, {{{0x40000, 0x4ffff}}, {{0x80000, 0x80fff}, kMsi}}), "");
    EXPECT_EQ(attach(1, 8), kOk);
    EXPECT_EQ(attach(2, 9, 1), kOk);
    EXPECT_EQ(map(1, 0x10000, 0x1ffff, kWindow), kOk);
    EXPECT_EQ(map(1, 0x30000, 0x30fff, kWindow), kOk);
  }
  // Everything that a driver can find out about the state.
  std::string state() {
    std::string s;
    for (const auto& e : iommu.region()->endpoints())
      s +=
          std::to_string(e.id) + ":" + (e.domain ? std::to_string(*e.domain) : "-") + (e.bypass ? "b " : " ");
    for (const auto& domain : iommu.region()->domains())
      for (const Mapping& m : iommu.region()->mappings(domain.id))
        s += std::to_string(m.input.first) + "-" + std::to_string(m.input.last) + " ";
    return s;
  }
};

struct Row {
  const char* what;
  Bytes request;
  int status;
};
using D = IommuDriver;
constexpr u32 kRw = kReadFlag | kWriteFlag;
constexpr u64 kTop = ~u64{0};

const Row kRows[] = {
    // 5.13.6.1
    {"ATTACH: an unattached endpoint to a new domain", D::attach_bytes(3, 10), kOk},
    {"ATTACH: a second endpoint", D::attach_bytes(1, 10), kOk},
    {"ATTACH: from one domain to another", D::attach_bytes(3, 8), kOk},
    {"ATTACH: to its own domain again", D::attach_bytes(1, 8), kOk},
    {"ATTACH: a new bypass domain", D::attach_bytes(3, 10, 1), kOk},
    {"ATTACH: another one to a bypass domain", D::attach_bytes(2, 10, 1), kOk},
    {"ATTACH: reserved field", D::attach_bytes(3, 10, 0, 1), kInval},
    {"ATTACH: unknown flag", D::attach_bytes(3, 10, 2), kInval},
    {"ATTACH: highest unknown flag", D::attach_bytes(3, 10, 1u << 31), kInval},
    {"ATTACH: no such endpoint", D::attach_bytes(3, 11), kNoEnt},
    {"ATTACH: no such endpoint beats the domain range", D::attach_bytes(0, 11), kNoEnt},
    {"ATTACH: a reserved field beats a missing endpoint", D::attach_bytes(3, 11, 0, 1), kInval},
    {"ATTACH: below the domain range", D::attach_bytes(0, 10), kRange},
    {"ATTACH: above the domain range", D::attach_bytes(101, 10), kRange},
    {"ATTACH: last of the domain range", D::attach_bytes(100, 10), kOk},
    {"ATTACH: bypass to a domain with mappings", D::attach_bytes(1, 10, 1), kInval},
    {"ATTACH: no bypass to a bypass domain", D::attach_bytes(2, 10), kInval},
    {"ATTACH: its own domain with the other flag", D::attach_bytes(1, 8, 1), kInval},
    // 5.13.6.2
    {"DETACH", D::detach_bytes(1, 8), kOk},
    {"DETACH: from a bypass domain", D::detach_bytes(2, 9), kOk},
    {"DETACH: the reserved field is ignored", D::detach_bytes(1, 8, ~u64{0}), kOk},
    {"DETACH: no such endpoint", D::detach_bytes(1, 11), kNoEnt},
    {"DETACH: unattached", D::detach_bytes(1, 10), kInval},
    {"DETACH: attached elsewhere", D::detach_bytes(2, 8), kInval},
    {"DETACH: no such domain", D::detach_bytes(50, 8), kInval},
    // 5.13.6.3
    {"MAP: read and write", D::map_bytes(1, 0x20000, 0x20fff, 0, kRw), kOk},
    {"MAP: between two mappings, touching both", D::map_bytes(1, 0x20000, 0x2ffff, 0, kRw), kOk},
    {"MAP: read only", D::map_bytes(1, 0x20000, 0x20fff, 0, kReadFlag), kOk},
    {"MAP: write only", D::map_bytes(1, 0x20000, 0x20fff, 0, kWriteFlag), kOk},
    {"MAP: no right at all", D::map_bytes(1, 0x20000, 0x20fff, 0, 0), kOk},
    {"MAP: MMIO", D::map_bytes(1, 0x20000, 0x20fff, 0, kRw | kMmioFlag), kOk},
    {"MAP: to the last physical byte", D::map_bytes(1, 0x20000, 0x20fff, kTop - 0xfff, kRw), kOk},
    {"MAP: to the end of the input range", D::map_bytes(1, 0xffff'f000, 0xffff'ffff, 0, kRw), kOk},
    {"MAP: unknown flag", D::map_bytes(1, 0x20000, 0x20fff, 0, 8), kInval},
    {"MAP: an unknown flag beats a missing domain", D::map_bytes(50, 0x20000, 0x20fff, 0, 8), kInval},
    {"MAP: no such domain", D::map_bytes(50, 0x20000, 0x20fff, 0, kRw), kNoEnt},
    {"MAP: bypass domain", D::map_bytes(2, 0x20000, 0x20fff, 0, kRw), kInval},
    {"MAP: upside down", D::map_bytes(1, 0x21000, 0x20fff, 0, kRw), kInval},
    {"MAP: upside down by far", D::map_bytes(1, kTop - 0xfff, 0xfff, 0, kRw), kInval},
    {"MAP: virt_start not aligned", D::map_bytes(1, 0x20800, 0x20fff, 0, kRw), kRange},
    {"MAP: virt_end + 1 not aligned", D::map_bytes(1, 0x20000, 0x21000, 0, kRw), kRange},
    {"MAP: phys_start not aligned", D::map_bytes(1, 0x20000, 0x20fff, 0x10, kRw), kRange},
    {"MAP: beyond the input range", D::map_bytes(1, 0x1'0000'0000, 0x1'0000'0fff, 0, kRw), kRange},
    {"MAP: reaches beyond the input range", D::map_bytes(1, 0xffff'f000, 0x1'0000'0fff, 0, kRw), kRange},
    {"MAP: phys_end wraps around", D::map_bytes(1, 0x20000, 0x21fff, kTop - 0xfff, kRw), kRange},
    {"MAP: the same again", D::map_bytes(1, 0x10000, 0x1ffff, kWindow, kRw), kInval},
    {"MAP: inside a mapping", D::map_bytes(1, 0x12000, 0x12fff, 0, kRw), kInval},
    {"MAP: around mappings", D::map_bytes(1, 0, 0xfffff, 0, kRw), kInval},
    {"MAP: into the first page of a mapping", D::map_bytes(1, 0xf000, 0x10fff, 0, kRw), kInval},
    {"MAP: into the last page of a mapping", D::map_bytes(1, 0x1f000, 0x20fff, 0, kRw), kInval},
    // 5.13.6.4, with the examples of the specification
    {"UNMAP: one mapping", D::unmap_bytes(1, 0x10000, 0x1ffff), kOk},
    {"UNMAP: two and the hole between", D::unmap_bytes(1, 0x10000, 0x30fff), kOk},
    {"UNMAP: spilling over at both ends", D::unmap_bytes(1, 0, kTop), kOk},
    {"UNMAP: nothing there", D::unmap_bytes(1, 0x20000, 0x2ffff), kOk},
    {"UNMAP: a hole, unaligned", D::unmap_bytes(1, 0x20001, 0x20003), kOk},
    {"UNMAP: no such domain", D::unmap_bytes(50, 0, kTop), kNoEnt},
    {"UNMAP: bypass domain", D::unmap_bytes(2, 0, kTop), kInval},
    {"UNMAP: upside down", D::unmap_bytes(1, 0x1ffff, 0x10000), kInval},
    {"UNMAP: reserved field", D::unmap_bytes(1, 0x10000, 0x1ffff, 1), kInval},
    {"UNMAP: the first half", D::unmap_bytes(1, 0x10000, 0x17fff), kRange},
    {"UNMAP: the second half", D::unmap_bytes(1, 0x18000, 0x1ffff), kRange},
    {"UNMAP: all but the last byte", D::unmap_bytes(1, 0x10000, 0x1fffe), kRange},
    {"UNMAP: all but the first byte", D::unmap_bytes(1, 0x10001, 0x1ffff), kRange},
    {"UNMAP: out of the middle", D::unmap_bytes(1, 0x12000, 0x12fff), kRange},
    {"UNMAP: one whole and one in part", D::unmap_bytes(1, 0x10000, 0x307ff), kRange},
    // 5.13.6: not known, not to be parsed
    {"type 0", head(0).zeroes(68), kUnwritten},
    {"type 6", head(6).zeroes(68), kUnwritten},
    {"type 255", head(255).zeroes(68), kUnwritten},
    {"empty request", {}, kUnwritten},
    {"only the head of ATTACH", head(1), kUnwritten},
    {"ATTACH, one byte short", head(1).word(3).word(10).word(0).zeroes(3), kUnwritten},
    {"DETACH, one byte short", head(2).word(1).word(8).zeroes(7), kUnwritten},
    {"MAP, one byte short", head(3).word(1).quad(0x20000).quad(0x20fff).quad(0).zeroes(3), kUnwritten},
    {"UNMAP, one byte short", head(4).word(1).quad(0x10000).quad(0x1ffff).zeroes(3), kUnwritten},
    {"PROBE, one byte short", head(5).word(8).zeroes(63), kUnwritten},
};

TEST(VirtioIommu, AnswersEveryRequestWithTheStatusOfTheSpecification) {
  for (const Row& row : kRows) {
    World w;
    std::string before = w.state();
    EXPECT_EQ(w.status_of(row.request), row.status) << row.what;
    if (row.status != kOk) {
      EXPECT_EQ(w.state(), before) << row.what << ": refused, and yet something changed";
    }
    EXPECT_FALSE(w.needs_reset()) << row.what;
  }
}

// 5.13.6: `reserved` of the head MUST be ignored; what is behind the request is not part of it.
TEST(VirtioIommu, IgnoresTheReservedBytesOfTheHeadAndWhatFollowsARequest) {
  World w;
  Bytes request = D::attach_bytes(3, 10);
  request[1] = request[2] = request[3] = 0xff;
  request.resize(200, 0xff);
  EXPECT_EQ(w.status_of(request), kOk);
}

TEST(VirtioIommu, FindsTheTailOnlyInAWritablePartThatHoldsIt) {
  World w;
  for (u32 writable : {0u, 1u, 3u}) {
    auto reply = w.exchange(D::detach_bytes(1, 8), writable);
    EXPECT_EQ(reply.used, 0u);
    EXPECT_EQ(reply.written, Bytes(writable, 0xa5));
  }
  EXPECT_EQ(w.iommu.region()->domains().size(), 2u);  // and nothing was done
  auto reply = w.exchange(D::detach_bytes(1, 8), 100);
  EXPECT_EQ(reply.used, 4u);
  EXPECT_EQ(Bytes(reply.written.begin(), reply.written.begin() + 5), (Bytes{0, 0, 0, 0, 0xa5}));
}

TEST(VirtioIommu, TakesRequestsCutIntoSingleBytes) {
  World w;
  Bytes request = D::unmap_bytes(1, 0x10000, 0x1ffff);
  u64 at = w.memory.allocate(256);
  w.memory.put_bytes(at, request);
  std::vector<Buffer> chain;
  for (u32 i = 0; i < request.size(); i++) chain.push_back({at + i, 1, false});
  for (u32 i = 0; i < 4; i++) chain.push_back({at + 128 + 2 * i, 1, true});
  w.memory.put_bytes(at + 128, Bytes(8, 0xa5));
  w.add(0, chain);
  w.kick(0);
  EXPECT_EQ(w.next_used(0)->length, 4u);
  EXPECT_EQ(w.memory.get_bytes(at + 128, 8), (Bytes{0, 0xa5, 0, 0xa5, 0, 0xa5, 0, 0xa5}));
}

// Nobody else waits for long: what is left is served from the timer.
TEST(VirtioIommu, ServesHeavyRequestsInSlices) {
  IommuDriver d;
  EXPECT_EQ(d.attach(1, 8), kOk);
  VirtioIommuRegion& region = *d.iommu.region();
  for (u64 i = 0; i < 70'000; i++)
    region.map({1, {i << 12, (i << 12) + 0xfff}, kWindow, Access::Read, false});
  u64 at = d.memory.allocate(256);
  d.memory.put_bytes(at, D::unmap_bytes(1, 0, kTop));
  d.memory.put_bytes(at + 64, D::map_bytes(1, 0, 0xfff, kWindow, kReadFlag));
  u16 first = d.add(0, {{at, 28, false}, {at + 128, 4, true}});
  u16 second = d.add(0, {{at + 64, 36, false}, {at + 132, 4, true}});
  d.kick(0);
  EXPECT_EQ(d.next_used(0)->id, first);
  EXPECT_FALSE(d.next_used(0));
  EXPECT_FALSE(d.reads(8, 0));
  d.clock.advance_to(d.clock.now_ns() + 1'000'000);
  d.clock.run_expired();
  EXPECT_EQ(d.next_used(0)->id, second);
  EXPECT_TRUE(d.reads(8, 0));
}

TEST(VirtioIommu, RefusesMoreMappingsThanItsLimit) {
  World w;  // 2 of 4
  EXPECT_EQ(w.map(1, 0x50000, 0x50fff, 0), kOk);
  EXPECT_EQ(w.map(1, 0x51000, 0x51fff, 0), kOk);
  EXPECT_EQ(w.map(1, 0x52000, 0x52fff, 0), kNoMem);
  EXPECT_EQ(w.unmap(1, 0x50000, 0x50fff), kOk);
  EXPECT_EQ(w.map(1, 0x52000, 0x52fff, 0), kOk);
  EXPECT_EQ(w.attach(3, 8), kOk);  // domain 1 is gone, with its mappings
  for (u64 i = 0; i < 4; i++) EXPECT_EQ(w.map(3, i << 12, (i << 12) + 0xfff, 0), kOk);
}

// 5.13.6.1: an endpoint whose reserved region is mapped in the domain is not compatible with it.
TEST(VirtioIommu, KeepsReservedRegionsAndMappingsApart) {
  World w;
  EXPECT_EQ(w.map(1, 0x40000, 0x40fff, 0), kOk);  // endpoint 8 has no reserved regions
  EXPECT_EQ(w.attach(1, 10), kUnsupp);
  EXPECT_EQ(w.unmap(1, 0x40000, 0x40fff), kOk);
  EXPECT_EQ(w.attach(1, 10), kOk);
  EXPECT_EQ(w.map(1, 0x40000, 0x40fff, 0), kInval);
  EXPECT_EQ(w.map(1, 0x4f000, 0x50fff, 0), kInval);
  EXPECT_EQ(w.map(1, 0x3f000, 0x40fff, 0), kInval);
  EXPECT_EQ(w.map(1, 0x80000, 0x80fff, 0), kInval);
  EXPECT_EQ(w.map(1, 0x50000, 0x50fff, 0), kOk);
}

TEST(VirtioIommu, RequestsNeedTheirFeatures) {
  IommuDriver no_map{{.features = kAllIommuFeatures & ~4u}};
  EXPECT_EQ(no_map.attach(1, 8), kUnwritten);
  EXPECT_EQ(no_map.map(1, 0, 0xfff, 0), kUnwritten);
  IommuDriver no_mmio{{.features = kAllIommuFeatures & ~0x20u}};
  EXPECT_EQ(no_mmio.attach(1, 8), kOk);
  EXPECT_EQ(no_mmio.map(1, 0, 0xfff, 0, kRw | kMmioFlag), kInval);
  EXPECT_EQ(no_mmio.map(1, 0, 0xfff, 0, kRw), kOk);
  IommuDriver no_bypass{{.features = kAllIommuFeatures & ~0x40u}};
  EXPECT_EQ(no_bypass.attach(1, 8, 1), kInval);
  IommuDriver no_probe{{.features = kAllIommuFeatures & ~0x10u}};
  auto reply = no_probe.exchange(D::probe_bytes(8), 516);
  EXPECT_EQ(reply.used, 0u);
  EXPECT_EQ(reply.written, Bytes(516, 0xa5));
}

// ---- PROBE: 5.13.6.5 ----

TEST(VirtioIommu, ProbeListsReservedRegionsAndPadsWithZeroes) {
  IommuDriver d{{.config = {.probe_size = 64}}};
  EXPECT_EQ(d.iommu.add_endpoint(20, {{{0x8000000, 0x80fffff}, kMsi}, {{0x1000, 0x1fff}}}), "");
  auto reply = d.exchange(D::probe_bytes(20, 0xff), 68);
  EXPECT_EQ(reply.used, 68u);
  Bytes expected = Words()
                       .word(1 | 20 << 16)
                       .word(0)
                       .quad(0x1000)
                       .quad(0x1fff)  // RESERVED
                       .word(1 | 20 << 16)
                       .word(1)
                       .quad(0x8000000)
                       .quad(0x80fffff)  // MSI
                       .zeroes(16)
                       .word(0);
  EXPECT_EQ(reply.written, expected);
}

TEST(VirtioIommu, ProbeOfAnEndpointWithoutPropertiesIsAllZeroes) {
  IommuDriver d;
  auto reply = d.exchange(D::probe_bytes(8), 516);
  EXPECT_EQ(reply.used, 516u);
  EXPECT_EQ(reply.written, Bytes(516, 0));
}

TEST(VirtioIommu, ProbeRefusesAMissingEndpointAndASmallBuffer) {
  IommuDriver d;
  EXPECT_EQ(d.iommu.add_endpoint(20, {{{0x1000, 0x1fff}}}), "");
  auto missing = d.exchange(D::probe_bytes(77), 516);
  EXPECT_EQ(missing.used, 516u);
  EXPECT_EQ(missing.written, Words().zeroes(512).word(kNoEnt));
  auto small = d.exchange(D::probe_bytes(20), 515);  // one byte too few: no property is written
  EXPECT_EQ(small.used, 515u);
  EXPECT_EQ(small.written, Words().zeroes(511).word(kInval));
  auto tail_only = d.exchange(D::probe_bytes(20), 4);
  EXPECT_EQ(tail_only.written, Words().word(kInval));
  auto large = d.exchange(D::probe_bytes(20), 600);  // the tail is where the structure has it
  EXPECT_EQ(large.used, 516u);
  EXPECT_EQ(large.written[512], kOk);
  EXPECT_EQ(large.written[516], 0xa5);
}

TEST(VirtioIommu, PropertiesThatCannotBePresentedAreRefusedWhenTheMachineIsWired) {
  IommuDriver d{{.config = {.probe_size = 24}}};
  EXPECT_NE(d.iommu.add_endpoint(20, {{{0x2000, 0x1fff}}}), "");
  EXPECT_NE(d.iommu.add_endpoint(20, {{{0, 0xfff}, kMsi}, {{0x2000, 0x2fff}, kMsi}}), "");
  EXPECT_NE(d.iommu.add_endpoint(20, {{{0, 0xfff}}, {{0x2000, 0x2fff}}}), "");  // 48 bytes
  EXPECT_EQ(d.iommu.add_endpoint(20, {{{0, 0xfff}}, {{0x1000, 0x2fff}}}), "");  // one region
}

// ---- Faults: 5.13.6.7 ----

TEST(VirtioIommu, RecordsFaultsWithReasonFlagsEndpointAndAddress) {
  World w;
  w.give_event_buffers(8);
  struct {
    u32 endpoint;
    u64 address;
    bool write;
    u8 reason;
  } cases[] = {
      {77, 0x1234, false, 0},   // no such endpoint: UNKNOWN
      {10, 0x1235, true, 1},    // unattached: DOMAIN
      {10, 0x80004, true, 1},   // also at its doorbell
      {8, 0x20000, false, 2},   // not mapped: MAPPING
      {8, 0x30001, true, 2},    // not writable
      {10, 0x40000, false, 2},  // reserved
  };
  EXPECT_EQ(w.unmap(1, 0x30000, 0x30fff), kOk);
  EXPECT_EQ(w.map(1, 0x30000, 0x30fff, kWindow, kReadFlag), kOk);
  for (auto& c : cases) {
    EXPECT_FALSE(c.write ? w.writes(c.endpoint, c.address) : w.reads(c.endpoint, c.address));
    auto fault = w.next_fault();
    ASSERT_TRUE(fault) << c.endpoint << " " << c.address;
    EXPECT_EQ(fault->used, 24u);
    EXPECT_EQ(fault->reason, c.reason);
    EXPECT_EQ(fault->flags, 0x100u | (c.write ? 2 : 1));
    EXPECT_EQ(fault->endpoint, c.endpoint);
    EXPECT_EQ(fault->address, c.address);
    EXPECT_EQ(fault->reserved, 0u);
  }
  EXPECT_EQ(w.iommu.counters().faults_reported, 6u);
  EXPECT_EQ(w.iommu.counters().faults_lost, 0u);
}

TEST(VirtioIommu, AFaultIsRecordedOncePerTransactionAndNeverByTheDebugger) {
  World w;
  w.give_event_buffers(8);
  std::array<std::byte, 64> bytes;
  EXPECT_FALSE(w.port(8).read(0x20000, bytes).is_ok());
  EXPECT_TRUE(w.next_fault());
  EXPECT_FALSE(w.next_fault());
  EXPECT_FALSE(w.dma.peek(GuestPhysAddr{0x20000}, bytes, MemTxAttrs::device(1, 8)).is_ok());
  EXPECT_FALSE(w.next_fault());
}

TEST(VirtioIommu, ATooSmallEventBufferComesBackUnwritten) {
  World w;
  w.give_event_buffers(1, 23);
  EXPECT_FALSE(w.reads(8, 0x20000));
  auto fault = w.next_fault();
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->used, 0u);
  EXPECT_EQ(w.iommu.counters().faults_lost, 1u);
  w.give_event_buffers(1);
  EXPECT_FALSE(w.reads(8, 0x20000));
  EXPECT_EQ(w.next_fault()->used, 24u);
}

TEST(VirtioIommu, ResetForgetsFaultsThatNobodyHasRead) {
  World w;
  EXPECT_FALSE(w.reads(8, 0x20000));
  w.begin(kAllIommuFeatures);
  w.give_event_buffers(2);
  EXPECT_FALSE(w.next_fault());
}

// ---- Bypass: 5.13.4, 5.13.6 ----

TEST(VirtioIommu, BypassHoldsBeforeTheDriverComesAndWithoutItsConsent) {
  IommuDriver d{{.config = {.bypass_at_boot = true}, .start = false}};
  EXPECT_EQ(d.where(8, kWindow + 5), kWindow + 5);
  EXPECT_EQ(d.where(77, kWindow), kWindow);  // not even an endpoint
  d.begin(kAllIommuFeatures & ~0x40u);       // without BYPASS_CONFIG
  EXPECT_TRUE(d.reads(8, kWindow));
  EXPECT_EQ(d.attach(1, 8), kOk);
  EXPECT_FALSE(d.reads(8, kWindow));
  EXPECT_TRUE(d.reads(9, kWindow));
}

TEST(VirtioIommu, BypassIsWritableOnlyWithItsFeatureAndOnlyZeroOrOne) {
  IommuDriver d{{.config = {.bypass_at_boot = true}, .features = kAllIommuFeatures & ~0x40u}};
  d.write_bypass(0);
  EXPECT_EQ(d.read_bypass(), 1);
  d.begin(kAllIommuFeatures);
  d.write_bypass(2);
  EXPECT_EQ(d.read_bypass(), 1);
  d.write_bypass(0);
  EXPECT_EQ(d.read_bypass(), 0);
  EXPECT_FALSE(d.reads(8, kWindow));
  d.write(0x100 + 36, 1, 4);  // the reserved bytes are not the driver's
  d.write(0x100, 0, 4);       // nor is page_size_mask
  EXPECT_EQ(d.read_bypass(), 0);
  EXPECT_EQ(d.config64(0), ~u64{0xfff});
}

TEST(VirtioIommu, BypassSurvivesADeviceResetAndReturnsAtASystemReset) {
  IommuDriver d{{.config = {.bypass_at_boot = true}}};
  d.write_bypass(0);
  EXPECT_EQ(d.attach(1, 8), kOk);
  d.write(0x70, 0);
  EXPECT_EQ(d.read_bypass(), 0);
  EXPECT_FALSE(d.reads(8, kWindow));
  {
    CompletionScope scope;
    std::lock_guard lock{d.slot().lock()};
    d.slot().reset();
    d.iommu.system_reset();
  }
  EXPECT_EQ(d.read_bypass(), 1);
  EXPECT_TRUE(d.reads(8, kWindow));
}

TEST(VirtioIommu, ABypassDomainPassesEverythingButReservedRegions) {
  World w;
  EXPECT_TRUE(w.reads(9, kWindow));
  EXPECT_EQ(w.attach(2, 10, 1), kOk);
  EXPECT_EQ(w.where(10, 0x3ffff), 0x3ffffu);
  EXPECT_EQ(w.where(10, 0x40000), std::nullopt);
  EXPECT_EQ(w.where(10, 0x50000), 0x50000u);
  EXPECT_EQ(w.where(10, 0x80000), 0x80000u);  // the doorbell is an address like any other
  EXPECT_EQ(w.where(10, ~u64{0}), ~u64{0});
}

// ---- Reserved regions in use: 5.13.6.6.3 ----

TEST(VirtioIommu, ADoorbellTakesWritesUntranslatedAndNothingElse) {
  IommuDriver d;
  EXPECT_EQ(d.iommu.add_endpoint(10, {{{kWindow, kWindow + 0xfff}, kMsi}}), "");
  EXPECT_FALSE(d.writes(10, kWindow));
  EXPECT_EQ(d.attach(1, 10), kOk);
  EXPECT_TRUE(d.writes(10, kWindow + 0xfff));
  EXPECT_EQ(d.memory.get<u8>(kWindow + 0xfff), 0x5a);
  EXPECT_FALSE(d.reads(10, kWindow));
  EXPECT_FALSE(d.writes(10, kWindow + 0x1000));
  EXPECT_EQ(d.map(1, 0, 0xfff, kWindow), kOk);
  EXPECT_EQ(d.unmap(1, 0, ~u64{0}), kOk);
  EXPECT_TRUE(d.writes(10, kWindow));  // no UNMAP takes it away
}

// ---- Rights ----

TEST(VirtioIommu, EachFlagAllowsItsAccessAndNoOther) {
  IommuDriver d;
  EXPECT_EQ(d.attach(1, 8), kOk);
  for (u32 flags = 0; flags < 8; flags++) {
    u64 at = u64{flags} << 12;
    EXPECT_EQ(d.map(1, at, at + 0xfff, kWindow, flags), kOk);
    EXPECT_EQ(d.reads(8, at), (flags & kReadFlag) != 0);
    EXPECT_EQ(d.writes(8, at), (flags & kWriteFlag) != 0);
    // An instruction fetch is a read of the bus.
    EXPECT_EQ(d.where(8, at, Access::Execute).has_value(), (flags & kReadFlag) != 0);
  }
}

TEST(VirtioIommu, TellsTheMonitorWhatItHolds) {
  World w;
  const VirtioIommuRegion& r = *w.iommu.region();
  ASSERT_EQ(r.endpoints().size(), 3u);
  EXPECT_EQ(r.endpoints()[0].domain, 1u);
  EXPECT_TRUE(r.endpoints()[1].bypass);
  EXPECT_EQ(r.domains()[0].mappings, 2u);
  EXPECT_EQ(r.mappings(1, 0x20000).size(), 1u);
  EXPECT_EQ(r.mapping_count(), 2u);
  auto explain = [&](u64 a, u32 endpoint, Access access) {
    return r.explain(a, MemTxAttrs::device(1, endpoint), access);
  };
  EXPECT_EQ(explain(0x10010, 8, Access::Read),
            "virtio-iommu: endpoint 0x8, domain 1: [0x10000, 0x1ffff] -> 0x40400010");
  EXPECT_EQ(explain(0x20010, 8, Access::Read),
            "virtio-iommu: endpoint 0x8, domain 1: [0x20000, 0x2ffff] refused: not mapped for this access");
  EXPECT_EQ(explain(0x50000, 10, Access::Read),
            "virtio-iommu: endpoint 0xa, unattached: [0x50000, 0x7ffff] refused: not attached to a "
            "domain");
  EXPECT_EQ(explain(5, 9, Access::Write),
            "virtio-iommu: endpoint 0x9, domain 2: [0x0, 0xffffffffffffffff] -> 0x5 (bypass)");
  EXPECT_EQ(w.iommu.counters().requests_ok, 4u);
}

// A PE that sends requests in a loop need not come to a safe point of its own for as long as it likes.
TEST(VirtioIommu, FreesWhatRequestsReplaceWhileAPePassesNoSafePoint) {
  IommuDriver d;
  ASSERT_EQ(d.attach(1, 8), kOk);
  EpochDomain::Thread pe(d.memory.hub().epochs());
  const size_t before = d.memory.hub().epochs().retired();
  for (u64 n = 0; n < 1000; n++) {
    const u64 page = n % 64 * 0x1000;
    ASSERT_EQ(d.map(1, page, page + 0xfff, kWindow), kOk);
    ASSERT_EQ(d.unmap(1, page, page + 0xfff), kOk);
  }
  EXPECT_EQ(d.memory.hub().epochs().retired(), before);
}

}  // namespace
}  // namespace sluice::virtio_test
