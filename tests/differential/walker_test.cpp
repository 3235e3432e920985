// Random tables, registers and accesses: the MMU against a second walker, written from the pseudocode of Arm
// DDI 0487 (AArch64.S1Walk and what follows it) in the manual's own order and with nothing shared.
#include <gtest/gtest.h>

#include "tests/support/secure_world.h"

namespace sluice::test {
namespace {

using Kind = cpu::Fault::Kind;

struct Inputs {
  u64 va, tcr, sctlr, mair, ttbr[2];
  unsigned el;
  bool pan, uao, unprivileged;
  Access access;
  bool unaligned;
  // With el 3 the registers are EL3's. `secure` is the Security state of EL1 and EL0.
  bool secure, sif;
  bool operator==(const Inputs&) const = default;
};
struct Outcome {
  Kind kind = Kind::None;
  unsigned level = 0;
  bool write = false;
  u64 pa = 0;
  bool ns = true;  // the physical address space of pa
};

// The oracle. `memory` returns the 8 bytes at a PA of a space, or nullptr.
class Oracle {
 public:
  Oracle(const Inputs& in, std::function<u64*(u64, bool ns)> memory) : in_(in), memory_(std::move(memory)) {}

  Outcome run() {
    bool fetch = in_.access == Access::Execute;
    as_el0_ = in_.el == 0 || (in_.unprivileged && !in_.uao && !fetch);
    ns_ = !in_.secure && in_.el != 3;
    secure_ = !ns_;
    if (in_.el == 3) return run_el3();
    unsigned half = in_.va >> 55 & 1;
    u64 va = in_.va;
    bool tbi = in_.tcr >> (37 + half) & 1;
    if (fetch && (in_.tcr >> (51 + half) & 1)) tbi = false;
    if (tbi) va = half ? va | u64{0xff} << 56 : va & ~(u64{0xff} << 56);
    if (!fetch && in_.unaligned && (in_.sctlr & 2)) return fault(Kind::Alignment, 0);
    if (!(in_.sctlr & 1)) {
      if (va >> 48) return fault(Kind::AddressSize, 0);
      if (!fetch && in_.unaligned) return fault(Kind::Alignment, 0);
      return {.pa = va, .ns = ns_};
    }
    if (as_el0_ && (in_.tcr >> (55 + half) & 1)) return fault(Kind::Translation, 0);
    unsigned tsz = in_.tcr >> (half ? 16 : 0) & 63;
    unsigned tg = in_.tcr >> (half ? 30 : 14) & 3;
    page_bits_ = half ? (tg == 1 ? 14 : tg == 3 ? 16 : 12) : (tg == 1 ? 16 : tg == 2 ? 14 : 12);
    if (tsz < 16 || tsz > 39 || (in_.tcr >> (half ? 23 : 7) & 1)) return fault(Kind::Translation, 0);
    input_bits_ = 64 - tsz;
    u64 above = ~u64{0} << input_bits_;
    if ((va & above) != (half ? above : 0)) return fault(Kind::Translation, 0);
    va_ = va;
    hpd_ = in_.tcr >> (41 + half) & 1;
    constexpr unsigned sizes[] = {32, 36, 40, 42, 44, 48, 48, 48};
    output_bits_ = sizes[in_.tcr >> 32 & 7];
    unsigned level = 3, resolved = page_bits_;
    while (resolved + page_bits_ - 3 < input_bits_) resolved += page_bits_ - 3, level--;
    u64 base = in_.ttbr[half] & 0xffffffffffff;
    base &= ~((u64{8} << (input_bits_ - resolved)) - 1);
    if (base >> output_bits_) return fault(Kind::AddressSize, 0);
    return walk(level, base, resolved, input_bits_ - resolved, 0);
  }

 private:
  // One range, one privilege level; TCR_EL3 has its own layout.
  Outcome run_el3() {
    bool fetch = in_.access == Access::Execute;
    one_level_ = true;
    u64 va = in_.va;
    bool tbi = in_.tcr >> 20 & 1;
    if (fetch && (in_.tcr >> 29 & 1)) tbi = false;
    if (tbi && !(va >> 55 & 1)) va &= ~(u64{0xff} << 56);
    if (!fetch && in_.unaligned && (in_.sctlr & 2)) return fault(Kind::Alignment, 0);
    if (!(in_.sctlr & 1)) {
      if (va >> 48) return fault(Kind::AddressSize, 0);
      if (!fetch && in_.unaligned) return fault(Kind::Alignment, 0);
      return {.pa = va, .ns = false};
    }
    unsigned tsz = in_.tcr & 63, tg = in_.tcr >> 14 & 3;
    page_bits_ = tg == 1 ? 16 : tg == 2 ? 14 : 12;
    if (tsz < 16 || tsz > 39) return fault(Kind::Translation, 0);
    input_bits_ = 64 - tsz;
    if (va >> input_bits_) return fault(Kind::Translation, 0);
    va_ = va;
    hpd_ = in_.tcr >> 24 & 1;
    constexpr unsigned sizes[] = {32, 36, 40, 42, 44, 48, 48, 48};
    output_bits_ = sizes[in_.tcr >> 16 & 7];
    unsigned level = 3, resolved = page_bits_;
    while (resolved + page_bits_ - 3 < input_bits_) resolved += page_bits_ - 3, level--;
    u64 base = in_.ttbr[0] & 0xffffffffffff;
    base &= ~((u64{8} << (input_bits_ - resolved)) - 1);
    if (base >> output_bits_) return fault(Kind::AddressSize, 0);
    return walk(level, base, resolved, input_bits_ - resolved, 0);
  }
  Outcome fault(Kind kind, unsigned level) const { return {kind, level, in_.access == Access::Write, 0}; }
  // One level: `low` bits are below this level's index, which has `count` bits. tables: APTable, XNTable,
  // PXNTable so far.
  Outcome walk(unsigned level, u64 table, unsigned low, unsigned count, unsigned tables) {
    u64 index = va_ >> low & ((u64{1} << count) - 1);
    u64* where = memory_(table + index * 8, ns_);
    if (!where) return fault(Kind::ExternalOnWalk, level);
    bool ee = in_.sctlr >> 25 & 1;
    u64 raw = ee ? __builtin_bswap64(*where) : *where;
    unsigned type = raw & 3;
    if (type == 3 && level < 3) {
      u64 next = raw & 0xffffffffffff & ~((u64{1} << page_bits_) - 1);
      if (next >> output_bits_) return fault(Kind::AddressSize, level);
      ns_ = ns_ || (raw >> 63 & 1);  // NSTable; without effect outside of the Secure state, where it is so
      return walk(level + 1, next, low - (page_bits_ - 3), page_bits_ - 3, tables | unsigned(raw >> 59 & 15));
    }
    bool leaf = level == 3 ? type == 3 : type == 1 && (level == 2 || (level == 1 && page_bits_ == 12));
    if (!leaf) return fault(Kind::Translation, level);
    u64 output = raw & 0xffffffffffff & ~((u64{1} << low) - 1);
    if (output >> output_bits_) return fault(Kind::AddressSize, level);
    bool ns = ns_ || (raw >> 5 & 1);
    Outcome result = finish(level, raw, tables, where, ns);
    result.ns = ns;
    result.pa = output | (va_ & ((u64{1} << low) - 1));
    return result;
  }
  Outcome finish(unsigned level, u64 raw, unsigned tables, u64* where, bool ns) {
    unsigned ha_bit = one_level_ ? 21 : 39;
    bool ha = in_.tcr >> ha_bit & 1, hd = ha && (in_.tcr >> (ha_bit + 1) & 1),
         writes = allows(in_.access, Access::Write);
    if (!(raw >> 10 & 1) && !ha) return fault(Kind::AccessFlag, level);
    bool fetch = in_.access == Access::Execute;
    unsigned attribute = in_.mair >> ((raw >> 2 & 7) * 8) & 0xff;
    if (!fetch && in_.unaligned && (attribute & 0xf0) == 0) return fault(Kind::Alignment, 0);
    bool ap1 = raw >> 6 & 1, ap2 = raw >> 7 & 1;
    if (hd && (raw >> 51 & 1)) ap2 = false;
    bool pxn = raw >> 53 & 1, uxn = raw >> 54 & 1;
    if (!hpd_) {
      if (tables & 1) pxn = true;
      if (tables & 2) uxn = true;
      if (tables & 4) ap1 = false;
      if (tables & 8) ap2 = true;
    }
    struct {
      bool r, w, x;
    } el1{true, !ap2, true}, el0{ap1, ap1 && !ap2, true};
    bool wxn = in_.sctlr >> 19 & 1;
    el1.x = !(pxn || el0.w);
    el0.x = !uxn;
    if (wxn) el1.x = el1.x && !el1.w, el0.x = el0.x && !el0.w;
    if (in_.pan && el0.r) el1.r = el1.w = false;
    auto mine = as_el0_ ? el0 : el1;
    if (one_level_) {  // AP[2], XN in bit 54; the rest is RES0 or RES1
      mine = {true, !ap2, !uxn};
      if (wxn) mine.x = mine.x && !mine.w;
    }
    if (secure_ && ns && in_.sif) mine.x = false;
    bool reads = allows(in_.access, Access::Read);
    if (fetch ? !mine.x : (reads && !mine.r) || (writes && !mine.w)) {
      Outcome o = fault(Kind::Permission, level);
      if (reads && writes) o.write = mine.r;
      return o;
    }
    u64 updated = raw | u64{1} << 10;
    if (hd && writes && (raw >> 51 & 1)) updated &= ~(u64{1} << 7);
    if (updated != raw) *where = in_.sctlr >> 25 & 1 ? __builtin_bswap64(updated) : updated;
    return {};
  }

  const Inputs in_;
  std::function<u64*(u64, bool)> memory_;
  unsigned page_bits_ = 12, input_bits_ = 48, output_bits_ = 48;
  bool as_el0_ = false, hpd_ = false, one_level_ = false, ns_ = true, secure_ = false;
  u64 va_ = 0;
};

constexpr u64 kTableBytes = u64{2} << 20;

u64 random_word(Random& r) { return r.below(u64{1} << 32) << 32 | r.below(u64{1} << 32); }

u64 random_descriptor(Random& r, bool contiguous) {
  u64 v = random_word(r);
  unsigned kind = unsigned(r.below(100));
  v = (v & ~u64{3}) | (kind < 72 ? 3 : kind < 92 ? 1 : kind < 96 ? 0 : 2);
  v |= r.chance(70) ? pte::kAf : 0;
  if (r.chance(80)) v &= ~(u64{15} << 59);
  if (!contiguous) v &= ~pte::kContiguous;
  unsigned where = unsigned(r.below(100));
  if (where < 88)
    v = deposit(v, 12, 36, (kRamBase + r.below(kTableBytes)) >> 12);  // into the tables
  else if (where < 92)
    v = deposit(v, 12, 36, kDeviceBase >> 12);
  else if (where < 95)
    v = deposit(v, 32, 16, 0);
  return v;
}

u64 random_tcr(Random& r) {
  u64 tcr = 0;
  for (unsigned half = 0; half < 2; half++) {
    tcr |= (r.chance(90) ? r.between(16, 39) : r.below(64)) << (half ? 16 : 0);
    tcr |= r.below(4) << (half ? 30 : 14);
    tcr |= u64(r.chance(4)) << (half ? 23 : 7) | u64(r.chance(40)) << (37 + half) |
           u64(r.chance(30)) << (41 + half) | u64(r.chance(40)) << (51 + half) |
           u64(r.chance(8)) << (55 + half);
  }
  return tcr | (r.chance(60) ? u64{5} : r.below(8)) << 32 | r.below(2) << 22 | u64{1} << 36 |
         r.below(4) << 39;
}

u64 random_va(Random& r, u64 tcr) {
  bool upper = r.chance(50);
  unsigned bits = 64 - unsigned(tcr >> (upper ? 16 : 0) & 63);
  if (bits > 48 || bits < 12) bits = 48;
  u64 va = random_word(r) & ones(bits);
  if (upper) va |= ~ones(bits);
  unsigned spoil = unsigned(r.below(100));
  if (spoil < 15)
    va = deposit(va, 56, 8, r.below(256));
  else if (spoil < 18)
    va ^= u64{1} << r.below(64);
  return va;
}

u64 random_tcr_el3(Random& r) {
  return (r.chance(90) ? r.between(16, 39) : r.below(64)) | r.below(4) << 14 |
         (r.chance(60) ? u64{5} : r.below(8)) << 16 | u64(r.chance(40)) << 20 | r.below(4) << 21 |
         u64(r.chance(30)) << 24 | u64(r.chance(40)) << 29;
}

class WalkerTest : public testing::Test {
 protected:
  SecureMachine machine;
  SecurePe pe{machine};
  Participant::Running running{pe.participant};

  void fill(Random& r, bool contiguous, bool big_endian) {
    for (u64 offset = 0; offset < kTableBytes; offset += 8) {
      u64 v = random_descriptor(r, contiguous);
      if (big_endian) v = __builtin_bswap64(v);
      std::memcpy(machine.ram->host() + offset, &v, 8);
      v = random_descriptor(r, contiguous);
      if (big_endian) v = __builtin_bswap64(v);
      std::memcpy(machine.secure_ram->host() + offset, &v, 8);
    }
  }
  u64* memory(u64 pa, bool ns) {
    if (pa < kRamBase || pa >= kRamBase + kRamSize) return nullptr;
    return reinterpret_cast<u64*>(ns ? machine.at(pa) : machine.secure_at(pa));
  }
  // EL3, or EL1&0 of one of the worlds.
  Inputs random_registers(Random& r, bool big_endian) {
    Inputs in{};
    in.el = r.chance(30) ? 3 : 1;
    in.secure = r.chance(50);
    in.sif = r.chance(20);
    in.tcr = in.el == 3 ? random_tcr_el3(r) : random_tcr(r);
    in.sctlr = u64(r.chance(98)) | u64(r.chance(5)) << 1 | u64(r.chance(30)) << 19 | u64(big_endian) << 25;
    in.mair = r.chance(50) ? 0x4400ff00ff00ff : random_word(r);
    for (u64& ttbr : in.ttbr) {
      ttbr = kRamBase + align_down(r.below(kTableBytes), 0x10000);
      if (r.chance(2)) ttbr |= u64{1} << r.between(30, 47);
      ttbr |= r.below(16);  // CnP and bits below the alignment
    }
    return in;
  }
  void random_access(Random& r, Inputs& in) {
    in.va = random_va(r, in.tcr);
    if (in.el == 3 && r.chance(90)) in.va &= ones(48);
    if (in.el != 3) in.el = unsigned(r.below(2));
    in.pan = r.chance(40);
    in.uao = r.chance(30);
    in.unprivileged = r.chance(20);
    constexpr Access kinds[] = {Access::Read, Access::Write, Access::ReadWrite, Access::Execute};
    in.access = kinds[r.below(4)];
    in.unaligned = in.access != Access::Execute && r.chance(20);
    in.va = align_down(in.va, 8);
    if (in.unaligned && (in.va & 0xfff) < 0xff0)
      in.va += 1 + r.below(7);
    else
      in.unaligned = false;
  }
  void apply_registers(const Inputs& in) {
    auto& s = pe.state.sysregs;
    s[cpu::Slot::SCR_EL3] = in.sif ? cpu::scr::kSif : 0;
    pe.go(in.el, !in.secure);
    if (in.el == 3) {
      s[cpu::Slot::TCR_EL3] = in.tcr;
      s[cpu::Slot::MAIR_EL3] = in.mair;
      s[cpu::Slot::TTBR0_EL3] = in.ttbr[0];
      pe.set(cpu::Slot::SCTLR_EL3, in.sctlr);
      return pe.tlbi_above(6, kTlbiLocal, kTlbiVmall);
    }
    s[cpu::Slot::TCR_EL1] = in.tcr;
    s[cpu::Slot::MAIR_EL1] = in.mair;
    s[cpu::Slot::TTBR0_EL1] = in.ttbr[0];
    s[cpu::Slot::TTBR1_EL1] = in.ttbr[1];
    pe.set(cpu::Slot::SCTLR_EL1, in.sctlr);
    pe.tlbi(kTlbiLocal, kTlbiVmall);
  }
  std::string text(const Inputs& in) {
    char line[400];
    std::snprintf(line, sizeof line,
                  "va %llx tcr %llx sctlr %llx mair %llx ttbr %llx %llx el %u pan %d uao %d unpriv %d access "
                  "%d unaligned %d secure %d sif %d",
                  (unsigned long long)in.va, (unsigned long long)in.tcr, (unsigned long long)in.sctlr,
                  (unsigned long long)in.mair, (unsigned long long)in.ttbr[0], (unsigned long long)in.ttbr[1],
                  in.el, in.pan, in.uao, in.unprivileged, int(in.access), in.unaligned, in.secure, in.sif);
    return line;
  }

  // One access both ways. The oracle works on a copy of nothing: its updates are undone and compared.
  void compare(const Inputs& in) {
    u64* touched = nullptr;
    u64 before = 0, oracle_after = 0;
    std::vector<std::pair<u64*, u64>> seen;
    Oracle oracle(in, [&](u64 pa, bool ns) -> u64* {
      u64* p = memory(pa, ns);
      if (p) seen.emplace_back(p, *p);
      return p;
    });
    Outcome expected = oracle.run();
    if (!seen.empty()) {
      touched = seen.back().first;
      before = seen.back().second;
      oracle_after = *touched;
      *touched = before;
    }
    bool in_ram = expected.pa >= kRamBase && expected.pa < kRamBase + kRamSize;
    bool in_device = expected.pa >= kDeviceBase && expected.pa < kDeviceBase + 0x1000;
    bool external = expected.kind == Kind::None && !in_ram && !in_device;
    pe.state.el = u8(in.el), pe.state.pan = in.pan, pe.state.uao = in.uao;
    pe.mmu.update_context();
    pe.fault = {};
    u8* host = nullptr;
    bool failed;
    if (in.access == Access::Execute) {
      tcg::FetchTarget t = pe.fetch(in.va);
      failed = t.kind == tcg::FetchTarget::Kind::Fault;
      host = const_cast<u8*>(t.host);
    } else {
      tcg::DataTarget t = pe.access(in.va, in.access, 8, in.unprivileged);
      failed = t.kind == tcg::DataTarget::Kind::Fault;
      host = t.host;
    }
    SCOPED_TRACE(text(in));
    if (external) {
      EXPECT_EQ(pe.fault.kind, Kind::External);
    } else {
      ASSERT_EQ(failed ? pe.fault.kind : Kind::None, expected.kind) << "level " << unsigned(pe.fault.level);
      if (failed) {
        EXPECT_EQ(pe.fault.level, expected.level);
        EXPECT_EQ(pe.fault.write, expected.write);
        EXPECT_EQ(pe.fault.va, in.va);
      } else if (in_ram) {
        EXPECT_EQ(static_cast<void*>(host), static_cast<void*>(memory(expected.pa, expected.ns)));
      } else {
        EXPECT_EQ(host, nullptr);
      }
    }
    if (touched) {
      EXPECT_EQ(*touched, oracle_after);
    }
    outcomes[unsigned(expected.kind)]++;
    if (expected.kind == Kind::None) regimes[in.el == 3 ? 2 : in.secure]++;
  }
  std::map<unsigned, unsigned> outcomes;
  unsigned regimes[3] = {};  // successes: Non-secure and Secure EL1&0, EL3

  // Every kind that the oracle can give has to have been met, or the test tests less than it says.
  void expect_coverage() {
    for (Kind k : {Kind::None, Kind::AddressSize, Kind::Translation, Kind::AccessFlag, Kind::Permission,
                   Kind::Alignment, Kind::ExternalOnWalk})
      EXPECT_GT(outcomes[unsigned(k)], 20u) << "kind " << unsigned(k);
    for (unsigned n : regimes) EXPECT_GT(n, 200u);
  }
};

TEST_F(WalkerTest, AgreesWithTheOracleFromAnEmptyTlb) {
  Random r(0x5eed1);
  for (unsigned world = 0; world < 6; world++) {
    bool big_endian = world % 3 == 2;
    fill(r, true, big_endian);
    for (unsigned n = 0; n < 5000 && !HasFailure(); n++) {
      Inputs in = random_registers(r, big_endian);
      random_access(r, in);
      apply_registers(in);
      compare(in);
    }
  }
  expect_coverage();
}

// With the TLB and the walk cache warm, tables and registers unchanged: hits must say what a walk would.
TEST_F(WalkerTest, AgreesWithTheOracleWhileTheTlbIsWarm) {
  Random r(0x5eed2);
  for (unsigned world = 0; world < 200 && !HasFailure(); world++) {
    if (world % 20 == 0) fill(r, false, false);
    Inputs in = random_registers(r, false);
    apply_registers(in);
    u64 recent[16] = {};
    for (unsigned n = 0; n < 200 && !HasFailure(); n++) {
      random_access(r, in);
      if (n >= 16 && r.chance(70)) {
        in.va = (recent[r.below(16)] & ~u64{0xfff}) | (in.va & 0xfff);
        if (r.chance(20)) in.va ^= u64{0x1000} << r.below(4);
      }
      recent[n % 16] = in.va;
      compare(in);
    }
  }
  expect_coverage();
}

}  // namespace
}  // namespace sluice::test
