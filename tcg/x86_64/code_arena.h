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
  // Where the next code goes, 32-byte aligned; place() copies it there. False: no room.
  const u8* next() const { return execute_ + used_; }
  size_t room() const { return size_ - used_; }
  const u8* place(std::span<const u8> code);
  // Everything behind `mark` (from used()) is free again.
  size_t used() const { return used_; }
  void reset_to(size_t mark) { used_ = mark; }

  const u8* execute_base() const { return execute_; }
  u32 offset_of(const void* code) const { return u32(static_cast<const u8*>(code) - execute_); }
  // Replaces the displacement at `offset` so that the jump goes to arena offset `target`.
  void patch_jump(u32 offset, u32 target) {
    i32 displacement = i32(target) - i32(offset + 4);
    std::memcpy(write_ + offset, &displacement, sizeof displacement);
  }

 private:
  size_t size_;
  size_t used_ = 0;
  u8* write_ = nullptr;
  u8* execute_ = nullptr;
};

}  // namespace sluice::tcg::x86_64
