// `info mtree` and `info mtree -f`, in the row format that scripts already parse:
//   0000000009000000-0000000009000fff (prio 0, i/o): pl011
#include <cstdio>
#include <map>
#include <vector>

#include "memory/address_space.h"

namespace sluice {
namespace {

std::string hex16(u64 value) {
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

const char* type_word(const Region& region, unsigned depth = 0) {
  switch (region.kind()) {
    case Region::Kind::Ram: return "ram";
    case Region::Kind::Rom: return "rom";
    case Region::Kind::RomDevice:
      return static_cast<const RomDeviceRegion&>(region).reads_memory() ? "romd" : "i/o";
    case Region::Kind::Alias:
      return depth > 16 ? "i/o" : type_word(*static_cast<const AliasRegion&>(region).target(), depth + 1);
    default: return "i/o";
  }
}

std::string row(InclusiveRange range, int priority, const char* type, const std::string& name) {
  return hex16(range.first) + "-" + hex16(range.last) + " (prio " + std::to_string(priority) + ", " + type +
         "): " + name;
}

class TreePrinter {
 public:
  std::string text;
  std::vector<const Region*>
      alias_targets;  // printed on their own below, like everything that has no parent here

  void print(const Region& region, u64 base, int priority, bool enabled, unsigned depth) {
    if (depth > 64 || !region.size()) return;
    enabled &= region.enabled();
    InclusiveRange range{base, base + u64(region.size() - 1)};
    text += std::string(2 * depth, ' ');
    if (region.kind() == Region::Kind::Alias) {
      auto& alias = static_cast<const AliasRegion&>(region);
      text +=
          row(range, priority, type_word(region), "alias " + region.name() + " @" + alias.target()->name());
      text +=
          " " + hex16(alias.target_offset()) + "-" + hex16(alias.target_offset() + u64(region.size() - 1));
      remember(*alias.target());
    } else {
      text += row(range, priority, type_word(region), region.name());
    }
    text += enabled ? "\n" : " [disabled]\n";
    for (const Region::Child* child : by_address(region))
      print(*child->region, base + child->offset, child->priority, enabled, depth + 1);
  }

 private:
  void remember(const Region& target) {
    for (const Region* known : alias_targets)
      if (known == &target) return;
    alias_targets.push_back(&target);
  }
  // For people: by address, then the one that wins.
  static std::vector<const Region::Child*> by_address(const Region& region) {
    std::multimap<u64, const Region::Child*> sorted;
    for (const Region::Child& child : region.children()) sorted.emplace(child.offset, &child);
    std::vector<const Region::Child*> result;
    for (auto& [offset, child] : sorted) result.push_back(child);
    return result;
  }
};

std::string describe_view(const FlatView& view) {
  using What = FlatView::Section::What;
  std::string text;
  for (const FlatView::Section& s : view.sections()) {
    if (s.what == What::Nothing) continue;
    const char* type = s.what == What::Ram         ? (s.read_only ? "rom" : "ram")
                       : s.what == What::RomDevice ? "romd"
                                                   : "i/o";
    text += "  " + row(s.range, s.priority, type, s.region->name());
    if (s.offset) text += " @" + hex16(s.offset);
    text += "\n";
  }
  return text.empty() ? "  No rendered FlatView\n" : text;
}

}  // namespace

std::string describe_memory_tree(Topology& topology) {
  Topology::Transaction hold(topology);  // nothing changes meanwhile
  TreePrinter printer;
  std::map<const Region*, std::string> roots;  // spaces of one root are listed together
  std::vector<const Region*> order;
  topology.for_each_space([&](AddressSpace& space) {
    auto [entry, is_new] = roots.try_emplace(space.root().get());
    if (is_new) order.push_back(space.root().get());
    entry->second += "address-space: " + space.name() + "\n";
  });
  topology.for_each_space([&](AddressSpace& space) {
    auto entry = roots.find(space.root().get());
    if (entry == roots.end()) return;
    printer.text += entry->second;
    printer.print(*entry->first, 0, 0, true, 1);
    printer.text += "\n";
    roots.erase(entry);
  });
  for (size_t i = 0; i < printer.alias_targets.size(); i++) {  // printing one may find more
    const Region& target = *printer.alias_targets[i];
    printer.text += "memory-region: " + target.name() + "\n";
    printer.print(target, 0, 0, true, 1);
    printer.text += "\n";
  }
  return printer.text;
}

std::string describe_flat_views(Topology& topology) {
  struct Group {
    std::string spaces;
    const FlatView* view;
  };
  std::vector<Group> groups;
  std::string text;
  Topology::Transaction hold(topology);  // nothing is swapped meanwhile: the views stay
  topology.for_each_space([&](AddressSpace& space) {
    std::string line = " AS \"" + space.name() + "\", root: " + space.root()->name() + "\n";
    for (Group& group : groups) {
      if (group.view == &space.view()) {
        group.spaces += line;
        return;
      }
    }
    groups.push_back({std::move(line), &space.view()});
  });
  for (size_t i = 0; i < groups.size(); i++) {
    text += "FlatView #" + std::to_string(i) + "\n" + groups[i].spaces;
    text += " Root memory region: " + groups[i].view->root().name() + "\n";
    text += describe_view(*groups[i].view) + "\n";
  }
  return text;
}

}  // namespace sluice
