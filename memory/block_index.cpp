#include "memory/block_index.h"

namespace sluice {

u32 BlockIndex::make_space() {
  u32 id = spaces_.take();
  spaces_[id].classes = 0;
  return id;
}

void BlockIndex::drop_space(u32 space) { spaces_.give_back(space); }

u32 BlockIndex::make_node(u32 space, unsigned size_class, unsigned level, u64 prefix) {
  u32 id = nodes_.take();
  Node& n = nodes_[id];
  n.prefix = prefix;
  n.mask = 0;
  n.head = kNil;
  n.space = space;
  n.size_class = u8(size_class);
  n.level = u8(level);
  hash_.insert(id, key_hash(space, size_class, level, prefix));
  return id;
}

u32 BlockIndex::insert(u32 space, Block block, u32 item) {
  unsigned c = block.size_class;
  u32 node = find(space, c, 0, block.number);
  if (node == kNil) {
    node = make_node(space, c, 0, block.number);
    spaces_[space].classes |= u64{1} << c;
    // Tell the nodes above; the first that exists already is known to those above it.
    for (unsigned level = 1; level <= top_level(c); level++) {
      u64 prefix = prefix_at(block.number, level);
      u32 above = find(space, c, level, prefix);
      bool existed = above != kNil;
      if (!existed) above = make_node(space, c, level, prefix);
      nodes_[above].mask |= u64{1} << (prefix_at(block.number, level - 1) & 63);
      if (existed) break;
    }
  }
  u32 id = pieces_.take();
  Piece& p = pieces_[id];
  p.item = item;
  p.node = node;
  p.next_of_item = kNil;
  p.before = kNil;
  p.after = nodes_[node].head;
  if (p.after != kNil) pieces_[p.after].before = id;
  nodes_[node].head = id;
  return id;
}

void BlockIndex::erase(u32 id) {
  Piece& p = pieces_[id];
  u32 node = p.node;
  if (p.after != kNil) pieces_[p.after].before = p.before;
  if (p.before != kNil) {
    pieces_[p.before].after = p.after;
  } else {
    nodes_[node].head = p.after;
  }
  pieces_.give_back(id);
  if (nodes_[node].head != kNil) return;
  const Node gone = nodes_[node];
  hash_.erase(node);
  nodes_.give_back(node);
  unsigned c = gone.size_class;
  for (unsigned level = 1; level <= top_level(c); level++) {
    u32 above = find(gone.space, c, level, prefix_at(gone.prefix, level));
    nodes_[above].mask &= ~(u64{1} << (prefix_at(gone.prefix, level - 1) & 63));
    if (nodes_[above].mask) return;
    hash_.erase(above);
    nodes_.give_back(above);
  }
  spaces_[gone.space].classes &= ~(u64{1} << c);  // that was the last block of its class
}

}  // namespace sluice
