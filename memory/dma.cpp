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
  static constexpr u32 kRevoked = u32{1} << 31;
  DmaMapper* mapper = nullptr;
  std::vector<DmaSegment> segments;
  u64 length = 0;  // of all segments
  Access access = Access::None;
  std::vector<std::span<std::byte>> spans;
  std::vector<std::pair<GuestRam*, u64>> places;       // of each span
  std::vector<std::shared_ptr<const GuestRam>> keeps;  // while somebody may use the pointers
  std::vector<Dependence> depends;
  std::unique_ptr<std::byte[]> bounce;
  std::atomic<u32> use{0};  // number of pins, and kRevoked
  // Under the mapper's lock: revoked while pinned, by the message of this number.
  u64 pending_since = std::numeric_limits<u64>::max();

  bool revoked() const { return use.load(std::memory_order_seq_cst) & kRevoked; }
  bool pinned() const { return use.load(std::memory_order_seq_cst) & ~kRevoked; }
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
  // `bytes` from hop.at on are used. A pointer is never used beyond them, so where a block is made up of
  // pieces that change by themselves, the others may.
  void add_dependence(const Hop& hop, u64 bytes) {
    InclusiveRange input = hop.input;
    if (const u64 piece = hop.region->piece_size()) {
      input.first = std::max(input.first, hop.at & ~(piece - 1));
      input.last = std::min(input.last, (hop.at + (bytes - 1)) | (piece - 1));
    }
    if (!depends.empty()) {
      Dependence& d = depends.back();
      if (d.region == hop.region && d.index == hop.index && d.epoch == hop.epoch &&
          d.input.last + 1 == input.first && input.first) {
        d.input.last = input.last;
        return;
      }
    }
    depends.push_back({hop.region, hop.index, input, hop.epoch});
  }
};

// --- DmaMapping
// ---------------------------------------------------------------------------------------------

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

void DmaMapping::Pin::note_write(u64 offset, u64 length) const {
  for (size_t i = 0; i < state_->places.size() && length; i++) {
    const u64 size = state_->spans[i].size();
    if (offset < size) {
      const u64 n = std::min(length, size - offset);
      state_->places[i].first->note_write(state_->places[i].second + offset, n);
      length -= n;
    }
    offset -= std::min(offset, size);
  }
}

bool DmaMapping::revoked() const { return !state_ || state_->revoked(); }
bool DmaMapping::bounced() const { return state_ && state_->bounce; }
u64 DmaMapping::length() const { return state_ ? state_->length : 0; }

MemTxResult DmaMapping::unmap(u64 written) {
  if (!state_) return MemTxResult::ok();
  State& s = *state_;
  written = allows(s.access, Access::Write) ? std::min(written, s.length) : 0;
  MemTxResult result;
  if (Pin end = written ? pin() : Pin(nullptr)) {
    if (s.bounce)
      result = s.mapper->write_back(s, written);
    else
      end.note_write(0, written);
  } else if (written && s.bounce) {
    result = MemTxResult::device_error();  // the device has been reset
  }
  s.mapper->delist(s);
  state_.reset();
  return result;
}

// --- DmaMapper
// ----------------------------------------------------------------------------------------------

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
void DmaMapper::revoke_if(u64 sequence, F&& depends) {
  std::lock_guard lock{mutex_};
  for (DmaMapping::State* s : states_) {
    if (!depends(*s)) continue;
    const u32 before = s->use.fetch_or(DmaMapping::State::kRevoked, std::memory_order_seq_cst);
    if (!(before & DmaMapping::State::kRevoked)) counters_.revoked++;
    if (before & ~DmaMapping::State::kRevoked) s->pending_since = std::min(s->pending_since, sequence);
  }
  update_pending();
}

Ticket DmaMapper::close() {
  const u64 sequence = next_sequence();
  {
    std::lock_guard lock{mutex_};
    closed_ = true;
  }
  revoke_if(sequence, [](const DmaMapping::State&) { return true; });
  return {sequence, 0};
}

void DmaMapper::update_pending() {
  u64 oldest = kNone;
  for (const DmaMapping::State* s : states_) oldest = std::min(oldest, s->pending_since);
  oldest_pending_.store(oldest, std::memory_order_seq_cst);
}

void DmaMapper::on_unmap(const IommuRegion& region, const IommuUnmap& unmap) {
  revoke_if(next_sequence(), [&](const DmaMapping::State& s) {
    return std::any_of(s.depends.begin(), s.depends.end(), [&](const DmaMapping::State::Dependence& d) {
      return d.region == &region && (unmap.all_indexes || d.index == unmap.index) &&
             d.input.overlaps(unmap.range);
    });
  });
}

void DmaMapper::receive(const Invalidation& message) {
  if (std::holds_alternative<FullFlush>(message) || std::holds_alternative<TopologyChanged>(message))
    revoke_if(next_sequence(), [](const DmaMapping::State& s) { return !s.bounce; });
}

void DmaMapper::follow(const DmaMapping::State& state) {
  std::lock_guard lock{links_mutex_};
  const IommuRegion* known = nullptr;
  for (const DmaMapping::State::Dependence& d : state.depends) {
    if (std::exchange(known, d.region) == d.region) continue;
    auto& link = links_[d.region];
    if (link && link->subscription.live()) continue;
    link.reset();
    link = std::make_unique<Link>(*this, *d.region);
  }
}

std::unique_ptr<DmaMapping::State> DmaMapper::new_state(std::span<const DmaSegment> segments, Access access) {
  if (segments.empty() || access == Access::None) return nullptr;
  u64 length = 0;
  for (const DmaSegment& s : segments) {
    if (!s.length || s.length > kMaxLength - length || s.length - 1 > ~s.address) return nullptr;
    length += s.length;
  }
  auto state = std::make_unique<DmaMapping::State>();
  state->mapper = this;
  state->segments.assign(segments.begin(), segments.end());
  state->length = length;
  state->access = access;
  return state;
}

// Looks without side effects. Failed: at `refused`.
DmaMapper::Walked DmaMapper::look(DmaMapping::State& s, DmaSegment& refused) const {
  TranslateRequest request{port_.space(), 0, 0, s.access, port_.attrs(), Intent::Prefetch};
  for (const DmaSegment& segment : s.segments) {
    for (u64 done = 0; done < segment.length;) {
      request.address = segment.address + done;
      request.length = segment.length - done;
      Translation t = translate(request);
      if (!t.is_ok()) return refused = {request.address, request.length}, Walked::Failed;
      const bool plain = t.target == Translation::Target::Ram ||
                         (t.target == Translation::Target::RomDevice && !allows(s.access, Access::Write));
      if (!plain || s.spans.size() >= kMaxSpans) return Walked::NeedsBounce;
      s.add_span(t);
      for (const Hop& hop : t.hops) s.add_dependence(hop, t.length);
      done += t.length;
    }
  }
  return Walked::Direct;
}

bool DmaMapper::unchanged(const DmaMapping::State& state, u64 topology) const {
  return hub_.topology_generation() == topology &&
         std::all_of(state.depends.begin(), state.depends.end(),
                     [](const DmaMapping::State::Dependence& d) { return d.region->epoch() == d.epoch; });
}

// Direct: enlisted, with pointers that nothing has taken back meanwhile.
DmaMapper::Walked DmaMapper::enlist_direct(DmaMapping::State& s, DmaSegment& refused) {
  constexpr int kTries = 16;  // an IOMMU that changes faster than this gets transactions instead of mappings
  for (int i = 0; i < kTries; i++) {
    EpochDomain::Guard guard(hub_.epochs());
    const u64 topology = hub_.topology_generation();
    const Walked walked = look(s, refused);
    if (walked != Walked::Direct) return s.forget(), walked;
    follow(s);
    enlist(s);
    if (unchanged(s, topology)) return Walked::Direct;
    delist(s);
    s.forget();
    s.use.store(0, std::memory_order_relaxed);
  }
  return Walked::NeedsBounce;
}

MemTxResult DmaMapper::fill_bounce(DmaMapping::State& s) {
  {
    std::lock_guard lock{mutex_};
    if (s.length > kMaxBounce - bounce_bytes_) return MemTxResult::device_error();
    bounce_bytes_ += s.length;
    counters_.bounced++;
  }
  s.bounce = std::make_unique<std::byte[]>(size_t(s.length));
  s.spans.push_back({s.bounce.get(), size_t(s.length)});
  enlist(s);
  if (!allows(s.access, Access::Read)) return MemTxResult::ok();
  u64 at = 0;
  for (const DmaSegment& segment : s.segments) {
    MemTxResult result = port_.read(segment.address, s.spans[0].subspan(size_t(at), size_t(segment.length)));
    if (!result.is_ok()) return result;
    at += segment.length;
  }
  return MemTxResult::ok();
}

// With the attributes of the initiator, and translated again: what it may do now decides, not what it could
// then.
MemTxResult DmaMapper::write_back(const DmaMapping::State& s, u64 written) const {
  const std::byte* from = s.bounce.get();
  for (const DmaSegment& segment : s.segments) {
    const u64 n = std::min(written, segment.length);
    if (!n) break;
    MemTxResult result = port_.write(segment.address, {from, size_t(n)});
    if (!result.is_ok()) return result;
    from += n;
    written -= n;
  }
  return MemTxResult::ok();
}

DmaMapper::Mapped DmaMapper::map(std::span<const DmaSegment> segments, Access access) {
  auto state = new_state(segments, access);
  if (!state) return {{}, MemTxResult::decode_error(MemTxResult::Reason::BadSize)};
  DmaSegment refused{};
  switch (enlist_direct(*state, refused)) {
    case Walked::Direct: return {DmaMapping(std::move(state)), MemTxResult::ok()};
    case Walked::Failed: {
      // Only what really fails is reported, once; it may be RAZ/WI, or allowed since.
      EpochDomain::Guard guard(hub_.epochs());
      Translation t =
          translate({port_.space(), refused.address, refused.length, access, port_.attrs(), Intent::Access});
      if (!t.is_ok()) return {{}, t.result};
      break;
    }
    case Walked::NeedsBounce: break;
  }
  MemTxResult result = fill_bounce(*state);
  DmaMapping mapping(state->bounce ? std::move(state) : nullptr);
  if (!result.is_ok()) return {{}, result};
  return {std::move(mapping), result};
}

DmaMapping DmaMapper::map_direct(std::span<const DmaSegment> segments, Access access) {
  auto state = new_state(segments, access);
  DmaSegment refused{};
  if (!state || enlist_direct(*state, refused) != Walked::Direct) return {};
  return DmaMapping(std::move(state));
}

void DmaMapper::enlist(DmaMapping::State& state) {
  std::lock_guard lock{mutex_};
  states_.push_back(&state);
  if (closed_) state.use.fetch_or(DmaMapping::State::kRevoked, std::memory_order_seq_cst);
  counters_.mapped++;
}

void DmaMapper::delist(DmaMapping::State& state) {
  {
    std::lock_guard lock{mutex_};
    assert(!state.pinned());
    std::erase(states_, &state);
    if (state.bounce) bounce_bytes_ -= state.length;
    update_pending();
  }
  made_progress();
}

bool DmaMapper::add_pin(DmaMapping::State& state) {
  if (!(state.use.fetch_add(1, std::memory_order_seq_cst) & DmaMapping::State::kRevoked)) return true;
  drop_pin(state);
  return false;
}

void DmaMapper::drop_pin(DmaMapping::State& state) {
  if (state.use.fetch_sub(1, std::memory_order_seq_cst) == (DmaMapping::State::kRevoked | 1)) unpinned(state);
}

// The last pin of a revoked mapping has gone.
void DmaMapper::unpinned(DmaMapping::State& state) {
  {
    std::lock_guard lock{mutex_};
    if (state.pinned() || state.pending_since == kNone) return;
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
