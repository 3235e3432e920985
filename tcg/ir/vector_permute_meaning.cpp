#include "tcg/ir/lane_loops.h"
#include "tcg/ir/vector_meaning.h"

namespace sluice::tcg::ir::lanes {
namespace {

// Lane i of the result is lane source(i, lanes).second of the operand source(i, lanes).first (false: a).
template <class F>
Vec permute(const Vec& a, const Vec& b, unsigned esize, unsigned bytes, const F& source) {
  const unsigned count = bytes >> esize;
  return with_unsigned(esize, [&]<class T>(T) {
    Vec r;
    for (unsigned i = 0; i < count && i < kLanes<T>; i++) {
      auto [from_b, lane] = source(i, count);
      r.set_lane<T>(i, (from_b ? b : a).template lane<T>(lane));
    }
    return r;
  });
}
struct Source {
  bool from_b;
  unsigned lane;
};

template <unsigned Part>
constexpr auto kZip = [](unsigned i, unsigned count) {
  return Source{bool(i & 1), i / 2 + Part * (count / 2)};
};
template <unsigned Part>
constexpr auto kUzp = [](unsigned i, unsigned count) {
  unsigned lane = 2 * i + Part;
  return lane < count ? Source{false, lane} : Source{true, lane - count};
};
template <unsigned Part>
constexpr auto kTrn = [](unsigned i, unsigned) {
  return Source{bool(i & 1), (i & ~1u) + Part};
};

template <class Narrow, class Wide>
Vec extend(const Vec& a, bool high) {
  Vec r;
  for (unsigned i = 0; i < kLanes<Wide>; i++)
    r.set_lane<Wide>(i, a.lane<Narrow>(i + (high ? kLanes<Wide> : 0)));
  return r;
}

}  // namespace

Vec zip1(const Vec& a, const Vec& b, unsigned esize, unsigned bytes) {
  return permute(a, b, esize, bytes, kZip<0>);
}
Vec zip2(const Vec& a, const Vec& b, unsigned esize, unsigned bytes) {
  return permute(a, b, esize, bytes, kZip<1>);
}
Vec uzp1(const Vec& a, const Vec& b, unsigned esize, unsigned bytes) {
  return permute(a, b, esize, bytes, kUzp<0>);
}
Vec uzp2(const Vec& a, const Vec& b, unsigned esize, unsigned bytes) {
  return permute(a, b, esize, bytes, kUzp<1>);
}
Vec trn1(const Vec& a, const Vec& b, unsigned esize, unsigned bytes) {
  return permute(a, b, esize, bytes, kTrn<0>);
}
Vec trn2(const Vec& a, const Vec& b, unsigned esize, unsigned bytes) {
  return permute(a, b, esize, bytes, kTrn<1>);
}

Vec ext(const Vec& a, const Vec& b, unsigned position, unsigned bytes) {
  auto source = [=](unsigned i, unsigned count) {
    return i + position < count ? Source{false, i + position} : Source{true, i + position - count};
  };
  return permute(a, b, 0, bytes, source);
}

Vec shuffle32(const Vec& a, const Vec& b, unsigned selection) {
  Vec r;
  for (unsigned i = 0; i < 4; i++) r.set_lane<u32>(i, (i < 2 ? a : b).lane<u32>(selection >> (2 * i) & 3));
  return r;
}

Vec table(const Vec& fallback, const Vec& table, const Vec& indices, unsigned first) {
  auto look_up = [&](u8 otherwise, u8 index) {
    return index >= first && index - first < 16 ? table.lane<u8>(index - first) : otherwise;
  };
  return unsigned_lanes(0, look_up, fallback, indices);
}

Vec dup(u64 value, unsigned esize) {
  u64 half = replicate(value, 8u << esize);
  return {half, half};
}
u64 get(const Vec& a, unsigned esize, unsigned lane) {
  unsigned bit_position = (lane << esize) * 8;
  return extract(bit_position < 64 ? a.lo : a.hi, bit_position & 63, 8u << esize);
}
Vec insert(const Vec& a, unsigned esize, unsigned lane, u64 value) {
  Vec r = a;
  unsigned bit_position = (lane << esize) * 8;
  u64& half = bit_position < 64 ? r.lo : r.hi;
  half = deposit(half, bit_position & 63, 8u << esize, value);
  return r;
}

Vec sxtl(const Vec& a, unsigned esize, u64 high) {
  switch (esize) {
    case 0: return extend<i8, i16>(a, high);
    case 1: return extend<i16, i32>(a, high);
    default: return extend<i32, i64>(a, high);
  }
}
Vec uxtl(const Vec& a, unsigned esize, u64 high) {
  switch (esize) {
    case 0: return extend<u8, u16>(a, high);
    case 1: return extend<u16, u32>(a, high);
    default: return extend<u32, u64>(a, high);
  }
}
Vec xtn(const Vec& a, unsigned esize) { return uzp1(a, Vec{}, esize, 16); }

}  // namespace sluice::tcg::ir::lanes
