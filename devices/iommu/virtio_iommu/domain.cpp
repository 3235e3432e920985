#include "devices/iommu/virtio_iommu/domain.h"

#include <algorithm>

namespace sluice::virtio_iommu {
namespace {

using Subtype = ReservedRegion::Subtype;

bool by_start(const ReservedRegion& a, const ReservedRegion& b) { return a.range.first < b.range.first; }

// `next` begins inside or right behind `range`.
bool touches(InclusiveRange range, InclusiveRange next) {
  return next.first <= range.last || (range.last != ~u64{0} && next.first == range.last + 1);
}

void join(std::vector<ReservedRegion>& into, const ReservedRegion& next) {
  if (!into.empty() && touches(into.back().range, next.range))
    into.back().range.last = std::max(into.back().range.last, next.range.last);
  else
    into.push_back(next);
}

}  // namespace

Result<std::vector<ReservedRegion>> normalised(std::vector<ReservedRegion> regions) {
  std::sort(regions.begin(), regions.end(), by_start);
  std::vector<ReservedRegion> joined, msi;
  for (const ReservedRegion& r : regions) {
    if (r.range.first > r.range.last) return Failure{std::string("a reserved region ends before it begins")};
    if (r.subtype == Subtype::Reserved)
      join(joined, r);
    else if (msi.empty())
      msi.push_back(r);
    else if (msi.front() != r)
      return Failure{std::string("an endpoint has more than one MSI region")};
  }
  if (msi.empty()) return joined;
  InclusiveRange doorbell = msi.front().range;
  std::vector<ReservedRegion> result = std::move(msi);
  for (const ReservedRegion& r : joined) {
    if (!r.range.overlaps(doorbell)) {
      result.push_back(r);
      continue;
    }
    if (r.range.first < doorbell.first)
      result.push_back({{r.range.first, doorbell.first - 1}, Subtype::Reserved});
    if (r.range.last > doorbell.last)
      result.push_back({{doorbell.last + 1, r.range.last}, Subtype::Reserved});
  }
  std::sort(result.begin(), result.end(), by_start);
  return result;
}

EndpointDirectory::EndpointDirectory(std::vector<std::shared_ptr<Endpoint>> endpoints)
    : endpoints_(std::move(endpoints)) {
  std::sort(endpoints_.begin(), endpoints_.end(), [](const auto& a, const auto& b) { return a->id < b->id; });
  for (const auto& e : endpoints_) ids_.push_back(e->id);
}

Endpoint* EndpointDirectory::find(u32 id) const {
  auto at = std::lower_bound(ids_.begin(), ids_.end(), id);
  return at != ids_.end() && *at == id ? endpoints_[size_t(at - ids_.begin())].get() : nullptr;
}

}  // namespace sluice::virtio_iommu
