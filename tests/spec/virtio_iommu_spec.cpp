// virtio-iommu: each spec is a defect or a limit that an existing emulator has had (reference: V rows, and
// the C and D rows that apply, of the lessons). VIRTIO 1.3, 5.13.
#include <thread>

#include "memory/dma.h"
#include "tests/support/memory_world.h"
#include "tests/unit/virtio_iommu_rig.h"

namespace sluice::virtio_test {
namespace {

using test::TestPe;
constexpr u64 kTop = ~u64{0};
const MemTxAttrs k8 = MemTxAttrs::device(1, 8);

// Endpoint 8 in domain 1.
struct Attached : IommuDriver {
  Attached() { EXPECT_EQ(attach(1, 8), kOk); }
};

// V1: 5.13.6.3, the range is [virt_start, virt_end] and nothing else.
SPEC("V1: an access at the last byte of a mapping does not reach past it through its neighbour") {
  Attached w;
  EXPECT_EQ(w.map(1, 0x1000, 0x1fff, kWindow), kOk);
  EXPECT_EQ(w.map(1, 0x2000, 0x2fff, kWindow + 0x8000), kOk);
  EXPECT_EQ(w.where(8, 0x1fff), kWindow + 0xfff);
  EXPECT_EQ(w.where(8, 0x2000), kWindow + 0x8000);
  w.memory.put<u64>(kWindow + 0xff8, 0x1111'1111'1111'1111);
  w.memory.put<u64>(kWindow + 0x8000, 0x2222'2222'2222'2222);
  u64 value = 0;
  EXPECT_TRUE(w.port(8).load(0x1ffc, 8, value).is_ok());
  EXPECT_EQ(value, 0x2222'2222'1111'1111u);  // each half from its own mapping
  EXPECT_EQ(w.unmap(1, 0x2000, 0x2fff), kOk);
  EXPECT_FALSE(w.port(8).load(0x1ffc, 8, value).is_ok());
}
SPEC("V1: no byte beside a mapping is reachable, also with a granule of one byte") {
  IommuDriver w{{.config = {.page_size_mask = 1, .bypass_at_boot = false}}};
  EXPECT_EQ(w.attach(1, 8), kOk);
  EXPECT_EQ(w.map(1, 0x1003, 0x1007, kWindow), kOk);
  EXPECT_EQ(w.map(1, 0x1008, 0x1008, kWindow + 0x100), kOk);
  for (u64 at = 0x1000; at < 0x1010; at++)
    EXPECT_EQ(w.where(8, at).has_value(), at >= 0x1003 && at <= 0x1008) << at;
}

// V2
SPEC("V2: an upside-down MAP changes nothing and a later UNMAP of everything ends") {
  Attached w;
  EXPECT_EQ(w.map(1, 0x4000, 0x4fff, 0), kOk);
  EXPECT_EQ(w.map(1, 0x8000, 0x3fff, 0), kInval);
  EXPECT_EQ(w.map(1, kTop - 0xfff, 0xfff, 0), kInval);
  EXPECT_EQ(w.unmap(1, 0, kTop), kOk);
  EXPECT_EQ(w.iommu.region()->mapping_count(), 0u);
}
SPEC("V2: MAP checks alignment, input range, reserved regions and the MMIO feature") {
  IommuDriver w{{.config = {.input_range = {0x1000, 0xffff}, .bypass_at_boot = false},
                 .features = kAllIommuFeatures & ~0x20u}};
  EXPECT_EQ(w.iommu.add_endpoint(10, {{{0x8000, 0x8fff}}}), "");
  EXPECT_EQ(w.attach(1, 10), kOk);
  EXPECT_EQ(w.map(1, 0x1001, 0x1fff, 0), kRange);
  EXPECT_EQ(w.map(1, 0, 0x1fff, 0), kRange);
  EXPECT_EQ(w.map(1, 0xf000, 0x10fff, 0), kRange);
  EXPECT_EQ(w.map(1, 0x7000, 0x8fff, 0), kInval);
  EXPECT_EQ(w.map(1, 0x1000, 0x1fff, 0, kReadFlag | kMmioFlag), kInval);
}

// V3: 5.13.6.4, "SHOULD NOT remove any mapping".
SPEC("V3: an UNMAP that would split one of a thousand mappings removes none of them") {
  Attached w;
  for (u64 i = 0; i < 1000; i++) EXPECT_EQ(w.map(1, i * 0x2000, i * 0x2000 + 0x1fff, kWindow), kOk);
  EXPECT_EQ(w.unmap(1, 0, 999 * 0x2000 + 0xfff), kRange);
  EXPECT_EQ(w.unmap(1, 0x1000, 1000 * 0x2000 - 1), kRange);
  EXPECT_EQ(w.iommu.region()->mapping_count(), 1000u);
  EXPECT_TRUE(w.reads(8, 0));
  EXPECT_EQ(w.unmap(1, 0, 999 * 0x2000 - 1), kOk);
  EXPECT_EQ(w.iommu.region()->mapping_count(), 1u);
}

// V4: 5.13.6.1
SPEC("V4: a failed ATTACH leaves the old attachment and its mappings in force") {
  Attached w;
  EXPECT_EQ(w.map(1, 0, 0xfff, kWindow), kOk);
  EXPECT_EQ(w.attach(2, 9, 1), kOk);  // a bypass domain
  EXPECT_EQ(w.attach(2, 8, 0), kInval);
  EXPECT_EQ(w.status_of(IommuDriver::attach_bytes(3, 8, 0, 1)), kInval);
  EXPECT_TRUE(w.reads(8, 0));
}
SPEC("V4: ATTACH of the only endpoint to its own domain keeps the mappings") {
  Attached w;
  EXPECT_EQ(w.map(1, 0, 0xfff, kWindow), kOk);
  EXPECT_EQ(w.attach(1, 8), kOk);
  EXPECT_TRUE(w.reads(8, 0));
}
SPEC("V4: ATTACH checks the reserved field and the domain range") {
  IommuDriver w{{.config = {.first_domain = 5, .last_domain = 6, .bypass_at_boot = false}}};
  EXPECT_EQ(w.attach(4, 8), kRange);
  EXPECT_EQ(w.attach(7, 8), kRange);
  EXPECT_EQ(w.status_of(IommuDriver::attach_bytes(5, 8, 0, 0x01000000)), kInval);
  EXPECT_EQ(w.attach(5, 8), kOk);
}

// V5: 5.13.6
SPEC("V5: an unknown or a short request comes back unwritten, with a used length of zero") {
  Attached w;
  for (u8 type : {0, 6, 0x80, 0xff}) EXPECT_EQ(w.status_of(head(type).zeroes(100)), kUnwritten);
  for (u8 type : {1, 2, 3, 4, 5}) EXPECT_EQ(w.status_of(head(type).zeroes(4)), kUnwritten);
  EXPECT_EQ(w.iommu.counters().requests_unparsed, 9u);
  EXPECT_FALSE(w.needs_reset());
}

// V6
SPEC("V6: the replay for a new consumer is heard by that consumer alone") {
  Attached w;
  EXPECT_EQ(w.map(1, 0x1000, 0x1fff, kWindow), kOk);
  EXPECT_EQ(w.map(1, kTop - 0xfff, kTop, kWindow), kOk);
  VirtioIommuRegion& region = *w.iommu.region();
  int first = 0, second = 0;
  auto listen = [&](int& heard) {
    return std::move(*IommuListener::listen(region, region.index_for(k8),
                                            IommuEvents::Map | IommuEvents::Unmap, {},
                                            {[&](const IommuMapped&) { heard++; }, [](InclusiveRange) {}}));
  };
  auto a = listen(first);
  auto b = listen(second);
  EXPECT_EQ(first, 2);
  EXPECT_EQ(second, 2);
  EXPECT_EQ(w.map(1, 0x3000, 0x3fff, kWindow), kOk);
  EXPECT_EQ(first, 3);
}

// V7
SPEC("V7: a 1 GiB mapping is one entry, of its true size and with all its rights") {
  Attached w;
  const u64 giga = u64{1} << 30;
  EXPECT_EQ(w.map(1, giga, 2 * giga - 1, kRamBase, kReadFlag | kWriteFlag), kOk);
  EXPECT_EQ(w.iommu.region()->mapping_count(), 1u);
  EpochDomain::Guard guard(w.memory.hub().epochs());
  Translation t = translate({w.dma, giga + 0x1234, 1, Access::Read, k8, Intent::Access});
  EXPECT_EQ(t.hops[0].input, (InclusiveRange{giga, 2 * giga - 1}));
  EXPECT_TRUE(allows(t.rights, Access::ReadWrite));
  EXPECT_EQ(t.block.first, giga);
  EXPECT_EQ(t.block.last, giga + kRamSize - 1);  // as far as there is memory behind it
}

// V8
SPEC("V8: an MMIO mapping reaches the host container, marked, and a device behind it reaches the other one") {
  IommuDriver w;
  test::TestDevice peer;
  auto registers = std::make_shared<MmioRegion>("peer", 0x1000, peer, nullptr);
  {
    Topology::Transaction t(w.memory.topology());
    t.add(*w.memory.space().root(), 0x10000000, registers);
  }
  SoftHostIommu host(w.memory.hub(), {});
  EXPECT_EQ(w.iommu.add_mirrored_endpoint(20, host), "");
  EXPECT_EQ(w.attach(1, 20), kOk);
  EXPECT_EQ(w.map(1, 0x5000, 0x5fff, 0x10000000, kReadFlag | kWriteFlag | kMmioFlag), kOk);
  bool marked = false;
  host.for_each_block([&](const Mapping& m) { marked = m.mmio; });
  EXPECT_TRUE(marked);
  AddressSpace behind(w.memory.topology(), "behind the host", unowned(host));
  EXPECT_TRUE(DmaPort(behind, MemTxAttrs::device(2, 20)).store(0x5010, 4, 0xcafe).is_ok());
  EXPECT_EQ(peer.last.offset, 0x10u);
  EXPECT_EQ(peer.last.value, 0xcafeu);
}

// D4: whose fault it is.
SPEC("D4: what a device is refused behind a mirror is recorded by the IOMMU as if it were behind that") {
  IommuDriver w;
  auto host = std::make_shared<SoftHostIommu>(w.memory.hub(),
                                              SoftHostIommu::Config{"host", ~u64{0xfff}, {{0x8000, 0x8fff}}});
  EXPECT_EQ(w.iommu.add_mirrored_endpoint(20, *host), "");
  host->report_faults_to(w.iommu.region());
  AddressSpace behind(w.memory.topology(), "behind the host", host);
  DmaPort device(behind, MemTxAttrs::device(2, 20));
  EXPECT_EQ(w.attach(1, 20), kOk);
  EXPECT_EQ(w.map(1, 0, 0xfff, kWindow, kReadFlag), kOk);
  w.give_event_buffers(4);
  u64 value;
  EXPECT_TRUE(device.load(0, 8, value).is_ok());
  EXPECT_FALSE(w.next_fault());
  EXPECT_FALSE(device.store(8, 8, 1).is_ok());
  auto fault = w.next_fault();
  ASSERT_TRUE(fault);
  EXPECT_EQ(std::tuple(fault->reason, fault->flags, fault->endpoint, fault->address),
            std::tuple(u8{2}, 0x102u, 20u, u64{8}));  // MAPPING; WRITE, ADDRESS
  EXPECT_FALSE(device.load(0x5000, 8, value).is_ok());
  EXPECT_EQ(w.next_fault()->address, 0x5000u);
  EXPECT_EQ(host->counters().refused_accesses, 2u);
}
// What only the host refuses, the guest's IOMMU has no word for.
SPEC("D4: an access that only the container refuses is an error for the device and no fault of the IOMMU") {
  IommuDriver w;
  SoftHostIommu host(w.memory.hub(), {"host", ~u64{0x1fff}, {}});  // its granule is 8 KiB, the guest's 4
  EXPECT_EQ(w.iommu.add_endpoint(20), "");
  EXPECT_EQ(host.mirror(*w.iommu.region(), MemTxAttrs::device(0, 20)), "");
  host.report_faults_to(w.iommu.region());
  AddressSpace behind(w.memory.topology(), "behind the host", unowned(host));
  EXPECT_EQ(w.attach(1, 20), kOk);
  EXPECT_EQ(w.map(1, 0, 0xfff, kWindow), kOk);
  EXPECT_EQ(host.counters().refused_maps, 1u);
  w.give_event_buffers(1);
  EXPECT_FALSE(DmaPort(behind, MemTxAttrs::device(2, 20)).store(8, 8, 1).is_ok());
  EXPECT_FALSE(w.next_fault());
  EXPECT_EQ(w.iommu.counters().faults_lost, 0u);
}

// V9
SPEC("V9: host page sizes are combined whatever the order, and it is an error when none is left") {
  const u64 k4K = 0x1000, k64K = 0x10000, k2M = 0x200000;
  for (bool swapped : {false, true}) {
    IommuDriver w{{.start = false}};
    SoftHostIommu a(w.memory.hub(), {"a", k4K | k64K | k2M, {}}), b(w.memory.hub(), {"b", k64K | k2M, {}}),
        c(w.memory.hub(), {"c", k4K, {}});
    EXPECT_EQ(w.iommu.add_mirrored_endpoint(20, swapped ? b : a), "");
    EXPECT_EQ(w.iommu.add_mirrored_endpoint(21, swapped ? a : b), "");
    EXPECT_EQ(w.iommu.region()->page_size_mask(), k64K | k2M);
    std::string why = w.iommu.add_mirrored_endpoint(22, c);
    EXPECT_NE(why.find("0x1000 of c"), std::string::npos) << why;
    EXPECT_NE(why.find("0x210000 of the IOMMU"), std::string::npos) << why;
    EXPECT_FALSE(w.iommu.region()->properties(22));
    w.begin(kAllIommuFeatures);
    EXPECT_EQ(w.config64(0), k64K | k2M);
    EXPECT_EQ(w.attach(1, 20), kOk);
    EXPECT_EQ(w.map(1, 0x1000, 0x1fff, 0), kRange);  // the guest works in 64 KiB
    EXPECT_EQ(w.map(1, 0x10000, 0x1ffff, kWindow), kOk);
    EXPECT_EQ((swapped ? b : a).blocks(), 1u);
  }
}
SPEC("V9: a container plugged in while the guest runs is refused if the granule would change") {
  IommuDriver w;  // 4 KiB and more, and the driver has seen it
  SoftHostIommu large(w.memory.hub(), {"large", ~u64{0xffff}, {}}),
      small(w.memory.hub(), {"small", 0x1000, {}});
  std::string why = w.iommu.add_mirrored_endpoint(20, large);
  EXPECT_NE(why.find("0xffffffffffff0000 of large"), std::string::npos) << why;
  EXPECT_NE(why.find("0xfffffffffffff000 of the IOMMU"), std::string::npos) << why;
  EXPECT_EQ(w.iommu.add_mirrored_endpoint(20, small), "");
  EXPECT_EQ(w.config64(0), ~u64{0xfff});  // larger sizes were hints; they stay
}

// V10: 5.13.6.7, "can either wait for one to be consumed, or drop the event".
SPEC("V10: faults without a buffer wait, up to a bound, and beyond it each lost one is counted") {
  Attached w;
  for (int i = 0; i < 100; i++) EXPECT_FALSE(w.reads(8, u64(i) << 12));
  EXPECT_EQ(w.iommu.counters().faults_lost, 36u);
  w.give_event_buffers(63);
  for (int i = 0; i < 63; i++) EXPECT_EQ(w.next_fault()->address, u64(i) << 12);
  EXPECT_FALSE(w.next_fault());
  w.give_event_buffers(1);
  EXPECT_EQ(w.next_fault()->address, u64{63} << 12);
  EXPECT_EQ(w.iommu.counters().faults_reported, 64u);
}

// V11
SPEC("V11: devices that share a requester ID share an endpoint with the reserved ranges of both") {
  IommuDriver w{{.config = {.bypass_at_boot = false}, .start = false}};
  SoftHostIommu host(w.memory.hub(), {"host", ~u64{0xfff}, {{0x8000, 0x8fff}}});
  EXPECT_EQ(w.iommu.add_endpoint(20, {{{0x4000, 0x4fff}}, {{0xf0000, 0xfffff}, kMsi}}), "");
  EXPECT_EQ(w.iommu.add_mirrored_endpoint(20, host, {{{0xf0000, 0xfffff}, kMsi}}), "");
  std::vector<ReservedRegion> expected{{{0x4000, 0x4fff}}, {{0x8000, 0x8fff}}, {{0xf0000, 0xfffff}, kMsi}};
  EXPECT_EQ(*w.iommu.region()->properties(20), expected);
}

SPEC("V11: a container of 64 KiB pages reserves whole pages of its own around a smaller region") {
  IommuDriver w{{.config = {.bypass_at_boot = true}, .start = false}};
  SoftHostIommu host(w.memory.hub(), {"host", ~u64{0xffff}, {{0x50000, 0x50fff}}});
  EXPECT_NE(w.iommu.add_mirrored_endpoint(20, host, {{{0x8020000, 0x8020fff}, kMsi}}), "");
  EXPECT_EQ(w.iommu.add_mirrored_endpoint(20, host, {{{0x8020000, 0x802ffff}, kMsi}}), "");
  std::vector<ReservedRegion> expected{{{0x50000, 0x5ffff}}, {{0x8020000, 0x802ffff}, kMsi}};
  EXPECT_EQ(*w.iommu.region()->properties(20), expected);
  EXPECT_EQ(compare(*w.iommu.region(), host, 20), "");
  EXPECT_EQ(host.counters().refused_maps, 0u);
}

// V12
SPEC("V12: a device TLB may register, and each unmap of its endpoint reaches it") {
  Attached w;
  VirtioIommuRegion& region = *w.iommu.region();
  std::vector<InclusiveRange> heard;
  auto tlb = IommuListener::listen(region, region.index_for(k8), IommuEvents::DeviceTlbUnmap, {},
                                   {{}, [&](InclusiveRange r) { heard.push_back(r); }});
  ASSERT_TRUE(bool(tlb));
  EXPECT_EQ(w.attach(2, 9), kOk);
  EXPECT_EQ(w.map(1, 0x3000, 0x5fff, kWindow), kOk);
  EXPECT_EQ(w.map(2, 0x3000, 0x5fff, kWindow), kOk);
  EXPECT_EQ(w.unmap(2, 0, kTop), kOk);
  EXPECT_TRUE(heard.empty());
  EXPECT_EQ(w.unmap(1, 0, kTop), kOk);
  EXPECT_EQ(heard, (std::vector<InclusiveRange>{{0x3000, 0x5fff}}));
}

// V13: see also the fuzz tests.
SPEC("V13: a reset between the processing of a request and its completion leaves the new queue alone") {
  Attached w;
  EXPECT_EQ(w.map(1, 0, 0xfff, kWindow), kOk);
  IommuRegion::Subscription resetter(w.iommu.region()->unmaps(), [&](const IommuUnmap&) {
    static thread_local bool inside = false;
    if (std::exchange(inside, true)) return;
    w.slot().device()->reset_queue(0);  // what QueueReset does, at the worst moment
    inside = false;
  });
  u64 at = w.memory.allocate(64);
  w.memory.put_bytes(at, IommuDriver::unmap_bytes(1, 0, kTop));
  w.add(0, {{at, 28, false}, {at + 32, 4, true}});
  u16 before = w.used_index(0);
  w.kick(0);
  EXPECT_EQ(w.used_index(0), before);  // the chain belonged to the old life of the queue
  EXPECT_FALSE(w.needs_reset());
}

// V14
SPEC("V14: whoever makes a transaction from inside a notification is answered, with the new state") {
  Attached w;
  EXPECT_EQ(w.map(1, 0, 0xfff, kWindow), kOk);
  int looked = 0;
  std::optional<u64> seen = 1;
  IommuRegion::Subscription eager(w.iommu.region()->unmaps(), [&](const IommuUnmap&) {
    looked++;
    seen = w.where(8, 0);
    u64 value;
    (void)w.port(8).load(0, 1, value);
  });
  EXPECT_EQ(w.detach(1, 8), kOk);
  EXPECT_EQ(looked, 1);
  EXPECT_EQ(seen, std::nullopt);
}

// V15
SPEC("V15: the configuration is little endian, ends domains at 2^32 - 1, and is not the driver's to write") {
  IommuDriver w;
  Bytes expected = Words().quad(~u64{0xfff}).quad(0).quad(kTop).word(0).word(~u32{0}).word(512).word(0);
  Bytes config;
  for (u32 i = 0; i < 40; i++) config.push_back(u8(w.read(0x100 + i, 1)));
  EXPECT_EQ(config, expected);
  for (u32 i = 0; i < 36; i++) w.write(0x100 + i, 0x5a, 1);
  for (u32 i = 37; i < 40; i++) w.write(0x100 + i, 0x5a, 1);
  for (u32 i = 0; i < 40; i++) EXPECT_EQ(w.read(0x100 + i, 1), expected[i]);
}

// V16: there is one path, whatever the state: nothing to switch wrongly.
SPEC("V16: what an access of an endpoint means depends on the attachment alone, before and after a reset") {
  IommuDriver w{{.config = {.bypass_at_boot = true}}};
  EXPECT_EQ(w.attach(1, 8), kOk);
  EXPECT_EQ(w.map(1, 0x1000, 0x1fff, kWindow), kOk);
  EXPECT_EQ(w.where(8, 0x1000), kWindow);
  w.begin(kAllIommuFeatures);
  EXPECT_EQ(w.where(8, 0x1000), 0x1000u);
  EXPECT_EQ(w.attach(1, 8), kOk);
  EXPECT_EQ(w.where(8, 0x1000), std::nullopt);
}

// V17: 5.13.6.2
SPEC("V17: with its last endpoint a domain goes, and its ID is free for another kind of domain") {
  Attached w;
  EXPECT_EQ(w.attach(1, 9), kOk);
  EXPECT_EQ(w.map(1, 0, 0xfff, kWindow), kOk);
  EXPECT_EQ(w.detach(1, 8), kOk);
  EXPECT_TRUE(w.reads(9, 0));
  EXPECT_EQ(w.detach(1, 9), kOk);
  EXPECT_TRUE(w.iommu.region()->domains().empty());
  EXPECT_EQ(w.iommu.region()->mapping_count(), 0u);
  EXPECT_EQ(w.attach(1, 8, 1), kOk);
  EXPECT_EQ(w.iommu.region()->endpoints().size(), 2u);  // endpoints exist whether attached or not
}
SPEC("V17: at boot, endpoints bypass exactly if the machine says so") {
  for (bool bypass : {false, true}) {
    IommuDriver w{{.config = {.bypass_at_boot = bypass}, .start = false}};
    EXPECT_EQ(w.where(8, kWindow).has_value(), bypass);
  }
}

// V18
SPEC("V18: attaching, detaching and the bypass switch change no memory map") {
  IommuDriver w;
  u64 before = w.memory.hub().topology_generation();
  const FlatView* view = &w.dma.view();
  EXPECT_EQ(w.attach(1, 8), kOk);
  EXPECT_EQ(w.attach(2, 8, 1), kOk);
  EXPECT_EQ(w.detach(2, 8), kOk);
  w.write_bypass(1);
  w.write_bypass(0);
  EXPECT_EQ(w.memory.hub().topology_generation(), before);
  EXPECT_EQ(&w.dma.view(), view);
}

// V19
SPEC("V19: an unknown requester follows the bypass switch and is refused otherwise, under any race") {
  IommuDriver w;
  w.write_bypass(1);
  EXPECT_TRUE(w.reads(1234, kWindow));
  std::atomic<bool> stop{false};
  std::thread device([&] {
    while (!stop) (void)w.reads(1234, kWindow);
  });
  for (int i = 0; i < 300; i++) w.write_bypass(u8(i & 1));
  stop = true;
  device.join();
  w.write_bypass(0);
  EXPECT_FALSE(w.reads(1234, kWindow));
}

// C5
SPEC("C5: virtio-iommu commits before it publishes, for every request that takes something away") {
  IommuDriver w;
  bool still_there = false;
  IommuRegion::Subscription eager(w.iommu.region()->unmaps(), [&](const IommuUnmap& u) {
    EXPECT_FALSE(u.all_indexes);
    if (u.index == IommuIndex{8}) still_there |= w.where(8, 0x1000) == kWindow;
  });
  for (int how = 0; how < 4; how++) {
    EXPECT_EQ(w.attach(1, 8), kOk);
    EXPECT_EQ(w.map(1, 0x1000, 0x1fff, kWindow), kOk);
    EXPECT_EQ(w.where(8, 0x1000), kWindow);
    switch (how) {
      case 0: EXPECT_EQ(w.unmap(1, 0x1000, 0x1fff), kOk); break;
      case 1: EXPECT_EQ(w.attach(2, 8), kOk); break;
      case 2: EXPECT_EQ(w.detach(1, 8), kOk); break;
      default: w.begin(kAllIommuFeatures);
    }
    EXPECT_FALSE(still_there) << how;
    (void)w.detach(1, 8), (void)w.detach(2, 8);
  }
}

SPEC(
    "C5: an ATTACH has ended the bypass when it is published, and an unknown requester hears of its end "
    "too") {
  IommuDriver w;
  w.write_bypass(1);
  bool passes = false;
  IommuRegion::Subscription eager(w.iommu.region()->unmaps(), [&](const IommuUnmap& u) {
    passes |= w.where(u32(u.index), kWindow).has_value();
  });
  EXPECT_EQ(w.attach(1, 8), kOk);
  EXPECT_FALSE(passes);
  DmaMapper unknown(w.port(1234));
  auto kept = unknown.map(kWindow, 0x1000, Access::Read);
  EXPECT_TRUE(kept.mapping.pin());
  w.write_bypass(0);
  EXPECT_FALSE(kept.mapping.pin());
}

// C14: only what is affected.
SPEC("C14: an UNMAP flushes the endpoints of its domain, and of their translations only its range") {
  Attached w;
  EXPECT_EQ(w.attach(2, 9), kOk);
  for (u32 domain : {1u, 2u})
    for (u64 page = 0; page < 8; page++)
      EXPECT_EQ(w.map(domain, page << 12, (page << 12) + 0xfff, kWindow), kOk);
  TestPe a(w.dma, w.memory.hub(), "a"), b(w.dma, w.memory.hub(), "b");
  {
    Participant::Running running(a.participant);
    for (u64 page = 0; page < 8; page++) EXPECT_TRUE(a.load(page << 12, 8, k8));
  }
  {
    Participant::Running running(b.participant);
    for (u64 page = 0; page < 8; page++) EXPECT_TRUE(b.load(page << 12, 8, MemTxAttrs::device(1, 9)));
  }
  EXPECT_EQ(w.unmap(1, 0x3000, 0x4fff), kOk);
  a.participant.drain(), b.participant.drain();
  EXPECT_EQ(a.cache.size(), 6u);
  EXPECT_EQ(b.cache.size(), 8u);
}

// D4
SPEC("D4: a mirror watches the endpoint of its own device, not some default one") {
  IommuDriver w;
  SoftHostIommu host(w.memory.hub(), {});
  EXPECT_EQ(w.iommu.add_mirrored_endpoint(20, host), "");
  EXPECT_EQ(w.attach(1, 8), kOk);
  EXPECT_EQ(w.map(1, 0, 0xfff, kWindow), kOk);
  EXPECT_EQ(host.blocks(), 0u);
  EXPECT_EQ(w.attach(1, 20), kOk);
  EXPECT_EQ(host.blocks(), 1u);
}

SPEC("D4: a mirror that outlives its IOMMU holds nothing any more, and may mirror another one") {
  test::ChainWorld chain;
  SoftHostIommu host(chain.hub, {});
  {
    VirtioIommuRegion first(chain.hub, chain.top(), {.bypass_at_boot = true});
    EXPECT_EQ(first.add_mirrored_endpoint(20, host), "");
    EXPECT_EQ(host.blocks(), 1u);
    EXPECT_EQ(first.add_mirrored_endpoint(21, host), "host-iommu mirrors an IOMMU already");
    EXPECT_FALSE(first.properties(21));
  }
  EXPECT_EQ(host.blocks(), 0u);
  host.stop_mirroring();
  VirtioIommuRegion second(chain.hub, chain.top(), {.bypass_at_boot = true});
  EXPECT_EQ(second.add_mirrored_endpoint(20, host), "");
  EXPECT_EQ(compare(second, host, 20), "");
}

// D5
SPEC("D5: a mirror follows into an address space that is itself behind an IOMMU") {
  test::ChainWorld chain;
  VirtioIommuRegion upper(chain.hub, chain.top(), {.bypass_at_boot = false});
  SoftHostIommu host(chain.hub, {});
  EXPECT_EQ(upper.add_mirrored_endpoint(20, host), "");
  EXPECT_EQ(int(upper.attach(1, 20, false).status), 0);
  EXPECT_EQ(int(upper.map({1, {0x1000, 0x1fff}, 0x5000, Access::Read, false}).status), 0);
  AddressSpace behind(chain.topology, "behind the host", unowned(host));
  u64 value = 0;
  DmaPort port(behind, MemTxAttrs::device(2, 20));
  EXPECT_FALSE(port.load(0x1000, 8, value).is_ok());  // the second IOMMU has its say as well
  chain.map(0, {0x5000, 0x5fff}, 0x8000, Access::All, MemTxAttrs::device(2, 20));
  chain.fill(0x8000, 42);
  EXPECT_TRUE(port.load(0x1000, 8, value).is_ok());
  EXPECT_EQ(value, 42u);
}

// D6
SPEC("D6: a mapped DMA pointer is revoked by the UNMAP, before the request is used") {
  Attached w;
  EXPECT_EQ(w.map(1, 0, 0x1fff, kWindow), kOk);
  DmaMapper mapper(w.port(8));
  auto kept = mapper.map(0x1000, 0x1000, Access::Write);
  ASSERT_TRUE(kept.mapping.pin());
  EXPECT_EQ(w.unmap(1, 0, 0x1fff), kOk);
  EXPECT_FALSE(kept.mapping.pin());
  EXPECT_FALSE(mapper.map(0x1000, 0x1000, Access::Write).result.is_ok());
}

// D8
SPEC("D8: an access is translated while a change of the IOMMU is under way: it takes no lock") {
  Attached w;
  EXPECT_EQ(w.map(1, 0, 0xfff, kWindow), kOk);
  w.iommu.region()->between_commits([&] { EXPECT_TRUE(w.reads(8, 0)); });
}

// D10
SPEC("D10: a replay costs as many events as there are mappings, not 2^64 divided by the granule") {
  IommuDriver w{{.config = {.page_size_mask = 1, .bypass_at_boot = false}}};
  EXPECT_EQ(w.attach(1, 8), kOk);
  EXPECT_EQ(w.map(1, 3, 3, kWindow), kOk);
  EXPECT_EQ(w.map(1, 5, kTop, 0), kOk);
  std::vector<InclusiveRange> heard;
  VirtioIommuRegion& region = *w.iommu.region();
  auto listener = IommuListener::listen(region, region.index_for(k8), IommuEvents::Map, {},
                                        {[&](const IommuMapped& m) { heard.push_back(m.input); }, {}});
  EXPECT_EQ(heard, (std::vector<InclusiveRange>{{3, 3}, {5, kTop}}));
}

// D11
SPEC("D11: an unmap of more than a consumer watches is clipped to its window, at the edges of 2^64 too") {
  Attached w;
  VirtioIommuRegion& region = *w.iommu.region();
  std::vector<InclusiveRange> low, high;
  auto listen = [&](InclusiveRange window, std::vector<InclusiveRange>& into) {
    return IommuListener::listen(region, region.index_for(k8), IommuEvents::Unmap, window,
                                 {{}, [&into](InclusiveRange r) { into.push_back(r); }});
  };
  auto a = listen({0x1000, 0x1fff}, low);
  auto b = listen({kTop - 0xfff, kTop}, high);
  EXPECT_EQ(w.map(1, 0, kTop, 0), kOk);
  EXPECT_EQ(w.unmap(1, 0, kTop), kOk);
  EXPECT_EQ(low, (std::vector<InclusiveRange>{{0x1000, 0x1fff}}));
  EXPECT_EQ(high, (std::vector<InclusiveRange>{{kTop - 0xfff, kTop}}));
  EXPECT_EQ(w.map(1, 0x8000, 0x8fff, 0), kOk);
  EXPECT_EQ(w.unmap(1, 0, kTop), kOk);
  EXPECT_EQ(low.size(), 1u);  // nothing of theirs has changed
}

// D12
SPEC("D12: an unmap whose size is no power of two takes exactly its range from caches and mirrors") {
  IommuDriver w;
  SoftHostIommu host(w.memory.hub(), {});
  EXPECT_EQ(w.iommu.add_mirrored_endpoint(20, host), "");
  EXPECT_EQ(w.attach(1, 20), kOk);
  for (u64 page : {0, 1, 4, 5}) EXPECT_EQ(w.map(1, page << 12, (page << 12) + 0xfff, kWindow), kOk);
  EXPECT_EQ(w.map(1, 0x6000, 0xcfff, kWindow), kOk);  // seven pages from the sixth
  EXPECT_EQ(host.blocks(), 4 + 3u);                   // 0x6000+8K, 0x8000+16K, 0xc000+4K
  EXPECT_EQ(compare(*w.iommu.region(), host, 20), "");
  EXPECT_EQ(w.unmap(1, 0x1000, 0x5fff), kOk);
  EXPECT_EQ(compare(*w.iommu.region(), host, 20), "");
  EXPECT_EQ(w.unmap(1, 0x6000, 0xcfff), kOk);
  EXPECT_EQ(host.blocks(), 1u);
  EXPECT_EQ(compare(*w.iommu.region(), host, 20), "");
}

// D13: the part that is the IOMMU's. The machine resets the masters first.
SPEC("D13: a device reset detaches all, tells every subscriber, and records no fault by itself") {
  Attached w;
  EXPECT_EQ(w.map(1, 0, 0xfff, kWindow), kOk);
  DmaMapper mapper(w.port(8));
  auto kept = mapper.map(0, 0x1000, Access::Read);
  w.write(0x70, 0);
  EXPECT_TRUE(kept.mapping.revoked());
  EXPECT_TRUE(w.iommu.region()->domains().empty());
  EXPECT_EQ(w.iommu.counters().faults_lost + w.iommu.counters().faults_reported, 0u);
}

SPEC("a mapping that ends at 2^64 - 1 works to its last byte, and so does one of all addresses") {
  Attached w;
  EXPECT_EQ(w.map(1, kTop - 0xfff, kTop, kWindow), kOk);
  EXPECT_EQ(w.where(8, kTop), kWindow + 0xfff);
  EXPECT_TRUE(w.writes(8, kTop));
  EXPECT_EQ(w.memory.get<u8>(kWindow + 0xfff), 0x5a);
  EXPECT_EQ(w.map(1, kTop - 0x1fff, kTop, 0), kInval);
  EXPECT_EQ(w.unmap(1, kTop, kTop), kRange);
  EXPECT_EQ(w.unmap(1, kTop - 0xfff, kTop), kOk);
  EXPECT_EQ(w.map(1, 0, kTop, 0), kOk);
  EXPECT_EQ(w.where(8, kTop), kTop);
  EXPECT_EQ(w.unmap(1, 0, kTop), kOk);
  EXPECT_EQ(w.where(8, 0), std::nullopt);
}

}  // namespace
}  // namespace sluice::virtio_test
