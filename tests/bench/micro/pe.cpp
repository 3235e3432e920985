// tests/bench/micro/pe.cpp: a PE's memory side without translated code around it: refills of the soft TLB,
// walks, TLB maintenance, changes of the ASID; and the front end.
#include <benchmark/benchmark.h>

#include "tests/support/a64_machine.h"
#include "tests/support/mmu_world.h"

namespace sluice::test {
namespace {

constexpr u64 kLow = 0x1000000;  // where the guest maps its pages

// A PE with `pages` pages mapped, not global, all of them in its architectural TLB.
struct Memory : MmuMachine {
  static constexpr u64 kFirst = u64{8} << 20, kDistinct = (kRamSize - kFirst) / kPage;
  MmuPe pe{*this};
  Participant::Running running{pe.participant};
  PageTables tables{*ram, kRamBase, 0};
  const u64 pages;

  explicit Memory(u64 n) : pages(n) {
    for (u64 i = 0; i < pages; i++)
      tables.map(kLow + i * kPage, kRamBase + kFirst + i % kDistinct * kPage, pte::kNormal | pte::kNotGlobal);
    pe.enable(tables.root(), tables.root());
    touch_all();
  }
  void touch(u64 page) {
    if (!pe.ok(kLow + page * kPage)) std::abort();
  }
  void touch_all() {
    for (u64 i = 0; i < pages; i++) touch(i);
  }
};

// The page is in the architectural TLB, and its slot in the soft TLB has gone to others.
void soft_tlb_refill(benchmark::State& state) {
  Memory m(u64(state.range(0)));
  u64 page = 0;
  for (auto _ : state) {
    m.touch(page);
    page = (page + 4097) % m.pages;
  }
}
BENCHMARK(soft_tlb_refill)->Arg(64)->Arg(4096)->Arg(65536);

// Nothing is known about the page: four levels are read. One iteration is all pages.
void page_walks(benchmark::State& state) {
  Memory m(u64(state.range(0)));
  for (auto _ : state) {
    m.pe.tlbi(kTlbiLocal, kTlbiVmall);
    m.touch_all();
  }
  state.SetItemsProcessed(state.iterations() * i64(m.pages));
}
BENCHMARK(page_walks)->Arg(64)->Arg(1000);

void tlbi_page_in_use(benchmark::State& state) {
  Memory m(u64(state.range(0)));
  for (auto _ : state) {
    m.pe.tlbi(kTlbiLocal, kTlbiVa, kLow / kPage);
    m.touch(0);
  }
}
BENCHMARK(tlbi_page_in_use)->Arg(64)->Arg(100000);

void tlbi_page_nobody_uses(benchmark::State& state) {
  Memory m(u64(state.range(0)));
  for (auto _ : state) m.pe.tlbi(kTlbiLocal, kTlbiVa, (kLow >> 1) / kPage);
}
BENCHMARK(tlbi_page_nobody_uses)->Arg(64)->Arg(100000);

// To the other ASID, where the page is known already.
void asid_switch(benchmark::State& state) {
  Memory m(64);
  u16 asid = 0;
  for (auto _ : state) {
    m.pe.asid(asid ^= 1);
    m.touch(3);
  }
}
BENCHMARK(asid_switch);

// From words to IR: a loop's body of integer code, loads and stores.
void front_end(benchmark::State& state) {
  const std::vector<u32> words = {0xf8408c20,   // LDR X0, [X1, #8]!
                                  0x8b020c03,   // ADD X3, X0, X2, LSL #3
                                  0xca030084,   // EOR X4, X4, X3
                                  0xd3457c85,   // UBFX X5, X4, #5, #27
                                  0xf9000825,   // STR X5, [X1, #16]
                                  0xf10004c6,   // SUBS X6, X6, #1
                                  0x9a8510e7,   // CSEL X7, X7, X5, NE
                                  0x9b077ca8};  // MUL X8, X5, X7
  A64Machine m;
  for (auto _ : state) m.translate(words);
  if (m.block.guest_insns != words.size()) state.SkipWithError("not all was translated");
  state.SetItemsProcessed(state.iterations() * i64(words.size()));
}
BENCHMARK(front_end);

}  // namespace
}  // namespace sluice::test
