// Files that are loaded into RAM: whole, in parts, from a pipe, and when they change under us.
#include "machines/file_bytes.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "machines/config_error.h"

namespace sluice {
namespace {

using Bytes = std::vector<u8>;

std::string path_of(const char* name) {
  return testing::TempDir() + "file_bytes_" + std::to_string(getpid()) + "_" + name;
}

struct File {
  explicit File(const char* name, const Bytes& bytes) : path(path_of(name)) { write(bytes); }
  ~File() { unlink(path.c_str()); }
  void write(const Bytes& bytes) const {
    std::ofstream{path, std::ios::binary}.write(reinterpret_cast<const char*>(bytes.data()),
                                                std::streamsize(bytes.size()));
  }
  std::string path;
};

Bytes counting(size_t size) {
  Bytes b(size);
  for (size_t n = 0; n < size; n++) b[n] = u8(n * 7 + n / 256);
  return b;
}

Bytes copied(const FileBytes& f) {
  Bytes b(f.size(), 0xee);
  EXPECT_TRUE(f.copy_to(b.data()));
  return b;
}

TEST(FileBytes, AFileIsSeenAndCopiedWhole) {
  Bytes content = counting(10000);
  File file("whole", content);
  FileBytes f = FileBytes::open(file.path, 1 << 20);
  EXPECT_EQ(f.size(), content.size());
  EXPECT_EQ(Bytes(f.view().begin(), f.view().end()), content);
  EXPECT_EQ(copied(f), content);
  EXPECT_EQ(copied(f), content) << "a second time, as at a reset";
}

TEST(FileBytes, PartsAreCutToWhatThereIs) {
  Bytes content = counting(10000);
  File file("parts", content);
  for (const FileBytes& f : {FileBytes::open(file.path, 1 << 20), FileBytes(content)}) {
    FileBytes part = f.part(5000, 100);
    EXPECT_EQ(copied(part), Bytes(content.begin() + 5000, content.begin() + 5100));
    EXPECT_EQ(copied(part.part(10, 5)), Bytes(content.begin() + 5010, content.begin() + 5015));
    EXPECT_EQ(f.part(9990, 100).size(), 10u);
    EXPECT_TRUE(f.part(20000, 100).empty());
  }
}

TEST(FileBytes, APipeIsReadToItsEnd) {
  Bytes content = counting(300000);
  std::string path = path_of("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  std::thread writer([&] {
    std::ofstream{path, std::ios::binary}.write(reinterpret_cast<const char*>(content.data()),
                                                std::streamsize(content.size()));
  });
  FileBytes f = FileBytes::open(path, 1 << 20);
  writer.join();
  unlink(path.c_str());
  EXPECT_EQ(copied(f), content);
}

TEST(FileBytes, WhatDoesNotFitOrCannotBeReadIsRefused) {
  File file("big", counting((1 << 20) + 1));
  EXPECT_THROW((void)FileBytes::open(file.path, 1 << 20), ConfigError);
  EXPECT_NO_THROW((void)FileBytes::open(file.path, (1 << 20) + 1));
  EXPECT_THROW((void)FileBytes::open(path_of("missing"), 1 << 20), ConfigError);
  EXPECT_THROW((void)FileBytes::open(testing::TempDir(), 1 << 20), ConfigError);
  EXPECT_TRUE(FileBytes::open("/dev/null", 1 << 20).empty());
}

TEST(FileBytes, AFileThatBecameShorterGivesZeros) {
  Bytes content = counting(10000);
  File file("shorter", content);
  FileBytes f = FileBytes::open(file.path, 1 << 20);
  ASSERT_EQ(truncate(file.path.c_str(), 6000), 0);
  Bytes b(f.size(), 0xee);
  EXPECT_FALSE(f.copy_to(b.data()));
  std::fill(content.begin() + 6000, content.end(), u8{0});
  EXPECT_EQ(b, content);
}

}  // namespace
}  // namespace sluice
