// app/verdict.h: how a run ended, as an exit status and as one line of JSON.
#pragma once
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "app/pattern.h"
#include "base/types.h"

namespace sluice {

enum class EndReason : u8 {
  PowerOff,    // the guest switched the machine off
  GuestExit,   // semihosting SYS_EXIT
  Reset,       // the guest reset, under -no-reboot
  Panic,       // no PE can ever run again
  FailOn,      // the console showed --fail-on
  ExpectSeen,  // the console showed all of --expect
  Timeout,
  Quit,  // the user: Ctrl-A x, or quit in the monitor
  Signal,
  Information,  // --help, dumpdtb and the like
  Usage,
  File,
  Resource,  // the host refused something
  Internal,
};

struct Verdict {
  EndReason reason = EndReason::Internal;
  u64 guest_code = 0;                       // GuestExit
  int signal = 0;                           // Signal
  std::string message;                      // the error, or the line that matched
  std::vector<std::string> expect_missing;  // what --expect still waited for
  std::string machine, cpu;
  u64 guest_time_ns = 0, host_time_ns = 0;
};

enum class ExitContract : u8 { Sluice, Qemu };
int exit_status(const Verdict& verdict, ExitContract contract);
// One line, with a newline.
std::string verdict_json(const Verdict& verdict, int status);
// False, with a message on stderr, when the file cannot be written.
bool write_verdict(const std::string& path, const Verdict& verdict, int status);

// Looks for --expect and --fail-on in the console's output, line by line, including a line that has not ended
// yet.
class OutputWatcher {
 public:
  OutputWatcher(const std::vector<std::string>& expect, const std::vector<std::string>& fail_on);
  bool active() const { return active_; }
  struct Found {
    EndReason reason;  // ExpectSeen or FailOn
    std::string line;
  };
  // Any thread. What ended the run, once.
  std::optional<Found> see(std::span<const u8> output);
  std::vector<std::string> missing() const;

 private:
  static constexpr size_t kLongestLine = 4096;
  struct Expected {
    Pattern pattern;
    bool seen = false;
  };
  std::optional<Found> look();

  const bool active_;
  mutable std::mutex mutex_;
  std::vector<Expected> expect_;
  std::vector<Pattern> fail_on_;
  std::string line_;
  bool looked_ = true, over_ = false;
};

}  // namespace sluice
