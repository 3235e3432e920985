// tests/support/trace_file.h: what trace events write while a test runs.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/trace.h"

namespace sluice::test {

// Events that match go to a file of their own until the end of the scope; then all are off.
class TraceFile {
 public:
  explicit TraceFile(std::initializer_list<const char*> patterns) {
    char name[] = "/tmp/sluice-trace-XXXXXX";
    int fd = mkstemp(name);
    EXPECT_GE(fd, 0);
    close(fd);
    path_ = name;
    EXPECT_TRUE(trace_to_file(path_));
    for (const char* pattern : patterns) EXPECT_GT(set_trace(pattern), 0u) << pattern;
  }
  ~TraceFile() {
    set_trace("-*");
    trace_to_file("");
    unlink(path_.c_str());
  }
  const std::string& path() const { return path_; }
  std::vector<std::string> lines() const {
    std::ifstream file{path_};
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);) all.push_back(line);
    return all;
  }

 private:
  std::string path_;
};

}  // namespace sluice::test
