// tests/spec/memory_ordering_spec.cpp: litmus tests (Arm DDI 0487, chapter B2, "Ordering requirements") of
// translated code on threads of their own. Outcomes that the architecture forbids never appear; those that it
// allows need not.
#include <chrono>
#include <functional>

#include "tests/support/running_pe.h"

namespace sluice::test {
namespace {

using Words = std::vector<u32>;

// What a PE does in each round. X0 points to x and X1 to y, of every round their own and zero before; X4 is
// 1, X5 is
// 2. What it leaves in X2 and X3 is its result.
constexpr u32 kStoreX = 0xf9000004, kStoreY = 0xf9000024;            // str x4, [x0]; str x4, [x1]
constexpr u32 kLoadX = 0xf9400002, kLoadY = 0xf9400022;              // ldr x2, [x0]; ldr x2, [x1]
constexpr u32 kThenX = 0xf9400003, kThenY = 0xf9400023;              // ldr x3, [x0]; ldr x3, [x1]
constexpr u32 kReleaseX = 0xc89ffc04, kReleaseY = 0xc89ffc24;        // stlr x4, [x0]; stlr x4, [x1]
constexpr u32 kReleaseTwoX = 0xc89ffc05, kReleaseTwoY = 0xc89ffc25;  // stlr x5, [x0]; stlr x5, [x1]
constexpr u32 kAcquireX = 0xc8dffc02, kAcquireY = 0xc8dffc22;        // ldar x2, [x0]; ldar x2, [x1]
constexpr u32 kAcquirePcY = 0xf8bfc022;                              // ldapr x2, [x1]
constexpr u32 kThenAcquireX = 0xc8dffc03, kThenAcquireY = 0xc8dffc23;
constexpr u32 kDmb = 0xd5033bbf, kDmbStores = 0xd5033abf, kDmbLoads = 0xd50339bf;
constexpr u32 kSwapX = 0xf8e48007, kSwapY = 0xf8e48027;  // swpal x4, x7, [x0]
constexpr u32 kAddX = 0xf8e40007, kAddY = 0xf8e40027;    // ldaddal x4, x7, [x0]
// again: ldaxr x7, [x0]; stlxr w8, x4, [x0]; cbnz w8, again
const Words kExclusiveX = {0xc85ffc07, 0xc808fc04, 0x35ffffc8},
            kExclusiveY = {0xc85ffc27, 0xc808fc24, 0x35ffffc8};

Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

struct Litmus : ChainMachine {
  static constexpr u64 kVariables = kWindow, kRounds = 1024, kControl = kWindow + 0x50000, kGo = kControl;
  static u64 results_at(unsigned n) { return kWindow + 0x60000 + n * 0x5000; }
  static u64 progress_at(unsigned n) { return kControl + 0x100 + n * 0x80; }
  static u64 done_at(unsigned n) { return kControl + 0x800 + n * 0x80; }

  explicit Litmus(const std::vector<Words>& bodies) : ChainMachine({}) {
    for (unsigned n = 0; n < bodies.size(); n++) {
      const u64 code = RunningPe::kCode + n * 0x1000;
      put_loop(code, bodies[n]);
      pes.push_back(std::make_unique<RunningPe>(*this, n));
      auto& pe = *pes.back();
      pe.x(4) = 1, pe.x(5) = 2, pe.x(10) = 1;
      pe.x(20) = kGo, pe.x(21) = kVariables, pe.x(22) = progress_at(n);
      pe.x(23) = progress_at(unsigned((n + 1) % bodies.size()));
      pe.x(24) = pe.x(27) = results_at(n), pe.x(25) = kRounds, pe.x(26) = done_at(n);
      pe.start(code);
    }
  }
  ~Litmus() {
    for (auto& pe : pes) pe->stop();
  }
  // All rounds of one go; the PEs meet before each round.
  void put_loop(u64 at, const Words& body) {
    auto put = [&](const Words& words) {
      for (u32 word : words) RunningPe::put(*this, at, {word}), at += 4;
    };
    const u64 outer = at;
    put({0xc85f7e89,    // outer: ldxr x9, [x20]
         0xeb0a013f,    //        cmp x9, x10
         0x54000060,    //        b.eq go
         0xd503205f,    //        wfe: gives the core away, because the monitor is open
         0x17fffffc,    //        b outer
         0xd280002b,    // go:    mov x11, #1
         0xaa1503e0});  //        mov x0, x21
    const u64 inner = at;
    put({0xf90002cb,    // inner: str x11, [x22]
         0xd280190d,    // wait:  mov x13, #200
         0xf94002ec,    // spin:  ldr x12, [x23]
         0xeb0b019f,    //        cmp x12, x11
         0x540000c2,    //        b.hs ready
         0xf10005ad,    //        subs x13, x13, #1
         0x54ffff81,    //        b.ne spin
         0xc85f7eec,    //        ldxr x12, [x23]
         0xd503205f,    //        wfe
         0x17fffff8,    //        b wait
         0x91020001});  // ready: add x1, x0, #128
    put(body);
    put({0xa8810f02,                                             //        stp x2, x3, [x24], #16
         0x91040000,                                             //        add x0, x0, #256
         0x9100056b,                                             //        add x11, x11, #1
         0xeb19017f});                                           //        cmp x11, x25
    put({u32(0x54000009 | ((inner - at) / 4 & 0x7ffff) << 5)});  // b.ls inner
    put({kDmb,
         0xf900034a,                                          //        str x10, [x26]
         0x9100054a,                                          //        add x10, x10, #1
         0xaa1b03f8});                                        //        mov x24, x27
    put({u32(0x14000000 | ((outer - at) / 4 & 0x3ffffff))});  // b outer
  }
  std::atomic_ref<u64> word(u64 address) { return std::atomic_ref(*reinterpret_cast<u64*>(at(address))); }

  // x and y as they are at the end, and the results of each PE.
  struct Outcome {
    u64 x, y;
    struct {
      u64 first, second;
    } pe[4];
  };
  void go(u64 number) {
    // Like stores of a guest: translated code that looks at them is not seen by ThreadSanitizer.
    for (u64 at = 0; at < kRounds * 256; at += 8) word(kVariables + at).store(0, std::memory_order_relaxed);
    for (unsigned n = 0; n < pes.size(); n++) word(progress_at(n)) = 0;
    word(kGo) = number;
    for (unsigned n = 0; n < pes.size(); n++)
      while (word(done_at(n)) != number) std::this_thread::yield();
  }
  Outcome outcome(u64 round) {
    Outcome o{word(kVariables + round * 256), word(kVariables + round * 256 + 128), {}};
    for (unsigned n = 0; n < pes.size(); n++)
      o.pe[n] = {word(results_at(n) + round * 16), word(results_at(n) + round * 16 + 8)};
    return o;
  }
  std::vector<std::unique_ptr<RunningPe>> pes;
};

using Forbidden = std::function<bool(const Litmus::Outcome&)>;

void never(const std::vector<Words>& bodies, const Forbidden& forbidden) {
  Litmus litmus(bodies);
  const auto end = std::chrono::steady_clock::now() +
                   (std::getenv("SLUICE_LONG") ? std::chrono::seconds(20) : std::chrono::milliseconds(400));
  u64 seen = 0, goes = 0;
  do {
    litmus.go(++goes);
    for (u64 round = 0; round < Litmus::kRounds; round++) seen += forbidden(litmus.outcome(round));
  } while (std::chrono::steady_clock::now() < end);
  EXPECT_EQ(seen, 0u) << "in " << goes * Litmus::kRounds << " rounds";
}

// SB: both PEs store, then load what the other stores.
bool both_read_zero(const Litmus::Outcome& o) { return o.pe[0].first == 0 && o.pe[1].first == 0; }

SPEC("Store buffering: DMB orders a store before a later load") {
  never({{kStoreX, kDmb, kLoadY}, {kStoreY, kDmb, kLoadX}}, both_read_zero);
}
SPEC("Store buffering: a store-release is ordered before a later load-acquire") {
  never({{kReleaseX, kAcquireY}, {kReleaseY, kAcquireX}}, both_read_zero);
}
SPEC("Store buffering: with DMB behind an atomic whose store is the last before it") {
  never({{kAddX, kDmb, kLoadY}, {kAddY, kDmb, kLoadX}}, both_read_zero);
}
SPEC("Store buffering: with a store between an atomic and the DMB") {
  // The atomics go to a place of their own: x + 64, y + 64.
  const Words add_beside_x = {0x91010006, 0xf8e400c7};  // add x6, x0, #64; ldaddal x4, x7, [x6]
  never({add_beside_x + Words{kStoreX, kDmb, kLoadY}, add_beside_x + Words{kStoreY, kDmb, kLoadX}},
        both_read_zero);
}
SPEC("Store buffering: an atomic with acquire and release is ordered before a later load-acquire") {
  never({{kSwapX, kAcquireY}, {kSwapY, kAcquireX}}, both_read_zero);
}
SPEC("Store buffering: a store-release exclusive is ordered before a later load-acquire") {
  never({kExclusiveX + Words{kAcquireY}, kExclusiveY + Words{kAcquireX}}, both_read_zero);
}
SPEC(
    "Store buffering: a store-release behind a barrier is ordered before a later load-acquire as any other") {
  never({{kDmb, kReleaseX, kAcquireY}, {kDmb, kReleaseY, kAcquireX}}, both_read_zero);
}
SPEC("Store buffering: a store behind a barrier is ordered by the next one") {
  never({{kDmb, kStoreX, kDmb, kLoadY}, {kDmb, kStoreY, kDmb, kLoadX}}, both_read_zero);
}
SPEC("Store buffering: DMB behind a loop of exclusives, with a store before them") {
  never({Words{kStoreX} + kExclusiveX + Words{kDmb, kLoadY},
         Words{kStoreY} + kExclusiveY + Words{kDmb, kLoadX}},
        both_read_zero);
}

// MP: data in x, a flag in y.
bool flag_without_data(const Litmus::Outcome& o) { return o.pe[1].first == 1 && o.pe[1].second == 0; }

SPEC("Message passing: barriers of stores and of loads") {
  never({{kStoreX, kDmbStores, kStoreY}, {kLoadY, kDmbLoads, kThenX}}, flag_without_data);
}
SPEC("Message passing: release and acquire") {
  never({{kStoreX, kReleaseY}, {kAcquireY, kThenX}}, flag_without_data);
}
SPEC("Message passing: release and acquire of RCpc") {
  never({{kStoreX, kReleaseY}, {kAcquirePcY, kThenX}}, flag_without_data);
}
SPEC("Message passing: the flag is an exclusive store or an atomic") {
  never({Words{kStoreX} + kExclusiveY, {kAcquireY, kThenX}}, flag_without_data);
  never({{kStoreX, kAddY}, {kAcquireY, kThenX}}, flag_without_data);
}

SPEC("Load buffering: loads are ordered before stores behind a barrier") {
  never({{kLoadX, kDmbLoads, kStoreY}, {kLoadY, kDmbLoads, kStoreX}},
        [](const Litmus::Outcome& o) { return o.pe[0].first == 1 && o.pe[1].first == 1; });
}
SPEC("2+2W: releases of two PEs reach memory in an order that both agree with") {
  never({{kReleaseX, kReleaseTwoY}, {kReleaseY, kReleaseTwoX}},
        [](const Litmus::Outcome& o) { return o.x == 1 && o.y == 1; });
}
SPEC("IRIW: two readers see the stores of two writers in the same order") {
  never({{kReleaseX}, {kReleaseY}, {kAcquireX, kThenAcquireY}, {kAcquireY, kThenAcquireX}},
        [](const Litmus::Outcome& o) {
          return o.pe[2].first == 1 && o.pe[2].second == 0 && o.pe[3].first == 1 && o.pe[3].second == 0;
        });
}
SPEC("Coherence: two loads of one place do not see it go back") {
  never({{kStoreX}, {kLoadX, kThenX}},
        [](const Litmus::Outcome& o) { return o.pe[1].first == 1 && o.pe[1].second == 0; });
}
SPEC("Atomicity: of two atomics on one place, both count") {
  never({{kAddX, kAddX}, {kAddX}}, [](const Litmus::Outcome& o) { return o.x != 3; });
  // again: ldaxr x7, [x0]; add x7, x7, #1; stlxr w8, x7, [x0]; cbnz w8, again
  const Words increment = {0xc85ffc07, 0x910004e7, 0xc808fc07, 0x35ffffa8};
  never({increment, increment}, [](const Litmus::Outcome& o) { return o.x != 2; });
  never({increment, {kAddX}}, [](const Litmus::Outcome& o) { return o.x != 2; });
}

}  // namespace
}  // namespace sluice::test
