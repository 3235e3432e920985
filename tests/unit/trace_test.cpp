// Trace events: names, patterns, lines, where they go.
#include "base/trace.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "base/types.h"
#include "tests/support/trace_file.h"

namespace sluice {
namespace {

using Lines = std::vector<std::string>;

Trace<int, u64> trace_one{"test_one", "number={} addr={:#x}"};
Trace<const char*, bool> trace_two{"test_two", "name={} flag={:d}"};
Trace<> trace_bare{"test_bare", ""};

std::vector<std::string> names(const std::string& pattern) {
  std::vector<std::string> found;
  for (const TraceEvent* e : trace_events(pattern)) found.emplace_back(e->name());
  return found;
}

// Counts how often it is formatted.
struct Costly {
  int* formatted;
};

}  // namespace
}  // namespace sluice

template <>
struct fmt::formatter<sluice::Costly> {
  constexpr auto parse(format_parse_context& context) { return context.begin(); }
  auto format(const sluice::Costly& c, format_context& context) const {
    ++*c.formatted;
    return context.out();
  }
};

namespace sluice {
namespace {

Trace<Costly> trace_costly{"test_costly", "{}"};

TEST(Trace, EventsListThemselvesInTheOrderOfTheirNames) {
  EXPECT_EQ(names("test_*"), (Lines{"test_bare", "test_costly", "test_one", "test_two"}));
  EXPECT_NE(trace_help().find("test_one                        number={} addr={:#x}\n"), std::string::npos);
  EXPECT_NE(trace_help().find("test_bare\n"), std::string::npos);
}

TEST(Trace, NamesAreUniqueAndMadeOfLowerCaseWords) {
  std::set<std::string_view> seen;
  for (const TraceEvent* e : trace_events()) {
    EXPECT_TRUE(seen.insert(e->name()).second) << e->name();
    EXPECT_EQ(e->name().find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string_view::npos)
        << e->name();
  }
}

TEST(Trace, PatternsHaveStarsAndQuestionMarks) {
  EXPECT_EQ(names("test_o?e"), Lines{"test_one"});
  EXPECT_EQ(names("*_one"), Lines{"test_one"});
  EXPECT_EQ(names("test_one"), Lines{"test_one"});
  EXPECT_EQ(names("test_on"), Lines{});
  EXPECT_EQ(names("test_one?"), Lines{});
  EXPECT_EQ(names(""), Lines{});
}

TEST(Trace, AllEventsAreOffAtFirst) {
  for (const TraceEvent* e : trace_events()) EXPECT_FALSE(e->on()) << e->name();
}

TEST(Trace, AMinusSwitchesOffAndTheNumberOfMatchesIsTold) {
  EXPECT_EQ(set_trace("test_*"), 4u);
  EXPECT_EQ(set_trace("-test_t*"), 1u);
  EXPECT_TRUE(trace_one.on());
  EXPECT_FALSE(trace_two.on());
  EXPECT_EQ(set_trace("nothing_*"), 0u);
  EXPECT_EQ(set_trace("-*"), trace_events().size());
  EXPECT_FALSE(trace_one.on());
}

TEST(Trace, ALineIsTheNameAndTheValues) {
  test::TraceFile file{"test_*"};
  trace_one(-3, 0x1000);
  trace_two("x", true);
  trace_bare();
  EXPECT_EQ(file.lines(), (Lines{"test_one number=-3 addr=0x1000", "test_two name=x flag=1", "test_bare"}));
}

TEST(Trace, AnEventThatIsOffFormatsNothingAndWritesNothing) {
  test::TraceFile file{"test_one"};
  int formatted = 0;
  trace_costly({&formatted});
  EXPECT_EQ(formatted, 0);
  EXPECT_EQ(file.lines(), Lines{});
  set_trace("test_costly");
  trace_costly({&formatted});
  EXPECT_EQ(formatted, 1);
}

TEST(Trace, ALongLineIsCut) {
  test::TraceFile file{"test_two"};
  std::string text(5000, 'x');
  trace_two(text.c_str(), false);
  ASSERT_EQ(file.lines().size(), 1u);
  EXPECT_EQ(file.lines()[0], "test_two name=" + std::string(400 - 14, 'x'));
}

TEST(Trace, AFileThatCannotBeOpenedIsToldAndChangesNothing) {
  test::TraceFile file{"test_bare"};
  EXPECT_FALSE(trace_to_file("/nowhere/at/all"));
  trace_bare();
  EXPECT_EQ(file.lines(), Lines{"test_bare"});
}

// ThreadSanitizer runs this one, too.
TEST(Trace, LinesOfThreadsDoNotMixAndEventsMayBeSwitchedMeanwhile) {
  test::TraceFile file{"test_one"};
  std::atomic<bool> stop = false;
  std::thread switcher([&] {
    while (!stop) set_trace("-test_two"), set_trace("test_two"), set_trace("test_o*");
  });
  std::vector<std::thread> writers;
  for (int t = 0; t < 3; t++)
    writers.emplace_back([t] {
      for (int i = 0; i < 500; i++) trace_one(t, 7), trace_two("y", false);
    });
  for (std::thread& t : writers) t.join();
  stop = true;
  switcher.join();
  size_t ones = 0;
  for (const std::string& line : file.lines()) {
    const bool one = line.starts_with("test_one number=") && line.ends_with(" addr=0x7");
    EXPECT_TRUE(one || line == "test_two name=y flag=0") << line;
    ones += one;
  }
  EXPECT_EQ(ones, 1500u);
}

}  // namespace
}  // namespace sluice
