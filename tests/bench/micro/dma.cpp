// tests/bench/micro/dma.cpp: DMA through IOMMUs that have many mappings, and what changing one of them costs.
#include "memory/dma.h"

#include <benchmark/benchmark.h>

#include "tests/support/smmu_world.h"
#include "tests/unit/virtio_iommu_rig.h"

namespace sluice::test {
namespace {

constexpr u64 kMappings = 100'000;

void must(MemTxResult result) {
  if (!result.is_ok()) std::abort();
}

// Pages in an order that no cache of the host foresees, the same in every run.
class Pages {
 public:
  u64 next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return (state_ >> 33) % kMappings * kPage;
  }

 private:
  u64 state_ = 1;
};

// A master behind an SMMU, all its pages mapped, each through its own descriptor.
struct Smmu : SmmuWorld {
  static constexpr u64 kIova = 0x10'0000'0000;
  static constexpr u32 kStream = 1;
  SmmuTables stage1{*this, 12, 48};
  DmaPort port{*dma, master(kStream)};
  u64 data = take(u64{16} << 20);

  explicit Smmu(bool nested) {
    start();
    for (u64 i = 0; i < kMappings; i++) stage1.map(kIova + i * kPage, data + i % 4096 * kPage, kPage1Rw);
    Words8 ste = smmu_ste::make(nested ? smmu_ste::kNested : smmu_ste::kS1);
    if (nested) {
      SmmuTables stage2(*this, 12, 40, 1);
      for (u64 at = 0; at < kRamSize; at += kPage) stage2.map(kRam + at, kRam + at, kPage2Rw);
      smmu_ste::add_s2(ste, stage2.root(), 24, 1);
    }
    put_stream_s1(kStream, smmu_cd::make(stage1.root(), 16, 0, 7), ste);
    for (u64 i = 0; i < kMappings; i++)
      if (pa(kIova + i * kPage, port.attrs()) != data + i % 4096 * kPage) std::abort();
  }
};

void read_pages(benchmark::State& state, const DmaPort& port, u64 base) {
  std::vector<std::byte> buffer(kPage);
  Pages pages;
  for (auto _ : state) must(port.read(base + pages.next(), buffer));
  state.SetItemsProcessed(state.iterations());
}

void dma_read_without_iommu(benchmark::State& state) {
  SmmuWorld w;
  DmaPort port(w.bus, SmmuWorld::master(1));
  std::vector<std::byte> buffer(kPage);
  Pages pages;
  for (auto _ : state) must(port.read(SmmuWorld::kRam + pages.next() % (u64{16} << 20), buffer));
}
BENCHMARK(dma_read_without_iommu);
void dma_read_smmu_stage1(benchmark::State& state) {
  Smmu w(false);
  read_pages(state, w.port, Smmu::kIova);
}
BENCHMARK(dma_read_smmu_stage1);
void dma_read_smmu_nested(benchmark::State& state) {
  Smmu w(true);
  read_pages(state, w.port, Smmu::kIova);
}
BENCHMARK(dma_read_smmu_nested);

// One page invalidated, then used again: CMD_TLBI_NH_VA, CMD_SYNC, a walk.
void smmu_invalidate_page(benchmark::State& state) {
  Smmu w(false);
  Pages pages;
  for (auto _ : state) {
    const u64 va = Smmu::kIova + pages.next();
    if (state.range(0) && !w.pa(va, w.port.attrs())) std::abort();
    const Words2 commands[] = {smmu_cmd::nh_va(va, 7), smmu_cmd::sync()};
    w.queue_all(commands);
  }
  if (w.read32(smmu_reg::CMDQ_CONS) != w.queued) std::abort();
}
BENCHMARK(smmu_invalidate_page)->ArgName("then_used")->Arg(0)->Arg(1);

struct Virtio : virtio_test::IommuDriver {
  static constexpr u64 kIova = 0x10'0000'0000;
  Virtio() : IommuDriver(Options{}) {
    if (attach(1, 8)) std::abort();
    for (u64 i = 0; i < kMappings; i++)
      if (iommu.region()
              ->map({1,
                     {kIova + i * kPage, kIova + i * kPage + kPage - 1},
                     virtio_test::kWindow + i % 2048 * kPage,
                     Access::All,
                     false})
              .status != VirtioIommuRegion::Status::Ok)
        std::abort();
    buffers = memory.allocate(64 * 64, 64);
  }
  // MAP and UNMAP of a page that is not mapped yet, `pairs` of them made available at once.
  void pairs(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
      const u64 iova = kIova + kMappings * kPage + (page++ % 4096) * kPage;
      put(2 * i, map_bytes(1, iova, iova + kPage - 1, virtio_test::kWindow, 3));
      put(2 * i + 1, unmap_bytes(1, iova, iova + kPage - 1));
    }
    kick(0);
    for (unsigned i = 0; i < 2 * count; i++) {
      if (!next_used(0) || memory.get<u8>(buffers + i * 64 + 48)) std::abort();
    }
  }
  void put(unsigned slot, const virtio_test::Bytes& request) {
    const u64 at = buffers + slot * 64;
    memory.put_bytes(at, request);
    memory.put<u8>(at + 48, 0xff);
    add(0, {{at, u32(request.size()), false}, {at + 48, 4, true}});
  }
  u64 buffers = 0, page = 0;
};

void dma_read_virtio_iommu(benchmark::State& state) {
  Virtio w;
  read_pages(state, w.port(8), Virtio::kIova);
}
BENCHMARK(dma_read_virtio_iommu);

void virtio_iommu_map_and_unmap(benchmark::State& state) {
  Virtio w;
  for (auto _ : state) w.pairs(unsigned(state.range(0)));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(virtio_iommu_map_and_unmap)->ArgName("pairs_per_kick")->Arg(1)->Arg(16);

// Host pointers to a page, with `live` others in use.
void map_pages(benchmark::State& state, const DmaPort& port, u64 base) {
  DmaMapper mapper(port);
  std::vector<DmaMapping> live;
  for (int64_t i = 0; i < state.range(0); i++)
    live.push_back(mapper.map(base + u64(i) * kPage, kPage, Access::Write).mapping);
  Pages pages;
  for (auto _ : state) {
    auto [mapping, result] = mapper.map(base + pages.next(), kPage, Access::Write);
    if (!mapping.pin()) std::abort();
    must(mapping.unmap(kPage));
  }
  live.clear();
}
void dma_mapping_without_iommu(benchmark::State& state) {
  Smmu w(false);
  DmaMapper mapper(DmaPort(w.bus, SmmuWorld::master(1)));
  for (auto _ : state) {
    auto [mapping, result] = mapper.map(w.data, kPage, Access::Write);
    if (!mapping.pin()) std::abort();
    must(mapping.unmap(kPage));
  }
}
BENCHMARK(dma_mapping_without_iommu);
void dma_mapping_smmu(benchmark::State& state) {
  Smmu w(false);
  map_pages(state, w.port, Smmu::kIova);
}
BENCHMARK(dma_mapping_smmu)->ArgName("live")->Arg(0)->Arg(256);
void dma_mapping_virtio_iommu(benchmark::State& state) {
  Virtio w;
  map_pages(state, w.port(8), Virtio::kIova);
}
BENCHMARK(dma_mapping_virtio_iommu)->ArgName("live")->Arg(0)->Arg(256);

// A ring of two pages.
void use_window(benchmark::State& state, const DmaPort& port, u64 base) {
  DmaMapper mapper(port);
  {
    DmaWindow ring(mapper, base, 2 * kPage, Access::ReadWrite);
    u64 value = 0, at = 0;
    for (auto _ : state) {
      must(ring.load(at, 2, value));
      must(ring.store(at, 2, value + 1));
      at = (at + 2) % (2 * kPage);
    }
  }
}
void dma_window_without_iommu(benchmark::State& state) {
  Smmu w(false);
  use_window(state, DmaPort(w.bus, SmmuWorld::master(1)), w.data);
}
BENCHMARK(dma_window_without_iommu);
void dma_window_smmu(benchmark::State& state) {
  Smmu w(false);
  use_window(state, w.port, Smmu::kIova);
}
BENCHMARK(dma_window_smmu);

}  // namespace
}  // namespace sluice::test

BENCHMARK_MAIN();
