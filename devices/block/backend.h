// devices/block/backend.h: the bytes behind a disk. Offsets and lengths are in bytes and lie inside `size()`
// (callers check); every function may be called from any one thread at a time and may block on the host.
#pragma once
#include <span>
#include <string>

#include "base/types.h"

namespace sluice {

enum class [[nodiscard]] BlockStatus : u8{Ok, IoError, NoSpace, ReadOnly, Unsupported};

class BlockBackend {
 public:
  virtual ~BlockBackend() = default;
  // A multiple of 512; constant.
  virtual u64 size() const = 0;
  virtual bool read_only() const = 0;
  virtual std::string name() const = 0;
  virtual BlockStatus read(u64 offset, std::span<u8> out) = 0;
  virtual BlockStatus write(u64 offset, std::span<const u8> bytes) = 0;
  // One piece after the other.
  using Pieces = std::span<const std::span<std::byte>>;
  virtual BlockStatus read_pieces(u64 offset, Pieces pieces) {
    for (std::span<std::byte> piece : pieces) {
      BlockStatus status = read(offset, {reinterpret_cast<u8*>(piece.data()), piece.size()});
      if (status != BlockStatus::Ok) return status;
      offset += piece.size();
    }
    return BlockStatus::Ok;
  }
  // The same without waiting for anything, on a second thread. False: it would have to wait, or failed, or
  // cannot tell; the pieces may have been written in part.
  virtual bool read_at_hand(u64, Pieces) { return false; }
  // Everything written so far survives a host crash afterwards.
  virtual BlockStatus flush() = 0;
  // The range's contents are no longer needed; what it reads as afterwards is undefined.
  virtual BlockStatus discard(u64 offset, u64 length) = 0;
  enum class Unmap : u8 { Keep, Allow };
  // The range reads as zeroes; `Allow` permits giving the space back.
  virtual BlockStatus write_zeroes(u64 offset, u64 length, Unmap unmap) = 0;
};

}  // namespace sluice
