// app/semihosting.h: the host side of Arm semihosting (Arm IHI 0100, "Semihosting for AArch32 and
// AArch64", 3.0) for A64 callers: files of the host, the console, time, arguments, exit.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/semihosting.h"
#include "base/wire.h"

namespace sluice {

// Between the console and the serial port: what is typed goes to a semihosting read while one waits, and to
// the serial port otherwise.
class SemihostingConsole final : public ByteStream {
 public:
  explicit SemihostingConsole(ByteStream& terminal);
  ~SemihostingConsole() override;

  // --- as the serial port's stream ---
  void transmit(std::span<const u8> bytes) override { terminal_.transmit(bytes); }
  void on_receive(Receiver receiver) override;
  void resume() override { terminal_.resume(); }

  // --- for semihosting ---
  // Waits for at least one byte; 0 = end of input; nothing = interrupted.
  std::optional<size_t> read(std::span<u8> into);
  void end_of_input();
  // Reads that would wait are interrupted from now on until `allow_reads`: the machine is being paused, and a
  // PE that waits for the user would never come to a safe point.
  // A read that was interrupted comes again: what is typed until then is for it.
  void interrupt_reads();
  void allow_reads();
  // Machine reset: no read comes again.
  void forget_reads();

 private:
  size_t receive(std::span<const u8> bytes);
  ByteStream& terminal_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<u8> bytes_;
  std::shared_ptr<Receiver> port_;
  unsigned readers_ = 0;
  bool at_end_ = false, interrupted_ = false, comes_again_ = false;
};

struct SemihostingConfig {
  std::string command_line;           // SYS_GET_CMDLINE
  u64 heap_base = 0, heap_limit = 0;  // SYS_HEAPINFO: free RAM
  u64 start_seconds = 0;              // seconds since 1970 at virtual time 0
  std::function<void(u64 code)> exit;
  bool from_el0 = false;
};

class Semihosting final : public SemihostingHandler {
 public:
  Semihosting(Clock& clock, SemihostingConsole& console, SemihostingConfig config);
  ~Semihosting() override;
  // The loader knows only later where RAM is free. Before the machine runs.
  void set_heap(u64 base, u64 limit) { config_.heap_base = base, config_.heap_limit = limit; }

  bool allows_el0() const override { return config_.from_el0; }
  u64 call(u32 operation, u64 parameter, GuestMemory& memory) override;

 private:
  struct File;
  class Call;
  Clock& clock_;
  SemihostingConsole& console_;
  SemihostingConfig config_;
  std::mutex mutex_;
  std::map<u64, std::shared_ptr<File>> files_;
  u64 next_handle_ = 1;
  int errno_ = 0;
};

}  // namespace sluice
