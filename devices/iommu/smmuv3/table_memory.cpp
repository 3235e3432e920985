#include "devices/iommu/smmuv3/table_memory.h"

#include <atomic>

#include "base/bits.h"
#include "memory/translate.h"

namespace sluice::smmuv3 {
namespace {

// A board that lets an SMMU's table accesses come back to itself has no end to its walks; this is one.
constexpr unsigned kMaxNesting = 16;
thread_local unsigned t_nesting = 0;
struct Nested {
  Nested() { t_nesting++; }
  ~Nested() { t_nesting--; }
};

std::atomic_ref<u64> word_at(u8* host) { return std::atomic_ref(*reinterpret_cast<u64*>(host)); }

Translation find(const DmaPort& port, u64 address, size_t words, Access access, bool walk, Intent intent) {
  MemTxAttrs attrs = port.attrs();
  attrs.privileged = true;
  attrs.instruction = false;
  attrs.page_table_walk = walk;
  return translate({port.space(), address, words * 8, access, attrs, intent});
}

bool is_memory(const Translation& t, Access access) {
  return t.target == Translation::Target::Ram ||
         (t.target == Translation::Target::RomDevice && access == Access::Read);
}

}  // namespace

bool TableMemory::read_near(u64 address, std::span<u64> words) const {
  if (!near_.contains(address) || near_.last - address < words.size() * 8 - 1) return false;
  const u8* host = near_host_ + (address - near_.first);
  if (!is_aligned(reinterpret_cast<uintptr_t>(host), 8)) return false;
  for (size_t i = 0; i < words.size(); i++)
    words[i] = word_at(const_cast<u8*>(host) + i * 8).load(std::memory_order_acquire);
  return true;
}

bool TableMemory::read(u64 address, std::span<u64> words, bool walk) const {
  if (steps_) steps_->push_back({{}, address, std::vector<u64>(words.size()), true});
  if (!steps_ && read_near(address, words)) return true;
  if (t_nesting >= kMaxNesting) return false;
  Nested nested;
  for (size_t done = 0; done < words.size();) {
    Translation t = find(port_, address + done * 8, words.size() - done, Access::Read, walk, intent_);
    if (t.is_ok() && t.target == Translation::Target::Ram && t.hops.empty()) {
      near_ = t.block;
      near_host_ = t.host - (address + done * 8 - near_.first);
    }
    size_t n = size_t(t.length / 8);
    if (!t.is_ok() || n == 0) return false;
    if (t.target == Translation::Target::RazWi) {
      std::fill_n(words.begin() + ptrdiff_t(done), n, 0);
    } else if (is_memory(t, Access::Read) && is_aligned(reinterpret_cast<uintptr_t>(t.host), 8)) {
      for (size_t i = 0; i < n; i++)
        words[done + i] = word_at(t.host + i * 8).load(std::memory_order_acquire);
    } else {
      return false;
    }
    done += n;
  }
  if (steps_) {
    steps_->back().words.assign(words.begin(), words.end());
    steps_->back().aborted = false;
  }
  return true;
}

bool TableMemory::write(u64 address, std::span<const u64> words) const {
  if (t_nesting >= kMaxNesting) return false;
  Nested nested;
  for (size_t done = 0; done < words.size();) {
    Translation t = find(port_, address + done * 8, words.size() - done, Access::Write, false, intent_);
    size_t n = size_t(t.length / 8);
    if (!t.is_ok() || n == 0) return false;
    if (t.target != Translation::Target::RazWi) {
      if (!is_memory(t, Access::Write) || !is_aligned(reinterpret_cast<uintptr_t>(t.host), 8)) return false;
      for (size_t i = 0; i < n; i++)
        word_at(t.host + i * 8).store(words[done + i], std::memory_order_release);
      t.ram->note_write(t.offset, n * 8);
    }
    done += n;
  }
  return true;
}

}  // namespace sluice::smmuv3
