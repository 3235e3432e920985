// tests/support/memory_world.h: ready-made worlds for specs about memory: RAM behind test IOMMUs, and a small
// PE that caches what it translates, exactly as a real one does.
#pragma once
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "memory/dma.h"
#include "memory/translation_cache.h"

// A test whose name is a sentence.
#ifndef SPEC
#define SPEC_CONCATENATE2(a, b) a##b
#define SPEC_CONCATENATE(a, b) SPEC_CONCATENATE2(a, b)
#define SPEC(sentence)                                                                                   \
  static void SPEC_CONCATENATE(spec_body_, __LINE__)();                                                  \
  [[maybe_unused]] static const auto* const SPEC_CONCATENATE(spec_registered_, __LINE__) =               \
      ::testing::RegisterTest("Spec", sentence, nullptr, nullptr, __FILE__, __LINE__,                    \
                              []() -> ::testing::Test* {                                                 \
                                struct Body : ::testing::Test {                                          \
                                  void TestBody() override { SPEC_CONCATENATE(spec_body_, __LINE__)(); } \
                                };                                                                       \
                                return new Body;                                                         \
                              });                                                                        \
  static void SPEC_CONCATENATE(spec_body_, __LINE__)()
#endif

namespace sluice::test {

inline constexpr u64 kPage = 0x1000;
inline constexpr MemTxAttrs kNs = MemTxAttrs::pe(0, PaSpace::NonSecure, true);
inline constexpr MemTxAttrs kSecure = MemTxAttrs::pe(0, PaSpace::Secure, true);
inline constexpr MemTxAttrs kDevice = MemTxAttrs::device(1, 0x18);

inline std::shared_ptr<GuestRam> make_ram(u64 size, std::string name = "ram") {
  auto ram = GuestRam::create(std::move(name), size);
  EXPECT_TRUE(bool(ram));
  return *ram;
}

// Seeds every random test; prints what to set SLUICE_SEED to when it fails.
class Random {
 public:
  explicit Random(u64 fallback) : seed_(fallback) {
    if (const char* s = std::getenv("SLUICE_SEED")) seed_ = std::strtoull(s, nullptr, 0);
    std::printf("seed: SLUICE_SEED=%llu\n", static_cast<unsigned long long>(seed_));
    engine_.seed(seed_);
  }
  u64 below(u64 limit) { return engine_() % limit; }
  u64 between(u64 low, u64 high) { return low + below(high - low + 1); }
  bool chance(unsigned percent) { return below(100) < percent; }

 private:
  u64 seed_;
  std::mt19937_64 engine_;
};

// Translates by a list per index. Blocks have any size from one byte on and any subset of R, W and X.
class TestIommu final : public IommuRegion {
 public:
  struct Mapping {
    InclusiveRange input;
    u64 output;
    Access rights;
    const AddressSpace* target;
  };
  TestIommu(InvalidationHub& hub, u128 size = kWholeSpace, std::string name = "test-iommu")
      : IommuRegion(std::move(name), size, hub) {}

  static IommuIndex index_of(PaSpace space, u32 requester = 0) {
    return IommuIndex(u64{requester} << 8 | u64(space));
  }
  IommuIndex index_for(MemTxAttrs a) const override { return index_of(a.space, a.requester); }

  IommuEntry translate(Iova input, Access access, IommuIndex index, MemTxAttrs, Intent) const override {
    translations++;
    last_access = access;
    std::lock_guard lock{mutex_};
    InclusiveRange hole{0, ~u64{0}};
    if (auto it = tables_.find(index); it != tables_.end()) {
      for (const Mapping& m : it->second) {
        if (m.input.contains(input.value)) {
          IommuEntry e{.input = m.input, .output = {m.output}, .rights = m.rights, .target = m.target};
          e.sets_space = space_override.has_value();
          if (space_override) e.space = *space_override;
          return e;
        }
        if (m.input.last < input.value) hole.first = std::max(hole.first, m.input.last + 1);
        if (m.input.first > input.value) hole.last = std::min(hole.last, m.input.first - 1);
      }
    }
    return {.input = hole, .output = {}, .reason = kNotMapped};
  }
  MemTxResult refuse(Iova input, Access, MemTxAttrs attrs, const IommuEntry& entry) override {
    refusals++;
    last_refused = {input.value, attrs, entry.reason};
    return raz_wi ? MemTxResult::ok() : MemTxResult::access_error();
  }

  // Relaxing: nobody needs to hear of it. The caller keeps mappings of one index disjoint.
  void map(IommuIndex index, Mapping mapping) {
    std::lock_guard lock{mutex_};
    tables_[index].push_back(mapping);
  }
  // Commit, publish, and leave completion to the caller.
  Ticket unmap(IommuIndex index, InclusiveRange range) {
    {
      std::lock_guard lock{mutex_};
      std::erase_if(tables_[index], [&](const Mapping& m) { return m.input.overlaps(range); });
    }
    return publish_unmap({index, false, range});
  }
  // Replaces what is mapped there.
  Ticket remap(IommuIndex index, Mapping mapping) {
    {
      std::lock_guard lock{mutex_};
      std::erase_if(tables_[index], [&](const Mapping& m) { return m.input.overlaps(mapping.input); });
      tables_[index].push_back(mapping);
    }
    return publish_unmap({index, false, mapping.input});
  }

  static constexpr u32 kNotMapped = 7;
  struct Refused {
    u64 input;
    MemTxAttrs attrs;
    u32 reason;
  };
  bool raz_wi = false;
  std::optional<PaSpace> space_override;
  std::optional<Refused> last_refused;
  std::atomic<int> refusals{0};
  mutable std::atomic<int> translations{0};
  mutable std::atomic<Access> last_access{Access::None};

 private:
  mutable std::mutex mutex_;
  std::map<IommuIndex, std::vector<Mapping>> tables_;
};

// Registers that remember; counts accesses.
class TestDevice : public MmioDevice {
 public:
  AccessRules rules{.impl_min = 1, .impl_max = 8};
  AccessRules access_rules() const override { return rules; }
  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override {
    reads++;
    last = {offset, size, 0, attrs};
    value = 0;
    for (unsigned i = 0; i < size; i++) value |= u64{bytes[(offset + i) % bytes.size()]} << 8 * i;
    if (on_read) on_read(offset);
    return result;
  }
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) override {
    writes++;
    last = {offset, size, value, attrs};
    log.push_back(last);
    for (unsigned i = 0; i < size; i++) bytes[(offset + i) % bytes.size()] = u8(value >> 8 * i);
    if (on_write) on_write(offset, value);
    return result;
  }
  struct Call {
    u64 offset;
    unsigned size;
    u64 value;
    MemTxAttrs attrs;
  };
  std::vector<u8> bytes = std::vector<u8>(256);
  std::vector<Call> log;
  Call last{0, 0, 0, MemTxAttrs::debugger()};
  int reads = 0, writes = 0;
  MemTxResult result;
  std::function<void(u64, u64)> on_write;
  std::function<void(u64)> on_read;
};

// A PE's memory side in miniature: caches translations, fills under a FillGuard, drops what its mail says.
class TestPe {
 public:
  TestPe(AddressSpace& space, InvalidationHub& hub, std::string name = "pe0")
      : space_(space),
        participant(hub, Participant::Kind::Pe, std::move(name),
                    [this](const Invalidation& m) { apply(m); }) {}

  // The value, or nothing when refused. The caller runs the participant.
  std::optional<u64> load(u64 address, unsigned size, MemTxAttrs attrs, Access access = Access::Read) {
    Scope scope{.world = u8(attrs.space)};
    for (int tries = 0; tries < 1000; tries++) {
      if (auto found = cache.lookup(scope, address); found && address + size - 1 <= found.entry->input.last) {
        const CacheEntry entry = *found.entry;  // a copy: a slow path may block and drain
        if (!allows(entry.rights, access)) return std::nullopt;
        u64 value = 0;
        auto* host = reinterpret_cast<const u8*>(entry.payload[0]) + (address - entry.input.first);
        for (unsigned i = 0; i < size; i++)
          value |= u64{std::atomic_ref(*const_cast<u8*>(host + i)).load(std::memory_order_relaxed)} << 8 * i;
        return value;
      }
      EpochDomain::Guard guard(space_.hub().epochs());
      FillGuard fill(participant);
      Translation t = translate({space_, address, size, access, attrs, Intent::Access});
      last = t.result;
      if (!t.is_ok()) return std::nullopt;
      if (between_walk_and_insert) between_walk_and_insert();
      const bool is_memory = t.target == Translation::Target::Ram ||
                             (t.target == Translation::Target::RomDevice && access != Access::Write);
      if (!is_memory || t.length < size) return std::nullopt;
      CacheEntry entry{.scope = scope, .input = t.block, .rights = t.rights};
      entry.payload[0] = u64(t.host - (address - t.block.first));
      EntryId id = cache.insert(entry, t.hops);
      if (!fill.still_valid(t.hops)) cache.remove(id);
    }
    ADD_FAILURE() << "the map never settles";
    return std::nullopt;
  }

 private:
  void apply(const Invalidation& m) {
    applied++;
    if (auto* u = std::get_if<IommuUnmapped>(&m)) {
      cache.remove_derived(u->region, u->unmap);
    } else if (std::holds_alternative<FullFlush>(m) || std::holds_alternative<TopologyChanged>(m)) {
      cache.remove_everything();
    }
  }
  AddressSpace& space_;

 public:
  TranslationCache cache;
  MemTxResult last;
  int applied = 0;
  std::function<void()> between_walk_and_insert;
  Participant participant;
};

// RAM behind `depth` IOMMUs in a row, seen from `top()`.
struct ChainWorld {
  InvalidationHub hub;
  Topology topology{hub};
  std::shared_ptr<GuestRam> ram = make_ram(u64{1} << 20);
  std::shared_ptr<RamRegion> ram_region = std::make_shared<RamRegion>("ram", ram);
  std::vector<std::shared_ptr<TestIommu>> iommus;     // [0] is asked first
  std::vector<std::unique_ptr<AddressSpace>> spaces;  // [i] shows iommus[i], the last one shows RAM

  explicit ChainWorld(unsigned depth = 1) {
    for (unsigned i = 0; i < depth; i++)
      iommus.push_back(std::make_shared<TestIommu>(hub, kWholeSpace, "iommu" + std::to_string(i)));
    for (unsigned i = 0; i < depth; i++)
      spaces.push_back(std::make_unique<AddressSpace>(topology, "space" + std::to_string(i), iommus[i]));
    spaces.push_back(std::make_unique<AddressSpace>(topology, "memory", ram_region));
  }
  AddressSpace& top() { return *spaces[0]; }
  AddressSpace& below(unsigned i) { return *spaces[i + 1]; }  // behind iommus[i]
  TestIommu& iommu() { return *iommus[0]; }
  void fill(u64 offset, u64 value) { std::memcpy(ram->host() + offset, &value, sizeof value); }
  void map(unsigned i, InclusiveRange input, u64 output, Access rights = Access::All,
           MemTxAttrs attrs = kNs) {
    iommus[i]->map(iommus[i]->index_for(attrs), {input, output, rights, &below(i)});
  }
};

}  // namespace sluice::test
