// memory/block_index.h: finds what overlaps a range, in many separate number spaces at once.
// Ranges are cut into naturally aligned power-of-two blocks ("class" = log2 of the size). The blocks of one
// space and class are the leaves of a tree with 64 children per node, whose nodes live in one hash table: a
// look-up of one block is one probe, a range query starts at the smallest node that covers the range, and
// empty space costs nothing.
#pragma once
#include <bit>

#include "base/bits.h"
#include "memory/pool.h"

namespace sluice {

struct Block {
  unsigned size_class;  // 0..63
  u64 number;           // address >> size_class
};

// Calls visit(Block) for the aligned blocks, at most 126, that make up `range`; ascending.
template <class F>
void for_each_block(InclusiveRange range, F&& visit) {
  for (u64 at = range.first;;) {
    unsigned c = at ? unsigned(std::countr_zero(at)) : 63;
    while (range.last - at < ones(c)) c--;
    visit(Block{c, at >> c});
    if (range.last - at == ones(c)) return;
    at += u64{1} << c;
  }
}

class BlockIndex {
 public:
  // One block of one item. The owner keeps the id; `next_of_item` is the owner's to link them with.
  struct Piece {
    u32 item = kNil;
    u32 next_of_item = kNil;
    u32 next = kNil;  // of the pool
    u32 node = kNil;
    u32 before = kNil, after = kNil;  // others with the same block
  };

  BlockIndex() : hash_(nodes_) {}

  u32 make_space();
  void drop_space(u32 space);  // it is empty
  u32 insert(u32 space, Block block, u32 item);
  void erase(u32 piece);
  Piece& piece(u32 id) { return pieces_[id]; }
  u32 space_of(u32 piece) const { return nodes_[pieces_[piece].node].space; }
  Block block_of(u32 piece) const {
    return {nodes_[pieces_[piece].node].size_class, nodes_[pieces_[piece].node].prefix};
  }
  u32 pieces() const { return pieces_.live(); }
  u32 nodes() const { return nodes_.live(); }
  // Classes that may have blocks, as a bit mask.
  u64 classes(u32 space) const { return spaces_[space].classes; }

  // Calls visit(item) for every piece that overlaps; an item with several pieces may come several times.
  template <class F>
  void query(u32 space, InclusiveRange range, F&& visit) {
    for (u64 classes = spaces_[space].classes; classes; classes &= classes - 1) {
      unsigned c = unsigned(std::countr_zero(classes));
      u64 first = range.first >> c, last = range.last >> c;
      unsigned level = first == last ? 0 : (unsigned(std::bit_width(first ^ last)) + 5) / 6;
      u32 top = find(space, c, level, prefix_at(first, level));
      if (top != kNil) descend(space, top, first, last, visit);
    }
  }

 private:
  struct Node {
    u64 prefix = 0;   // block number >> 6 * level
    u64 mask = 0;     // level > 0: which of the 64 below exist
    u32 head = kNil;  // level 0: the pieces of this block
    u32 space = kNil;
    u32 hash = 0, next = kNil;
    u8 size_class = 0, level = 0;
  };
  struct Space {
    u64 classes = 0;
    u32 next = kNil;
  };
  // Of the node at `level` above block `number`: six bits per level, and the top level covers everything.
  static u64 prefix_at(u64 number, unsigned level) { return 6 * level >= 64 ? 0 : number >> (6 * level); }
  static unsigned top_level(unsigned size_class) { return (64 - size_class + 5) / 6; }
  static u32 key_hash(u32 space, unsigned size_class, unsigned level, u64 prefix) {
    return mix_hash(prefix, u64{space} << 16 | size_class << 8 | level);
  }
  u32 find(u32 space, unsigned size_class, unsigned level, u64 prefix) const {
    return hash_.find(key_hash(space, size_class, level, prefix), [&](const Node& n) {
      return n.prefix == prefix && n.space == space && n.size_class == size_class && n.level == level;
    });
  }
  u32 make_node(u32 space, unsigned size_class, unsigned level, u64 prefix);

  template <class F>
  void descend(u32 space, u32 id, u64 first, u64 last, F& visit) {
    const Node node = nodes_[id];
    if (node.level == 0) {
      for (u32 p = node.head; p != kNil; p = pieces_[p].after) visit(pieces_[p].item);
      return;
    }
    unsigned below = node.level - 1;
    for (u64 mask = node.mask; mask; mask &= mask - 1) {
      u64 child = node.prefix << 6 | unsigned(std::countr_zero(mask));
      if (child < prefix_at(first, below) || child > prefix_at(last, below)) continue;
      descend(space, find(space, node.size_class, below, child), first, last, visit);
    }
  }

  Pool<Node> nodes_;
  PoolHash<Node> hash_;
  Pool<Piece> pieces_;
  Pool<Space> spaces_;
};

}  // namespace sluice
