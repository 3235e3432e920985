#include "tests/differential/sequences/generator.h"

#include <cstring>

#include "base/bits.h"
#include "cpu/a64/groups.h"
#include "cpu/emit.h"
#include "cpu/exception.h"

namespace sluice::test {
namespace {

using cpu::a64::Decoder;
using cpu::a64::Group;
using cpu::a64::Insn;
using tcg::ir::Op;

constexpr unsigned kCounter = 25, kWindowBase = 26, kIndex = 27;
constexpr bool reserved(unsigned n) { return n >= kCounter && n <= kIndex; }
constexpr bool matches(u32 word, u32 mask, u32 match) { return (word & mask) == match; }
constexpr u32 reg(u32 word, unsigned lsb) { return word >> lsb & 31; }
constexpr u32 with_reg(u32 word, unsigned lsb, u32 n) { return (word & ~(31u << lsb)) | n << lsb; }
constexpr u32 with_field(u32 word, unsigned lsb, unsigned width, u64 v) {
  return u32(deposit(word, lsb, width, v));
}

constexpr const Group* kGeneral[] = {&cpu::a64::kDataProcessingImmediate, &cpu::a64::kDataProcessingRegister,
                                     &cpu::a64::kFlagManipulation};
constexpr const Group* kFp[] = {
    &cpu::a64::kSimdThreeSameFp,         &cpu::a64::kSimdThreeSameFp16,
    &cpu::a64::kSimdScalarThreeSameFp,   &cpu::a64::kSimdTwoRegisterFp,
    &cpu::a64::kSimdScalarThreeSameFp16, &cpu::a64::kSimdTwoRegisterFp16,
    &cpu::a64::kSimdScalarTwoRegisterFp, &cpu::a64::kSimdScalarTwoRegisterFp16,
    &cpu::a64::kFpDataProcessing,        &cpu::a64::kFpCompare,
    &cpu::a64::kFpConvertFixed,          &cpu::a64::kFpConvertInteger,
};
constexpr const Group* kSimd[] = {
    &cpu::a64::kSimdThreeSame,
    &cpu::a64::kSimdScalarThreeSame,
    &cpu::a64::kSimdThreeSameExtra,
    &cpu::a64::kSimdTwoRegister,
    &cpu::a64::kSimdScalarTwoRegister,
    &cpu::a64::kSimdAcrossLanes,
    &cpu::a64::kSimdScalarPairwise,
    &cpu::a64::kSimdThreeDifferent,
    &cpu::a64::kSimdScalarThreeDifferent,
    &cpu::a64::kSimdByElement,
    &cpu::a64::kSimdScalarByElement,
    &cpu::a64::kSimdModifiedImmediate,
    &cpu::a64::kSimdShiftImmediate,
    &cpu::a64::kSimdScalarShiftImmediate,
    &cpu::a64::kSimdCopy,
    &cpu::a64::kSimdPermute,
};

template <size_t N>
void collect(std::vector<const Insn*>& into, const Group* const (&groups)[N]) {
  for (const Group* g : groups)
    for (const Insn& i : g->rows)
      if (user_features().has(i.feature)) into.push_back(&i);
}

bool is_literal(u32 w) { return matches(w, 0x3b000000, 0x18000000); }
bool is_exclusive(u32 w) { return matches(w, 0x3f800000, 0x08000000) && !matches(w, 0xbfa07c00, 0x08207c00); }

// What the architecture leaves open, and what QEMU 7.2 does differently from the Arm ARM (see
// insn_oracle_test.cpp).
bool is_open(u32 w) {
  u32 t = reg(w, 0), n = reg(w, 5), t2 = reg(w, 10);
  bool vector = bit(w, 26);
  if (matches(w, 0x3b200400, 0x38000400) && !vector && n == t && n != 31) return true;
  if (matches(w, 0x3a000000, 0x28000000)) {
    bool load = bit(w, 22), write_back = bit(w, 23);
    if (load && t == t2) return true;
    if (write_back && !vector && n != 31 && (n == t || n == t2)) return true;
  }
  if (matches(w, 0xfff0fc00, 0x5f10fc00)) return true;  // FCVTZS to a half-word lane
  if (matches(w, 0xfffffc00, 0x1e7e0000)) return true;  // FJCVTZS
  if (matches(w, 0xbff8fc00, 0x2f00fc00)) return true;  // modified immediate
  if (matches(w, 0xff7fcc00, 0x5e70c800) || matches(w, 0xbf7fcc00, 0x0e70c800)) return true;
  return matches(w, 0xfffff09f, 0xd500401f) && extract(w, 8, 4) != 0;  // CFINV and so on
}

// Neither undefined nor a writer of the reserved registers. What helpers write is not seen here: CASP.
bool is_harmless(u32 word) {
  const Decoder::Row* row = SequenceGenerator::decoder().find(word);
  if (!row || is_open(word)) return false;
  if (row->group == &cpu::a64::kAtomics && matches(word, 0xbfa07c00, 0x08207c00) && reg(word, 16) >= 24 &&
      reg(word, 16) <= 26)
    return false;
  static tcg::ir::Block block;
  block.clear();
  block.pc = kSequenceBase;
  tcg::ir::Builder builder(block);
  cpu::Emitter emitter(builder, cpu::Mode{}, user_features());
  emitter.pc = block.pc, emitter.word = word;
  row->insn->emit(emitter, word);
  for (const tcg::ir::Inst& i : block.insts) {
    if (i.op == Op::Call && i.imm == reinterpret_cast<u64>(&cpu::kUndefined)) return false;
    if (i.op == Op::SetState && i.imm >= cpu::offset_of_x(kCounter) && i.imm <= cpu::offset_of_x(kIndex))
      return false;
  }
  return true;
}

}  // namespace

const Decoder& SequenceGenerator::decoder() {
  static const Decoder decoder(user_features());
  return decoder;
}

const SequenceGenerator::Rows& SequenceGenerator::rows() {
  static const Rows rows = [] {
    Rows r;
    collect(r.general, kGeneral);
    collect(r.fp, kFp);
    collect(r.simd, kSimd);
    const Group* memory[] = {&cpu::a64::kLoadsStores, &cpu::a64::kLoadsStoresPair,
                             &cpu::a64::kSimdLoadsStores};
    collect(r.memory, memory);
    const Group* structure[] = {&cpu::a64::kSimdLoadsStoresStructure};
    collect(r.structure, structure);
    const Group* atomic[] = {&cpu::a64::kAtomics};
    collect(r.atomic, atomic);
    const Group* crypto[] = {&cpu::a64::kCryptographic};
    collect(r.crypto, crypto);
    const Group* branch[] = {&cpu::a64::kBranches};
    collect(r.branch, branch);
    for (const Insn& i : cpu::a64::kLoadsStoresExclusive.rows) {
      if (!user_features().has(i.feature)) continue;
      if (!is_exclusive(i.match))
        r.atomic.push_back(&i);
      else if (i.match >> 22 & 1)
        r.exclusive.push_back(&i);  // the stores are made from the loads
    }
    return r;
  }();
  return rows;
}

SequenceGenerator::SequenceGenerator(u64 seed, u64 number)
    : noise_(seed * 0x9e3779b97f4a7c15ull ^ number * 0xd1342543de82ef95ull) {}

u32 SequenceGenerator::data_processing(const std::vector<const Insn*>& from) {
  for (;;)
    if (u32 word = any(pick(from)); is_harmless(word)) return word;
}

// A word that loads or stores, with offsets small enough for the window, and a base register that may be
// written.
u32 SequenceGenerator::memory_word() {
  const u64 kind = below(16);
  const Insn& row = pick(kind < 9 ? rows().memory : kind < 13 ? rows().structure : rows().atomic);
  u32 w = any(row);
  if (is_literal(w)) return w;
  if (matches(w, 0x3b000000, 0x39000000)) w = with_field(w, 10, 12, below(48));
  if (matches(w, 0x3b200c00, 0x38200800)) w = with_reg(w, 16, kIndex);
  if (matches(w, 0xbe800000, 0x0c800000)) w = with_reg(w, 16, below(2) ? kIndex : 31);
  if (matches(w, 0x3f000000, 0x08000000)) w = with_reg(w, 10, 31);  // ordered, CAS: should be one
  if (matches(w, 0x3f808000, 0x08808000) && !bit(w, 21)) w = with_reg(w, 16, 31);
  if (matches(w, 0x3fa00000, 0x08800000)) w = with_reg(w, 16, 31);
  if (reserved(reg(w, 5))) w = with_reg(w, 5, u32(below(kCounter)));
  return w;
}

// ADD Xn|SP, X26, #offset, or an address behind the end of memory.
u32 SequenceGenerator::base_setup(unsigned n, u64 offset, bool faulting) {
  if (faulting)
    return 0xd2a00000 | u32((kSequenceBase + kSequenceSize) >> 16) << 5 | n;  // MOVZ Xn, #, LSL #16
  return 0x91000000 | u32(offset) << 10 | kWindowBase << 5 | n;
}

// Runs the access alone and looks where it goes.
bool SequenceGenerator::acceptable(u32 word, unsigned base, u64 address, bool faulting) {
  static const auto world = std::make_unique<UserWorld>(UserWorld::Options{});
  static std::vector<UserWorld::Touched> touched;
  constexpr u64 kScratch = kSequenceBase + kSequenceSize / 2;
  touched.clear();
  world->fast_memory = false;
  world->log = &touched;
  cpu::PeState& s = world->state();
  for (u64& x : s.x) x = address;
  s.x[kIndex] = out_.data.registers.x[kIndex];
  s.sp = address;
  if (base < 31) s.x[base] = address;
  world->put(kScratch, std::span(&word, 1));
  s.pc = kScratch;
  const UserWorld::End end = world->run(kScratch + 4);
  if (faulting) return end == UserWorld::End::DataFault && touched.size() == 1;
  if (end != UserWorld::End::Arrived) return false;
  for (const UserWorld::Touched& t : touched)
    if (t.va < kSequenceWindow || t.va + t.size > kSequenceWindow + kSequenceWindowBytes) return false;
  return true;
}

bool SequenceGenerator::memory_access(bool faulting) {
  u32 w = memory_word();
  if (!is_harmless(w)) return false;
  if (is_literal(w)) {
    // Words of the pool, aligned or not to the size of the load.
    const i64 target = i64(below(kSequencePoolWords - 3));
    append(with_field(w, 5, 19, u64(target - i64(out_.data.count)) & ones(19)));
    return !faulting;
  }
  const unsigned n = reg(w, 5);
  u64 offset = kSequenceWindowBytes / 2 - 256 + below(512);
  if (below(2)) offset = align_down(offset, 16);
  const u64 address = faulting ? kSequenceBase + kSequenceSize : kSequenceWindow + offset;
  if ((faulting && n == 31) || !acceptable(w, n, address, faulting)) return false;
  append(base_setup(n, offset, faulting));
  append(w);
  return true;
}

// LDXR, perhaps something in between, STXR to the same address; or the monitor has been cleared.
void SequenceGenerator::exclusive_pair() {
  u32 load = any(pick(rows().exclusive));
  load = with_reg(load, 16, 31);
  const bool pair = bit(load, 21);
  if (!pair) load = with_reg(load, 10, 31);
  const unsigned n = unsigned(below(kCounter));
  load = with_reg(load, 5, n);
  u32 store = with_field(load, 22, 1, 0);
  store = with_reg(with_reg(store, 0, u32(below(31))), 16, u32(below(kCounter)));
  if (pair) store = with_reg(store, 10, u32(below(31)));
  const unsigned s = reg(store, 16);
  // The status register must differ from the others, the data registers from each other.
  if (s == n || s == reg(store, 0) || (pair && s == reg(store, 10))) return;
  if (!is_harmless(load) || (pair && reg(load, 0) == reg(load, 10))) return;
  const u32 setup = base_setup(n, align_down(kSequenceWindowBytes / 2 - 256 + below(512), 16), false);
  append(setup), append(load);
  if (below(2)) append(data_processing(rows().general));
  if (below(5) == 0) append(0xd503305f | u32(below(16)) << 8);  // CLREX
  append(setup), append(store);
  append(0xd503305f);  // nobody else's STXR succeeds
}

void SequenceGenerator::state_register() {
  constexpr u32 kMrsNzcv = 0xd53b4200, kMsrNzcv = 0xd51b4200, kMrsFpcr = 0xd53b4400, kDmbIsh = 0xd5033bbf,
                kIsb = 0xd5033fdf, kNop = 0xd503201f;
  const u32 n = u32(below(kCounter));
  switch (below(6)) {
    case 0: return append(kMrsNzcv | n);
    case 1: return append(kMsrNzcv | n);
    case 2: return append(kMrsFpcr | n);
    case 3: return append(kDmbIsh);
    case 4: return append(kIsb);
    default: return append(kNop);
  }
}

// Forward, over up to six units.
void SequenceGenerator::branch() {
  u32 w = any(pick(rows().branch));
  const u32 target = u32(out_.units.size()) + 1 + u32(below(6));
  if (matches(w, 0xfe000000, 0xd6000000)) {  // BR, BLR, RET: an ADR makes the target
    const u32 n = u32(below(kCounter));
    links_.push_back({u32(out_.data.count), target});
    append(0x10000000 | n);
    append(with_reg(w, 5, n));
    return;
  }
  links_.push_back({u32(out_.data.count), target});
  append(w);
}

void SequenceGenerator::loop_begin() {
  append(0xd2800000 | u32(below(4)) << 5 | kCounter);  // MOVZ X25, #
  loop_start_ = u32(out_.units.size()) + 1;
}
// Ends by itself whatever X25 was, and wherever the body was entered.
void SequenceGenerator::loop_end() {
  append(0xd1000400 | kCounter << 5 | kCounter);  // SUB X25, X25, #1
  links_.push_back({u32(out_.data.count), loop_start_});
  append(0xb6f80000 | kCounter);  // TBZ X25, #63
  loop_start_ = 0;
}

void SequenceGenerator::append_some() {
  const u64 kind = below(100);
  if (kind < 24) return append(data_processing(rows().general));
  if (kind < 44) return append(data_processing(rows().simd));
  if (kind < 60) return append(data_processing(rows().fp));
  if (kind < 64) return append(data_processing(rows().crypto));
  if (kind < 86) {
    const u64 before = out_.data.count;
    while (!memory_access(false)) out_.data.count = before;
    return;
  }
  if (kind < 88) return exclusive_pair();
  if (kind < 90) return state_register();
  if (kind < 97) return branch();
  loop_start_ ? loop_end() : loop_begin();
}

void SequenceGenerator::add_unit() {
  const u32 first = u32(out_.data.count);
  append_some();
  if (out_.data.count > first) out_.units.push_back({first, u32(out_.data.count) - first});
}

Sequence SequenceGenerator::make(u64 address) {
  out_ = {};
  SequenceCase& c = out_.data;
  const InsnRecord r = noise_.registers();
  std::memcpy(&c.registers, &r, offsetof(SequenceRegisters, pc));
  c.registers.x[kCounter] = below(4);
  c.registers.x[kWindowBase] = kSequenceWindow;
  c.registers.x[kIndex] = below(4) ? below(17) : 0 - below(17);
  c.code = address;
  for (size_t i = 0; i < sizeof c.window; i += sizeof r.v) {
    const InsnRecord data = noise_.registers();
    std::memcpy(c.window + i, data.v, sizeof data.v);
  }
  for (unsigned i = 0; i < kSequencePoolWords; i++) append(u32(random()));
  append(0xf940781e), append(0xf9400000);
  const u64 units = 1 + below(32), fault_at = below(20) ? ~u64{0} : below(units);
  while (out_.units.size() < units) {
    const u32 first = u32(c.count);
    if (out_.units.size() == fault_at && memory_access(true)) {
      out_.units.push_back({first, u32(c.count) - first});
    } else {
      c.count = first;
      add_unit();
    }
  }
  for (const Link& l : links_) {
    const u32 to = l.unit < out_.units.size() ? out_.units[l.unit].first : u32(c.count);
    const u64 distance = u64(i64(to) - i64(l.word));
    u32& w = c.words[l.word];
    if (matches(w, 0x9f000000, 0x10000000))
      w = with_field(w, 5, 19, distance & ones(19));  // ADR
    else if (matches(w, 0x7c000000, 0x14000000))
      w = with_field(w, 0, 26, distance & ones(26));
    else if (matches(w, 0x7e000000, 0x36000000))
      w = with_field(w, 5, 14, distance & ones(14));
    else
      w = with_field(w, 5, 19, distance & ones(19));
  }
  return out_;
}

}  // namespace sluice::test
