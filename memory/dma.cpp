#include "memory/dma.h"

#include <algorithm>
#include <cassert>
#include <limits>

namespace sluice {

struct DmaMapping::State {
  // The part of an IOMMU's input space that the mapping was derived from.
  struct Dependence {
    IommuRegion* region;
    IommuIndex index;
    InclusiveRange input;
    u64 epoch;
  };
  DmaMapper* mapper = nullptr;
  u64 address = 0, length = 0;
  Access access = Access::None;
  std::vector<std::span<std::byte>> spans;
  std::vector<std::pair<GuestRam*, u64>> places;       // of each span
  std::vector<std::shared_ptr<const GuestRam>> keeps;  // while somebody may use the pointers
  std::vector<Dependence> depends;
  std::unique_ptr<std::byte[]> bounce;
  // Under the mapper's lock.
  bool revoked = false;
  unsigned pins = 0;
  u64 pending_since = std::numeric_limits<u64>::max();  // revoked while pinned: by the message of this number

  void forget() {
    spans.clear();
    places.clear();
    keeps.clear();
    depends.clear();
  }
  void add_span(const Translation& t) {
    auto* host = reinterpret_cast<std::byte*>(t.host);
    if (!spans.empty() && spans.back().data() + spans.back().size() == host && places.back().first == t.ram) {
      spans.back() = {spans.back().data(), spans.back().size() + size_t(t.length)};
      return;
    }
    spans.push_back({host, size_t(t.length)});
    places.push_back({t.ram, t.offset});
    if (keeps.empty() || keeps.back().get() != t.ram) keeps.push_back(t.ram->shared_from_this());
  }
  void add_dependence(const Hop& hop) {
    if (!depends.empty()) {
      Dependence& d = depends.back();
      if (d.region == hop.region && d.index == hop.index && d.epoch == hop.epoch &&
          d.input.last + 1 == hop.input.first && hop.input.first) {
        d.input.last = hop.input.last;
        return;
      }
    }
    depends.push_back({hop.region, hop.index, hop.input, hop.epoch});
  }
};

// --- DmaMapping
// ----------------------------------------------------------------------------------------------

DmaMapping::DmaMapping() = default;
DmaMapping::DmaMapping(std::unique_ptr<State> state) : state_(std::move(state)) {}
DmaMapping::DmaMapping(DmaMapping&& other) noexcept = default;
DmaMapping& DmaMapping::operator=(DmaMapping&& other) noexcept {
  if (this != &other) {
    if (state_) state_->mapper->delist(*state_);
    state_ = std::move(other.state_);
  }
  return *this;
}
DmaMapping::~DmaMapping() {
  if (state_) state_->mapper->delist(*state_);
}

DmaMapping::Pin DmaMapping::pin() {
  return Pin(state_ && state_->mapper->add_pin(*state_) ? state_.get() : nullptr);
}
DmaMapping::Pin::~Pin() {
  if (state_) state_->mapper->drop_pin(*state_);
}
std::span<const std::span<std::byte>> DmaMapping::Pin::spans() const {
  if (!state_) return {};
  return state_->spans;
}

bool DmaMapping::revoked() const {
  if (!state_) return true;
  std::lock_guard lock{state_->mapper->mutex_};
  return state_->revoked;
}
bool DmaMapping::bounced() const { return state_ && state_->bounce; }
u64 DmaMapping::length() const { return state_ ? state_->length : 0; }

MemTxResult DmaMapping::unmap(u64 written) {
  if (!state_) return MemTxResult::ok();
  State& s = *state_;
  written = allows(s.access, Access::Write) ? std::min(written, s.length) : 0;
  MemTxResult result;
  if (s.bounce) {
    // With the attributes of the initiator, and translated again: what it may do now decides, not what it
    // could then.
    if (written) result = s.mapper->port_.write(s.address, {s.bounce.get(), size_t(written)});
  } else {
    for (size_t i = 0; i < s.spans.size() && written; i++) {
      u64 n = std::min<u64>(written, s.spans[i].size());
      s.places[i].first->note_write(s.places[i].second, n);
      written -= n;
    }
  }
  s.mapper->delist(s);
  state_.reset();
  return result;
}

// --- DmaMapper
// -----------------------------------------------------------------------------------------------

struct DmaMapper::Link {
  Link(DmaMapper& to, IommuRegion& region)
      : subscription(region.unmaps(),
                     [&to, from = &region](const IommuUnmap& unmap) { to.on_unmap(*from, unmap); }) {}
  IommuRegion::Subscription subscription;
};

DmaMapper::DmaMapper(DmaPort port) : InvalidationHolder(port.space().hub()), port_(port) {
  active_.store(true, std::memory_order_seq_cst);  // mail is read as it arrives: only pins hold it up
  attach();
}

DmaMapper::~DmaMapper() {
  assert(states_.empty());
  links_.clear();
  detach();
}

// Mappings that depend on what has changed die at once; those that are pinned hold up completion.
template <class F>
void DmaMapper::revoke_if(F&& depends) {
  u64 sequence = next_sequence();
  std::lock_guard lock{mutex_};
  for (DmaMapping::State* s : states_) {
    if (s->bounce || !depends(*s)) continue;
    if (!s->revoked) counters_.revoked++;
    s->revoked = true;
    if (s->pins) s->pending_since = std::min(s->pending_since, sequence);
  }
  update_pending();
}

void DmaMapper::update_pending() {
  u64 oldest = kNone;
  for (const DmaMapping::State* s : states_) oldest = std::min(oldest, s->pending_since);
  oldest_pending_.store(oldest, std::memory_order_seq_cst);
}

void DmaMapper::on_unmap(const IommuRegion& region, const IommuUnmap& unmap) {
  revoke_if([&](const DmaMapping::State& s) {
    return std::any_of(s.depends.begin(), s.depends.end(), [&](const DmaMapping::State::Dependence& d) {
      return d.region == &region && (unmap.all_indexes || d.index == unmap.index) &&
             d.input.overlaps(unmap.range);
    });
  });
}

void DmaMapper::receive(const Invalidation& message) {
  if (std::holds_alternative<FullFlush>(message) || std::holds_alternative<TopologyChanged>(message))
    revoke_if([](const DmaMapping::State&) { return true; });
}

void DmaMapper::follow(const DmaMapping::State& state) {
  std::lock_guard lock{links_mutex_};
  for (const DmaMapping::State::Dependence& d : state.depends) {
    auto& link = links_[d.region];
    if (link && link->subscription.live()) continue;
    link.reset();
    link = std::make_unique<Link>(*this, *d.region);
  }
}

// Looks without side effects first; only what really fails is then reported, once.
DmaMapper::Walked DmaMapper::walk(DmaMapping::State& s, MemTxResult& result) {
  TranslateRequest request{port_.space(), s.address, s.length, s.access, port_.attrs(), Intent::Prefetch};
  bool direct = true;
  for (u64 done = 0; done < s.length;) {
    request.address = s.address + done;
    request.length = s.length - done;
    Translation t = translate(request);
    if (!t.is_ok()) {
      request.intent = Intent::Access;
      t = translate(request);
      result = t.result;
      if (!t.is_ok()) return Walked::Failed;
      return Walked::NeedsBounce;  // RAZ/WI, or allowed since
    }
    bool plain = t.target == Translation::Target::Ram ||
                 (t.target == Translation::Target::RomDevice && !allows(s.access, Access::Write));
    direct = direct && plain && s.spans.size() < kMaxSpans;
    if (!direct) return Walked::NeedsBounce;
    s.add_span(t);
    for (const Hop& hop : t.hops) s.add_dependence(hop);
    done += t.length;
  }
  return Walked::Direct;
}

bool DmaMapper::unchanged(const DmaMapping::State& state, u64 topology) const {
  return hub_.topology_generation() == topology &&
         std::all_of(state.depends.begin(), state.depends.end(),
                     [](const DmaMapping::State::Dependence& d) { return d.region->epoch() == d.epoch; });
}

MemTxResult DmaMapper::fill_bounce(DmaMapping::State& s) {
  s.forget();
  {
    std::lock_guard lock{mutex_};
    if (s.length > kMaxBounce - bounce_bytes_) return MemTxResult::device_error();
    bounce_bytes_ += s.length;
    counters_.bounced++;
  }
  s.bounce = std::make_unique<std::byte[]>(size_t(s.length));
  s.spans.push_back({s.bounce.get(), size_t(s.length)});
  if (!allows(s.access, Access::Read)) return MemTxResult::ok();
  return port_.read(s.address, s.spans[0]);
}

DmaMapper::Mapped DmaMapper::map(u64 address, u64 length, Access access) {
  if (!length || length > kMaxLength || length - 1 > ~address || access == Access::None)
    return {{}, MemTxResult::decode_error(MemTxResult::Reason::BadSize)};
  constexpr int kTries = 16;  // an IOMMU that changes faster than this gets transactions instead of mappings
  auto state = std::make_unique<DmaMapping::State>();
  DmaMapping::State& s = *state;
  s.mapper = this;
  s.address = address;
  s.length = length;
  s.access = access;
  for (int i = 0; i < kTries; i++) {
    EpochDomain::Guard guard(hub_.epochs());
    MemTxResult result;
    u64 topology = hub_.topology_generation();
    Walked walked = walk(s, result);
    if (walked == Walked::Failed) return {{}, result};
    if (walked == Walked::NeedsBounce) break;
    follow(s);
    enlist(s);
    if (unchanged(s, topology)) return {DmaMapping(std::move(state)), MemTxResult::ok()};
    delist(s);
    s.forget();
    s.revoked = false;
  }
  MemTxResult result = fill_bounce(s);
  if (s.bounce) enlist(s);
  DmaMapping mapping(s.bounce ? std::move(state) : nullptr);
  if (!result.is_ok()) return {{}, result};
  return {std::move(mapping), result};
}

void DmaMapper::enlist(DmaMapping::State& state) {
  std::lock_guard lock{mutex_};
  states_.push_back(&state);
  counters_.mapped++;
}

void DmaMapper::delist(DmaMapping::State& state) {
  {
    std::lock_guard lock{mutex_};
    assert(state.pins == 0);
    std::erase(states_, &state);
    if (state.bounce) bounce_bytes_ -= state.length;
    update_pending();
  }
  made_progress();
}

bool DmaMapper::add_pin(DmaMapping::State& state) {
  std::lock_guard lock{mutex_};
  if (state.revoked) return false;
  state.pins++;
  return true;
}

void DmaMapper::drop_pin(DmaMapping::State& state) {
  {
    std::lock_guard lock{mutex_};
    if (--state.pins || state.pending_since == kNone) return;
    state.pending_since = kNone;
    update_pending();
  }
  made_progress();
}

size_t DmaMapper::live() const {
  std::lock_guard lock{mutex_};
  return states_.size();
}

DmaMapper::Counters DmaMapper::counters() const {
  std::lock_guard lock{mutex_};
  return counters_;
}

}  // namespace sluice
