// app/file_stream.h: character devices that only take output.
#pragma once
#include <atomic>
#include <functional>
#include <mutex>
#include <string>

#include "base/wire.h"

namespace sluice {

class NullStream final : public ByteStream {
 public:
  void transmit(std::span<const u8>) override {}
  void on_receive(Receiver) override {}
  void resume() override {}
};

// To a file, with what it receives shown to `output` first. When the file takes no more, that is said once on
// stderr, and the guest goes on.
class FileStream final : public ByteStream {
 public:
  // Throws ConfigError.
  FileStream(const std::string& path, bool append, std::function<void(std::span<const u8>)> output);
  ~FileStream() override;
  void transmit(std::span<const u8> bytes) override;
  void on_receive(Receiver) override {}
  void resume() override {}
  // While released, a pipe that is full loses bytes: the machine is being paused, and no PE may wait.
  void release(bool released) { released_.store(released, std::memory_order_release); }

 private:
  bool write_fully(std::span<const u8> bytes);
  const std::string path_;
  int fd_;
  std::mutex mutex_;
  std::atomic<bool> released_{false};
  bool broken_ = false;
  std::function<void(std::span<const u8>)> output_;
};

}  // namespace sluice
