// machines/file_bytes.h: what is loaded into RAM: a file, a part of one, or bytes in memory. A regular file
// is read straight to where it goes, each time; nothing of it stays in memory.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace sluice {

class FileBytes {
 public:
  FileBytes() = default;
  FileBytes(std::vector<u8> bytes);  // implicit: bytes are bytes wherever they come from
  // A whole file, at most `limit` bytes; a ConfigError says why not.
  static FileBytes open(const std::string& path, u64 limit);

  FileBytes part(u64 offset, u64 size) const;
  u64 size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // To look at them. What is looked at becomes resident.
  std::span<const u8> view() const;
  // False: the file has become shorter, or cannot be read any more; what is missing is zero.
  bool copy_to(u8* to) const;

 private:
  struct Source;
  std::shared_ptr<const Source> source_;
  u64 offset_ = 0, size_ = 0;
};

}  // namespace sluice
