// A host file system that takes no more: a write fails and says so; what was there stays.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <vector>

#include "devices/block/raw_file.h"

namespace sluice {
namespace {

// The limit on file sizes stands for the full disk: it can be had without rights, and for this process only.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    previous_handler_ = signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &previous_);
    rlimit limit{bytes, previous_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &previous_);
    signal(SIGXFSZ, previous_handler_);
  }

 private:
  rlimit previous_{};
  sighandler_t previous_handler_;
};

TEST(FullDisk, AWriteThatDoesNotFitFailsAndLeavesTheRestAlone) {
  constexpr u64 kSize = 1 << 20, kLimit = 64 << 10;
  std::string path = testing::TempDir() + "sluice_full_XXXXXX";
  int fd = mkstemp(path.data());
  ASSERT_GE(fd, 0);
  ASSERT_EQ(ftruncate(fd, kSize), 0);
  close(fd);
  {
    auto disk = RawFile::open(path, RawFile::Mode::ReadWrite);
    ASSERT_TRUE(disk);
    FileSizeLimit limit{kLimit};
    std::vector<u8> sector(512, 0xa5), back(512);
    EXPECT_EQ((*disk)->write(0, sector), BlockStatus::Ok);
    EXPECT_NE((*disk)->write(kLimit, sector), BlockStatus::Ok);
    std::vector<u8> across(4096, 0x5a);
    EXPECT_NE((*disk)->write(kLimit - 512, across), BlockStatus::Ok);
    EXPECT_EQ((*disk)->flush(), BlockStatus::Ok);
    EXPECT_EQ((*disk)->read(0, back), BlockStatus::Ok);
    EXPECT_EQ(back, sector);
    EXPECT_EQ((*disk)->read(kLimit, back), BlockStatus::Ok);
    EXPECT_EQ(back, std::vector<u8>(512, 0));
    EXPECT_EQ((*disk)->size(), kSize);
  }
  unlink(path.c_str());
}

}  // namespace
}  // namespace sluice
