// app/verdict.cpp: see verdict.h.
#include "app/verdict.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace sluice {
namespace {

constexpr u64 kLargestGuestCode = 63;

const char* reason_name(EndReason reason) {
  switch (reason) {
    case EndReason::PowerOff: return "poweroff";
    case EndReason::GuestExit: return "guest-exit";
    case EndReason::Reset: return "reset";
    case EndReason::Panic: return "panic";
    case EndReason::FailOn: return "fail-on";
    case EndReason::ExpectSeen: return "expect";
    case EndReason::Timeout: return "timeout";
    case EndReason::Quit: return "quit";
    case EndReason::Signal: return "signal";
    case EndReason::Information: return "information";
    case EndReason::Usage: return "usage";
    case EndReason::File: return "file";
    case EndReason::Resource: return "resource";
    case EndReason::Internal: return "internal";
  }
  return "internal";
}

int sluice_status(const Verdict& v) {
  int success = v.expect_missing.empty() ? 0 : 69;
  switch (v.reason) {
    case EndReason::PowerOff:
    case EndReason::Quit: return success;
    case EndReason::GuestExit:
      return v.guest_code == 0 ? success : int(std::min(v.guest_code, kLargestGuestCode));
    case EndReason::Reset: return 67;
    case EndReason::Panic:
    case EndReason::FailOn: return 66;
    case EndReason::ExpectSeen:
    case EndReason::Information: return 0;
    case EndReason::Timeout: return 124;
    case EndReason::Signal: return 128 + v.signal;
    case EndReason::Usage: return 64;
    case EndReason::File: return 65;
    case EndReason::Resource: return 71;
    case EndReason::Internal: return 70;
  }
  return 70;
}

// Where QEMU has such an end; our own options keep their statuses.
int qemu_status(const Verdict& v) {
  switch (v.reason) {
    case EndReason::PowerOff:
    case EndReason::Quit:
    case EndReason::Reset: return 0;
    case EndReason::GuestExit: return int(v.guest_code & 0xff);
    case EndReason::Signal: return 0;  // it shuts down in good order
    case EndReason::Usage:
    case EndReason::File:
    case EndReason::Resource: return 1;
    default: return sluice_status(v);
  }
}

}  // namespace

int exit_status(const Verdict& verdict, ExitContract contract) {
  return contract == ExitContract::Qemu ? qemu_status(verdict) : sluice_status(verdict);
}

std::string verdict_json(const Verdict& v, int status) {
  nlohmann::ordered_json json;
  json["exit"] = status;
  json["reason"] = reason_name(v.reason);
  if (v.reason == EndReason::GuestExit) json["guest_code"] = v.guest_code;
  if (v.reason == EndReason::Signal) json["signal"] = v.signal;
  if (!v.message.empty()) json["message"] = v.message;
  if (!v.expect_missing.empty()) json["expect_missing"] = v.expect_missing;
  if (!v.machine.empty()) json["machine"] = v.machine;
  if (!v.cpu.empty()) json["cpu"] = v.cpu;
  json["guest_seconds"] = double(v.guest_time_ns) / 1e9;
  json["host_seconds"] = double(v.host_time_ns) / 1e9;
  // Console lines may hold any bytes: what is not UTF-8 is replaced.
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

bool write_verdict(const std::string& path, const Verdict& verdict, int status) {
  std::string text = verdict_json(verdict, status);
  std::FILE* file = std::fopen(path.c_str(), "w");
  bool written = file && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file && std::fclose(file) != 0) written = false;
  if (!written) std::fprintf(stderr, "sluice: --verdict: cannot write %s\n", path.c_str());
  return written;
}

OutputWatcher::OutputWatcher(const std::vector<std::string>& expect, const std::vector<std::string>& fail_on)
    : active_(!expect.empty() || !fail_on.empty()) {
  for (const std::string& text : expect) expect_.push_back({Pattern{"--expect", text}, false});
  for (const std::string& text : fail_on) fail_on_.emplace_back("--fail-on", text);
}

std::optional<OutputWatcher::Found> OutputWatcher::see(std::span<const u8> output) {
  if (!active_) return std::nullopt;
  std::lock_guard lock{mutex_};
  for (u8 byte : output) {
    if (over_) return std::nullopt;
    if (byte == '\n' || line_.size() == kLongestLine) {
      if (auto found = look()) return found;
      line_.clear();
    }
    if (byte != '\n' && byte != '\r' && byte != 0) line_ += char(byte), looked_ = false;
  }
  return over_ ? std::nullopt : look();
}

std::optional<OutputWatcher::Found> OutputWatcher::look() {
  if (looked_) return std::nullopt;
  looked_ = true;
  for (const Pattern& p : fail_on_) {
    if (!p.found_in(line_)) continue;
    over_ = true;
    return Found{EndReason::FailOn, line_};
  }
  if (expect_.empty()) return std::nullopt;
  bool all = true;
  for (Expected& e : expect_) {
    if (!e.seen) e.seen = e.pattern.found_in(line_);
    all = all && e.seen;
  }
  if (!all) return std::nullopt;
  over_ = true;
  return Found{EndReason::ExpectSeen, line_};
}

std::vector<std::string> OutputWatcher::missing() const {
  std::lock_guard lock{mutex_};
  std::vector<std::string> all;
  for (const Expected& e : expect_)
    if (!e.seen) all.push_back(e.pattern.text());
  return all;
}

}  // namespace sluice
