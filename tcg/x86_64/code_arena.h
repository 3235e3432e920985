// tcg/x86_64/code_arena.h: memory for generated code, mapped twice: written through one address, executed
// through another, so that no page is ever writable and executable.
#pragma once
#include <cstring>
#include <span>

#include "base/types.h"

namespace sluice::tcg::x86_64 {

class CodeArena {
 public:
  explicit CodeArena(size_t bytes);
  ~CodeArena();
  CodeArena(const CodeArena&) = delete;
  CodeArena& operator=(const CodeArena&) = delete;

  bool ok() const { return execute_ != nullptr; }
  // Where the next code goes, 32-byte aligned, as it will be executed.
  const u8* next() const { return execute_ + used_; }
  size_t room() const { return end_ - used_; }
  // Copies code there; null: no room.
  const u8* place(std::span<const u8> code);
  // Or it is written there, through this, and then taken.
  std::span<u8> room_for_writing();
  const u8* take(size_t bytes);

  // What is in the arena now stays; the rest is divided into segments, which are filled one after the other,
  // and over again.
  void begin_segments();
  unsigned segment() const { return segment_; }  // that is being filled
  void go_to_segment(unsigned n);
  unsigned next_segment() const { return segment_ + 1 < segments_ ? segment_ + 1 : 0; }

  const u8* execute_base() const { return execute_; }
  u32 offset_of(const void* code) const { return u32(static_cast<const u8*>(code) - execute_); }
  // Replaces the displacement at `offset` so that the jump goes to arena offset `target`.
  void patch_jump(u32 offset, u32 target) {
    i32 displacement = i32(target) - i32(offset + 4);
    std::memcpy(write_ + offset, &displacement, sizeof displacement);
  }

 private:
  // The largest block, of the ops that have most code, fits in with room to spare.
  static constexpr size_t kSmallestSegment = size_t{2} << 20;
  static constexpr unsigned kMostSegments = 8;

  size_t size_;
  size_t used_ = 0, end_;
  size_t first_segment_ = 0, segment_bytes_ = 0;
  unsigned segments_ = 1, segment_ = 0;
  size_t prepared_ = 0;  // memory is there up to here
  u8* write_ = nullptr;
  u8* execute_ = nullptr;
};

}  // namespace sluice::tcg::x86_64
