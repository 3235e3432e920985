// base/log.h: what the emulator has to say about the guest, by topic. Off topics cost one load and a branch.
#pragma once
#include <atomic>
#include <string>
#include <string_view>

#include "base/types.h"

namespace sluice {

// The words of `-d`, one bit each.
enum class LogTopic : u32 {
  InAsm = 1 << 0,
  Op = 1 << 1,
  OpOpt = 1 << 2,
  OutAsm = 1 << 3,
  Int = 1 << 4,
  Exec = 1 << 5,
  Mmu = 1 << 6,
  GuestErrors = 1 << 7,
  Unimp = 1 << 8,
};

struct LogTopicInfo {
  LogTopic topic;
  std::string_view word, help;
};
std::string_view log_topics_help();
// Parses "int,mmu"; returns the word that is not a topic, or "" when all are.
std::string_view parse_log_topics(std::string_view words, u32& topics);

class Log {
 public:
  // Opens `path` ("" = stderr) and switches `topics` on. False when the file cannot be opened.
  static bool configure(u32 topics, const std::string& path);
  static bool on(LogTopic topic) { return topics_.load(std::memory_order_relaxed) & u32(topic); }
  // Writes one line (a newline is added). Any thread.
  static void line(LogTopic topic, std::string_view text);

 private:
  static std::atomic<u32> topics_;
};

// A guest programming error: logged once per distinct message and then rate limited; nothing when the topic
// is off.
void guest_error(const char* format, ...) __attribute__((format(printf, 1, 2)));
// Something real that Sluice does not model yet: same limits.
void unimplemented(const char* format, ...) __attribute__((format(printf, 1, 2)));
void log_line(LogTopic topic, const char* format, ...) __attribute__((format(printf, 2, 3)));

}  // namespace sluice
