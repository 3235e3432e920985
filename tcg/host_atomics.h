// tcg/host_atomics.h: guest memory accesses on host memory, single-copy atomic where the guest's are.
#pragma once
#include <cstring>

#include "base/bits.h"
#include "tcg/vec.h"
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace sluice::tcg {

template <class T>
u64 load_atomic(const u8* host) {
  return __atomic_load_n(reinterpret_cast<const T*>(host), __ATOMIC_ACQUIRE);
}
template <class T>
void store_atomic(u8* host, u64 v) {
  __atomic_store_n(reinterpret_cast<T*>(host), T(v), __ATOMIC_RELEASE);
}

// `size` bytes, 1 to 16. Aligned accesses are single-copy atomic (16 bytes: on every x86-64 host with AVX).
inline Vec host_load(const u8* host, unsigned size) {
  if (is_aligned(reinterpret_cast<u64>(host), size)) {
    switch (size) {
      case 1: return {load_atomic<u8>(host), 0};
      case 2: return {load_atomic<u16>(host), 0};
      case 4: return {load_atomic<u32>(host), 0};
      case 8: return {load_atomic<u64>(host), 0};
#if defined(__x86_64__)
      case 16: {
        Vec v;
        _mm_store_si128(reinterpret_cast<__m128i*>(&v),
                        _mm_load_si128(reinterpret_cast<const __m128i*>(host)));
        return v;
      }
#endif
      default: break;
    }
  }
  Vec v;
  std::memcpy(&v, host, size);
  return v;
}

inline void host_store(u8* host, unsigned size, const Vec& v) {
  if (is_aligned(reinterpret_cast<u64>(host), size)) {
    switch (size) {
      case 1: return store_atomic<u8>(host, v.lo);
      case 2: return store_atomic<u16>(host, v.lo);
      case 4: return store_atomic<u32>(host, v.lo);
      case 8: return store_atomic<u64>(host, v.lo);
#if defined(__x86_64__)
      case 16:
        return _mm_store_si128(reinterpret_cast<__m128i*>(host),
                               _mm_load_si128(reinterpret_cast<const __m128i*>(&v)));
#endif
      default: break;
    }
  }
  std::memcpy(host, &v, size);
}

// If [host] == expected, [host] = desired; returns what was there. Sequentially consistent.
template <class T>
T host_compare_exchange(u8* host, T expected, T desired) {
  __atomic_compare_exchange_n(reinterpret_cast<T*>(host), &expected, desired, false, __ATOMIC_SEQ_CST,
                              __ATOMIC_SEQ_CST);
  return expected;
}
// 16 bytes, 16-byte aligned.
inline Vec host_compare_exchange_16(u8* host, Vec expected, const Vec& desired) {
#if defined(__x86_64__)
  asm volatile("lock cmpxchg16b %0"
               : "+m"(*reinterpret_cast<Vec*>(host)), "+a"(expected.lo), "+d"(expected.hi)
               : "b"(desired.lo), "c"(desired.hi)
               : "cc", "memory");
  return expected;
#else
  __atomic_compare_exchange(reinterpret_cast<Vec*>(host), &expected, const_cast<Vec*>(&desired), false,
                            __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return expected;
#endif
}

}  // namespace sluice::tcg
