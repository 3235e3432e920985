// devices/block/raw_file.h: a disk whose bytes are a host file or a host block device.
// An open file is locked against other users with an open-file-description lock: many readers or one writer.
#pragma once
#include <memory>

#include "base/result.h"
#include "devices/block/backend.h"

namespace sluice {

class RawFile final : public BlockBackend {
 public:
  enum class Mode : u8 { ReadOnly, ReadWrite };
  // `Shared` leaves the file unlocked.
  enum class Locking : u8 { Exclusive, Shared };
  // The error says what is wrong with which file, ready to be printed.
  static Result<std::unique_ptr<RawFile>> open(const std::string& path, Mode mode,
                                               Locking locking = Locking::Exclusive);
  ~RawFile() override;
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;

  u64 size() const override { return size_; }
  bool read_only() const override { return mode_ == Mode::ReadOnly; }
  std::string name() const override { return path_; }
  BlockStatus read(u64 offset, std::span<u8> out) override;
  BlockStatus read_pieces(u64 offset, Pieces pieces) override;
  bool read_at_hand(u64 offset, Pieces pieces) override;
  BlockStatus write(u64 offset, std::span<const u8> bytes) override;
  BlockStatus flush() override;
  BlockStatus discard(u64 offset, u64 length) override;
  BlockStatus write_zeroes(u64 offset, u64 length, Unmap unmap) override;

 private:
  RawFile(std::string path, Mode mode, int fd) : path_(std::move(path)), mode_(mode), fd_(fd) {}
  BlockStatus write_zeroes_by_hand(u64 offset, u64 length);
  const std::string path_;
  const Mode mode_;
  const int fd_;
  u64 size_ = 0;
};

}  // namespace sluice
