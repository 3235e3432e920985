#include "memory/flat_view.h"

#include <algorithm>
#include <unordered_set>

namespace sluice {
namespace {

using Section = FlatView::Section;

// Paints a region tree from the highest precedence down: what is painted stays.
class Renderer {
 public:
  std::vector<Section> painted;  // sorted, disjoint
  std::vector<std::shared_ptr<const Region>> owners;

  // `base` is where the region's offset 0 would be: outside of [low, high) when a window shows only a part.
  void paint(const std::shared_ptr<const Region>& region, i128 base, i128 low, i128 high, int priority,
             unsigned depth) {
    low = std::max(low, base);
    high = std::min(high, base + i128(region->size()));
    if (low >= high || !region->enabled() || depth > kMaxDepth) return;
    if (region->kind() == Region::Kind::Alias) {
      auto& alias = static_cast<const AliasRegion&>(*region);
      paint(alias.target(), base - i128(alias.target_offset()), low, high, 0, depth + 1);
      return;
    }
    for (const Region::Child& child : region->children())
      paint(child.region, base + i128(child.offset), low, high, child.priority, depth + 1);
    if (region->kind() != Region::Kind::Container) fill(region, base, low, high, priority);
  }

 private:
  static constexpr unsigned kMaxDepth = 64;  // a tree deeper than this is a mistake of the board

  void fill(const std::shared_ptr<const Region>& region, i128 base, i128 low, i128 high, int priority) {
    auto at = std::lower_bound(painted.begin(), painted.end(), low,
                               [](const Section& s, i128 a) { return i128(s.range.last) < a; });
    std::vector<Section> gaps;
    i128 from = low;
    auto end = at;
    for (; end != painted.end() && i128(end->range.first) < high; ++end) {
      if (from < i128(end->range.first))
        gaps.push_back(section(*region, base, from, i128(end->range.first), priority));
      from = i128(end->range.last) + 1;
    }
    if (from < high) gaps.push_back(section(*region, base, from, high, priority));
    if (gaps.empty()) return;
    size_t first = size_t(at - painted.begin()), overlapped = size_t(end - at);
    painted.insert(end, gaps.begin(), gaps.end());
    std::inplace_merge(painted.begin() + i64(first), painted.begin() + i64(first + overlapped),
                       painted.begin() + i64(first + overlapped + gaps.size()),
                       [](const Section& a, const Section& b) { return a.range.first < b.range.first; });
    if (seen_.insert(region.get()).second) owners.push_back(region);
  }

  static Section section(const Region& region, i128 base, i128 first, i128 end, int priority) {
    Section s;
    s.range = {u64(first), u64(end - 1)};
    s.region = &region;
    s.priority = priority;
    s.offset = u64(first - base);
    switch (region.kind()) {
      case Region::Kind::Ram:
      case Region::Kind::Rom: {
        auto& r = static_cast<const RamRegion&>(region);
        s.what = Section::What::Ram;
        s.read_only = r.read_only();
        s.ram = &r.ram();
        s.ram_offset = r.ram_offset() + s.offset;
        break;
      }
      case Region::Kind::RomDevice: {
        auto& r = static_cast<const RomDeviceRegion&>(region);
        s.what = r.reads_memory() ? Section::What::RomDevice : Section::What::Mmio;
        s.ram = &r.ram();
        s.ram_offset = s.offset;
        break;
      }
      case Region::Kind::Mmio: s.what = Section::What::Mmio; break;
      case Region::Kind::Iommu: s.what = Section::What::Iommu; break;
      case Region::Kind::Reservation: s.what = Section::What::Reserved; break;
      case Region::Kind::Container:
      case Region::Kind::Alias: break;  // never painted
    }
    return s;
  }

  std::unordered_set<const Region*> seen_;
};

// `b` goes on where `a` ends.
bool continues(const Section& a, const Section& b) {
  return a.range.last + 1 == b.range.first && a.what == b.what && a.region == b.region &&
         a.read_only == b.read_only && a.offset + (b.range.first - a.range.first) == b.offset;
}

// The same answer for every address that both cover.
bool agree(const Section& a, const Section& b) {
  return a.what == b.what && a.region == b.region && a.read_only == b.read_only &&
         (a.what == Section::What::Nothing || a.offset - a.range.first == b.offset - b.range.first);
}

}  // namespace

std::shared_ptr<const FlatView> FlatView::render(const std::shared_ptr<const Region>& root) {
  Renderer renderer;
  renderer.paint(root, 0, 0, i128(1) << 64, 0, 0);
  std::shared_ptr<FlatView> view(new FlatView);
  view->root_ = root;
  view->owners_ = std::move(renderer.owners);
  auto add = [&](const Section& s) {
    if (!view->sections_.empty() && continues(view->sections_.back(), s)) {
      view->sections_.back().range.last = s.range.last;
    } else {
      view->sections_.push_back(s);
    }
  };
  u64 next = 0;
  bool covered = false;
  for (const Section& s : renderer.painted) {
    if (s.range.first > next) add({.range = {next, s.range.first - 1}});
    add(s);
    next = s.range.last + 1;
    covered = next == 0;
  }
  if (!covered) add({.range = {next, ~u64{0}}});
  for (const Section& s : view->sections_) view->starts_.push_back(s.range.first);
  return view;
}

bool FlatView::difference(const FlatView& other, InclusiveRange& range) const {
  bool differs = false;
  size_t i = 0, j = 0;
  for (;;) {
    const Section &a = sections_[i], &b = other.sections_[j];
    u64 last = std::min(a.range.last, b.range.last);
    if (!agree(a, b)) {
      if (!differs) range.first = std::max(a.range.first, b.range.first);
      range.last = last;
      differs = true;
    }
    if (last == ~u64{0}) return differs;
    i += a.range.last == last;
    j += b.range.last == last;
  }
}

bool FlatView::same_as(const FlatView& other) const {
  InclusiveRange ignored;
  return !difference(other, ignored);
}

}  // namespace sluice
