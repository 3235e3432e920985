// machines/device_tree.h: the flattened device tree (Devicetree Specification v0.4) of a board, from its
// wiring record, and the changes that a boot loader makes to a tree that the user brings.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "machines/board.h"

namespace sluice {

// What the boot loader tells the kernel in /chosen.
struct ChosenInfo {
  std::string bootargs;
  std::optional<PhysRange> initrd;
  std::vector<u8> rng_seed;  // empty = not given (dtb-randomness=off)
  std::optional<u64> kaslr_seed;
};

// The packed tree of the board.
std::vector<u8> build_device_tree(const BoardRecord& board, const ChosenInfo& chosen);

// The user's tree with memory and /chosen replaced by the truth; everything else stays. `name` is for
// messages: throws ConfigError when the tree is not one.
std::vector<u8> patch_device_tree(const std::string& name, std::span<const u8> tree, const BoardRecord& board,
                                  const ChosenInfo& chosen);

}  // namespace sluice
