// base/log.cpp: the log sink, and the limits that keep a guest from filling the host's disk with it.
#include "base/log.h"

#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace sluice {
namespace {

constexpr LogTopicInfo kTopics[] = {
    {LogTopic::InAsm, "in_asm", "guest instructions of each block when it is translated"},
    {LogTopic::Op, "op", "intermediate code of each block"},
    {LogTopic::OpOpt, "op_opt", "intermediate code after the optimiser"},
    {LogTopic::OutAsm, "out_asm", "host instructions of each block"},
    {LogTopic::Int, "int", "exceptions and interrupts taken"},
    {LogTopic::Exec, "exec", "each block that is entered"},
    {LogTopic::Mmu, "mmu", "translation faults and invalidations"},
    {LogTopic::GuestErrors, "guest_errors", "what the guest does against the manual"},
    {LogTopic::Unimp, "unimp", "what the guest asks for and Sluice does not model"},
};

// Says which messages may be written. A message is written the first time, and then when its count reaches a
// power of two. Distinct messages share a budget per second, because a guest can make them up without end.
class RateLimit {
 public:
  struct Verdict {
    bool write = false;
    u64 repeated = 0;    // how often this message has been seen by now
    u64 suppressed = 0;  // how many others were dropped since the last line
  };

  Verdict ask(std::string_view text) {
    std::lock_guard lock{mutex_};
    Slot& slot = slots_[std::hash<std::string_view>{}(text) % slots_.size()];
    u64 hash = std::hash<std::string_view>{}(text);
    if (slot.hash != hash) slot = {hash, 0};
    slot.count++;
    if ((slot.count & (slot.count - 1)) != 0) return {};
    auto now = std::chrono::steady_clock::now();
    if (now - second_ >= std::chrono::seconds(1)) second_ = now, written_ = 0;
    if (written_ == kLinesPerSecond) {
      suppressed_++;
      return {};
    }
    written_++;
    return {true, slot.count, std::exchange(suppressed_, 0)};
  }

 private:
  static constexpr unsigned kLinesPerSecond = 200;
  struct Slot {
    u64 hash = 0, count = 0;
  };
  std::mutex mutex_;
  std::vector<Slot> slots_ = std::vector<Slot>(1024);
  std::chrono::steady_clock::time_point second_{};
  unsigned written_ = 0;
  u64 suppressed_ = 0;
};

RateLimit& rate_limit() {
  static RateLimit limit;
  return limit;
}

// Where lines go. A file that was opened stays open until the process ends: a PE may be about to write to it.
std::atomic<std::FILE*>& sink() {
  static std::atomic<std::FILE*> file{stderr};
  return file;
}

std::string formatted(const char* format, va_list arguments) {
  char text[1024];
  int length = std::vsnprintf(text, sizeof text, format, arguments);
  if (length < 0) return format;
  return std::string(text, std::min<size_t>(size_t(length), sizeof text - 1));
}

void limited_line(LogTopic topic, const std::string& text) {
  RateLimit::Verdict verdict = rate_limit().ask(text);
  if (!verdict.write) return;
  if (verdict.suppressed)
    Log::line(topic, "(" + std::to_string(verdict.suppressed) + " messages suppressed)");
  Log::line(topic, verdict.repeated > 1 ? text + " (" + std::to_string(verdict.repeated) + " times)" : text);
}

}  // namespace

std::atomic<u32> Log::topics_{0};

std::string_view log_topics_help() {
  static const std::string help = [] {
    std::string text = "Log topics (comma separated):\n";
    for (const LogTopicInfo& t : kTopics) {
      std::string word{t.word};
      word.resize(15, ' ');
      text += "  " + word + std::string{t.help} + "\n";
    }
    return text;
  }();
  return help;
}

std::string_view parse_log_topics(std::string_view words, u32& topics) {
  topics = 0;
  while (!words.empty()) {
    size_t comma = words.find(',');
    std::string_view word = words.substr(0, comma);
    bool known = false;
    for (const LogTopicInfo& t : kTopics)
      if (t.word == word || word == "all") topics |= u32(t.topic), known = true;
    if (!known && word != "none") return word.empty() ? std::string_view{","} : word;
    if (comma == words.npos) break;
    words.remove_prefix(comma + 1);
  }
  return {};
}

bool Log::configure(u32 topics, const std::string& path) {
  if (!path.empty()) {
    std::FILE* file = std::fopen(path.c_str(), "w");
    if (!file) return false;
    std::setvbuf(file, nullptr, _IOLBF, 0);
    sink().store(file, std::memory_order_release);
  } else {
    sink().store(stderr, std::memory_order_release);
  }
  topics_.store(topics, std::memory_order_relaxed);
  return true;
}

void Log::line(LogTopic, std::string_view text) {
  // One call to stdio, which locks the file: lines of different threads do not mix.
  std::fprintf(sink().load(std::memory_order_acquire), "%.*s\n", int(text.size()), text.data());
}

void guest_error(const char* format, ...) {
  if (!Log::on(LogTopic::GuestErrors)) return;
  va_list arguments;
  va_start(arguments, format);
  limited_line(LogTopic::GuestErrors, formatted(format, arguments));
  va_end(arguments);
}

void unimplemented(const char* format, ...) {
  if (!Log::on(LogTopic::Unimp)) return;
  va_list arguments;
  va_start(arguments, format);
  limited_line(LogTopic::Unimp, formatted(format, arguments));
  va_end(arguments);
}

void log_line(LogTopic topic, const char* format, ...) {
  if (!Log::on(topic)) return;
  va_list arguments;
  va_start(arguments, format);
  Log::line(topic, formatted(format, arguments));
  va_end(arguments);
}

}  // namespace sluice
