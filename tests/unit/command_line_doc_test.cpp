// docs/command-line.md and docs/machines.md against the tables that the program itself works from: whatever
// can be asked for is documented.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "app/monitor.h"
#include "app/option_parser.h"
#include "app/options.h"
#include "base/log.h"
#include "machines/virt.h"

namespace sluice {
namespace {

std::string document(const std::string& name) {
  auto path = std::filesystem::path(SLUICE_SOURCE_DIR) / "docs" / name;
  std::ifstream file{path};
  EXPECT_TRUE(file) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Every first group of the pattern in the text.
std::vector<std::string> all_matches(const std::string& text, const std::string& pattern) {
  std::vector<std::string> found;
  std::regex regex{pattern};
  for (std::sregex_iterator it{text.begin(), text.end(), regex}, end; it != end; ++it)
    found.push_back((*it)[1]);
  return found;
}

void expect_all_in(const std::string& text, const std::vector<std::string>& words, size_t at_least) {
  EXPECT_GE(words.size(), at_least) << "the table cannot have been read";
  for (const std::string& word : words)
    EXPECT_NE(text.find(word), std::string::npos) << word << " is not documented";
}

TEST(CommandLineDoc, EveryOptionOfHelpIsDocumented) {
  std::vector<std::string> options = all_matches(help_text(), "\n  (--?[A-Za-z-]+)");
  for (std::string& o : options) o.insert(0, "`");
  expect_all_in(document("command-line.md"), options, 35);
}

TEST(CommandLineDoc, EveryDocumentedOptionExists) {
  std::string help = help_text();
  for (const std::string& option : all_matches(document("command-line.md"), "\n\\| `(--?[A-Za-z-]+)"))
    EXPECT_NE(help.find("  " + option), std::string::npos) << option << " is documented but not there";
}

TEST(CommandLineDoc, EveryExitStatusIsDocumented) {
  std::vector<std::string> statuses = all_matches(exit_help_text(), "\n  ([0-9][0-9.+N]*)");
  for (std::string& s : statuses) s = "| `" + s + "` |";
  expect_all_in(document("command-line.md"), statuses, 10);
}

TEST(CommandLineDoc, EveryDeviceAndPropertyIsDocumented) {
  std::vector<std::string> words;
  for (const DeviceInfo& d : device_table()) {
    words.push_back(std::string{"`"} + d.name + "`");
    for (const NameAndHelp& p : d.properties) words.push_back("`" + p.name + "`");
  }
  expect_all_in(document("command-line.md"), words, 20);
}

TEST(CommandLineDoc, EveryLogTopicIsDocumented) {
  std::vector<std::string> topics = all_matches(std::string{log_topics_help()}, "\n  ([a-z_]+)");
  for (std::string& t : topics) t = "`" + t + "`";
  expect_all_in(document("command-line.md"), topics, 9);
}

TEST(CommandLineDoc, EveryMachinePropertyIsDocumented) {
  std::vector<std::string> words;
  for (const VirtProperty& p : virt_properties()) words.push_back(std::string{"`"} + p.name + "`");
  expect_all_in(document("machines.md"), words, 8);
}

}  // namespace
}  // namespace sluice
