// devices/virtio/rng.cpp: virtio entropy device. VIRTIO 1.3, 5.4.
#include "devices/virtio/rng.h"

#include <sys/random.h>

#include <algorithm>
#include <array>

#include "base/log.h"

namespace sluice {
namespace {

constexpr u64 kMaxBytes = 4096;  // per request: 5.4.6.1 asks for one byte or more, not for a full buffer

// SplitMix64: the next of a fixed sequence of well-mixed words.
u64 next_word(u64& state) {
  u64 z = state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

bool fill_from_host(std::span<u8> out) {
  while (!out.empty()) {
    ssize_t got = getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    out = out.subspan(size_t(got));
  }
  return true;
}

}  // namespace

VirtioRng::VirtioRng(std::optional<u64> seed)
    : VirtioDevice(VirtioId::Entropy, {8}, 0), seed_(seed), state_(seed.value_or(0)) {}

bool VirtioRng::fill(std::span<u8> out) {
  if (!seed_) return fill_from_host(out);
  u64 word = 0;
  for (size_t i = 0; i < out.size(); i++, word >>= 8) {
    if (i % 8 == 0) word = next_word(state_);
    out[i] = u8(word);
  }
  return true;
}

void VirtioRng::notify(u16 n) {
  drain(n, [&](Chain&& chain) {
    std::array<u8, kMaxBytes> bytes;
    std::span<u8> wanted{bytes.data(), size_t(std::min(chain.writable_size(), kMaxBytes))};
    if (wanted.empty()) return fail(n, "entropy request without a writable buffer"), false;
    // Bytes that are not random must never pass for random ones.
    if (!fill(wanted)) return fail(n, "the host has no entropy"), false;
    if (!chain.write(0, wanted)) return fail(n, "entropy buffer is not writable"), false;
    complete(n, chain, wanted.size());
    return true;
  });
}

}  // namespace sluice
