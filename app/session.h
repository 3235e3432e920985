// app/session.h: one run of a machine, from the options to the verdict. The calling thread becomes the I/O
// thread.
#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "app/console_setup.h"
#include "app/io_loop.h"
#include "app/machine_target.h"
#include "app/monitor.h"
#include "app/options.h"
#include "app/semihosting.h"
#include "app/verdict.h"
#include "base/clock.h"
#include "machines/device_tree.h"
#include "machines/loader.h"
#include "machines/virt.h"

namespace sluice {

class Session {
 public:
  // Builds the machine. Throws ConfigError.
  explicit Session(const Options& options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Runs until something ends it.
  Verdict run();

 private:
  void make_consoles();
  void make_semihosting();
  void make_board();
  void load_software();
  void write_device_tree(const std::vector<u8>& tree);
  ChosenInfo chosen() const;
  void make_monitor();

  void handle(const cpu::MachineEvent& event);
  void handle_signal(int number);
  void console_output(std::span<const u8> bytes);
  void let_pes_come();
  void pes_may_wait();
  void allow_reads();
  void finish_output();
  void end(EndReason reason, const std::string& message = {});
  void stop();
  void cont();
  void reset();

  const Options& options_;
  Clock clock_;
  const u64 host_start_ns_;
  u64 rtc_start_;
  IoLoop loop_;
  OutputWatcher watcher_;
  std::unique_ptr<Consoles> consoles_;
  std::unique_ptr<SemihostingConsole> serial_, semihosting_console_;
  ByteStream* secure_serial_ = nullptr;
  std::unique_ptr<Semihosting> semihosting_;
  std::unique_ptr<Virt> board_;
  std::unique_ptr<Loader> loader_;
  std::unique_ptr<MachineTarget> target_;
  std::unique_ptr<Monitor> monitor_;
  std::unique_ptr<Clock::Timer> timeout_;
  bool device_tree_randomness_ = true, acpi_ = true;
  bool stopped_ = false;
  bool interrupted_ = false;  // by a signal
  std::optional<Verdict> verdict_;
  // From other threads, with an event posted behind them.
  std::mutex mutex_;
  std::optional<OutputWatcher::Found> found_;
  std::optional<u64> guest_code_;
};

// All of the program but the name of the process: parses, runs, writes the verdict, returns the exit status.
int run_command(const std::vector<std::string>& arguments);

}  // namespace sluice
