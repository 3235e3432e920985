// Disk images: RawFile on temporary files, SnapshotOverlay over a disk in memory.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <vector>

#include "devices/block/raw_file.h"
#include "devices/block/snapshot_overlay.h"

namespace sluice::virtio_test {
namespace {

using Bytes = std::vector<u8>;
using Mode = RawFile::Mode;

class TemporaryFile {
 public:
  explicit TemporaryFile(const Bytes& bytes) {
    std::string pattern = testing::TempDir() + "sluice_block_XXXXXX";
    int fd = mkstemp(pattern.data());
    EXPECT_GE(fd, 0);
    close(fd);
    path = pattern;
    std::ofstream{path, std::ios::binary}.write(reinterpret_cast<const char*>(bytes.data()),
                                                long(bytes.size()));
  }
  ~TemporaryFile() { unlink(path.c_str()); }
  Bytes contents() const {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  std::string path;
};

Bytes pattern(size_t size, u32 seed = 1) {
  std::mt19937 random{seed};
  Bytes bytes(size);
  for (u8& b : bytes) b = u8(random());
  return bytes;
}
Bytes read(BlockBackend& disk, u64 offset, size_t size) {
  Bytes out(size);
  EXPECT_EQ(disk.read(offset, out), BlockStatus::Ok);
  return out;
}
std::string open_error(const std::string& path, Mode mode) {
  auto file = RawFile::open(path, mode);
  return file ? "" : file.error();
}

TEST(RawFile, ReadsAndWritesTheFile) {
  TemporaryFile file{pattern(8192)};
  {
    auto disk = RawFile::open(file.path, Mode::ReadWrite);
    ASSERT_TRUE(disk);
    EXPECT_EQ((*disk)->size(), 8192u);
    EXPECT_FALSE((*disk)->read_only());
    EXPECT_EQ((*disk)->write(1024, Bytes(512, 0xab)), BlockStatus::Ok);
    EXPECT_EQ((*disk)->flush(), BlockStatus::Ok);
  }
  Bytes expected = pattern(8192);
  std::fill_n(expected.begin() + 1024, 512, u8{0xab});
  EXPECT_EQ(file.contents(), expected);
}

TEST(RawFile, ReadsIntoPieces) {
  const Bytes bytes = pattern(1 << 20);
  TemporaryFile file{bytes};
  auto disk = RawFile::open(file.path, Mode::ReadOnly);
  ASSERT_TRUE(disk);
  for (bool at_hand : {false, true}) {
    // Of different sizes, and more than one host call takes.
    Bytes out(400'000);
    std::vector<std::span<std::byte>> pieces;
    for (size_t at = 0, n = 1; at < out.size(); n = n * 5 % 2003 + 1) {
      const size_t size = std::min(n, out.size() - at);
      pieces.push_back({reinterpret_cast<std::byte*>(&out[at]), size});
      at += size;
    }
    ASSERT_GT(pieces.size(), 256u);
    if (at_hand) {
      EXPECT_FALSE((*disk)->read_at_hand(512, pieces));  // too many
      pieces.resize(200);
      // A file system may not be able to tell.
      if (!(*disk)->read_at_hand(512, pieces)) break;
    } else {
      EXPECT_EQ((*disk)->read_pieces(512, pieces), BlockStatus::Ok);
    }
    size_t size = 0;
    for (auto piece : pieces) size += piece.size();
    EXPECT_EQ(Bytes(out.begin(), out.begin() + long(size)),
              Bytes(bytes.begin() + 512, bytes.begin() + 512 + long(size)));
  }
}

TEST(RawFile, PiecesBehindAnOddTailReadAsZeroes) {
  TemporaryFile file{Bytes(1000, 7)};
  auto disk = RawFile::open(file.path, Mode::ReadOnly);
  ASSERT_TRUE(disk);
  Bytes out(512, 1);
  auto* raw = reinterpret_cast<std::byte*>(out.data());
  const std::span<std::byte> pieces[] = {{raw, 100}, {raw + 100, 412}};
  EXPECT_EQ((*disk)->read_pieces(512, pieces), BlockStatus::Ok);
  EXPECT_EQ(out[487], 7);
  EXPECT_EQ(out[488], 0);
  EXPECT_EQ(out[511], 0);
}

TEST(RawFile, ReadOnlyNeverChangesTheFile) {
  TemporaryFile file{pattern(4096)};
  auto disk = RawFile::open(file.path, Mode::ReadOnly);
  ASSERT_TRUE(disk);
  EXPECT_TRUE((*disk)->read_only());
  EXPECT_EQ((*disk)->write(0, Bytes(512)), BlockStatus::ReadOnly);
  EXPECT_EQ((*disk)->discard(0, 512), BlockStatus::ReadOnly);
  EXPECT_EQ((*disk)->write_zeroes(0, 512, BlockBackend::Unmap::Allow), BlockStatus::ReadOnly);
  EXPECT_EQ((*disk)->flush(), BlockStatus::Ok);
  EXPECT_EQ(file.contents(), pattern(4096));
}

TEST(RawFile, AnOddTailReadsAsZeroes) {
  TemporaryFile file{pattern(1000)};
  auto disk = RawFile::open(file.path, Mode::ReadOnly);
  ASSERT_TRUE(disk);
  EXPECT_EQ((*disk)->size(), 1024u);
  Bytes expected = pattern(1000);
  expected.resize(1024);
  EXPECT_EQ(read(**disk, 0, 1024), expected);
}

TEST(RawFile, WriteZeroesAndDiscardKeepTheSize) {
  for (auto unmap : {BlockBackend::Unmap::Keep, BlockBackend::Unmap::Allow}) {
    TemporaryFile file{pattern(256 * 1024)};
    auto disk = RawFile::open(file.path, Mode::ReadWrite);
    ASSERT_TRUE(disk);
    EXPECT_EQ((*disk)->write_zeroes(512, 200 * 1024, unmap), BlockStatus::Ok);
    BlockStatus discarded = (*disk)->discard(0, 512);
    EXPECT_TRUE(discarded == BlockStatus::Ok || discarded == BlockStatus::Unsupported);
    Bytes now = file.contents(), was = pattern(256 * 1024);
    ASSERT_EQ(now.size(), was.size());
    for (size_t i = 512; i < now.size(); i++) ASSERT_EQ(now[i], i < 512 + 200 * 1024 ? 0 : was[i]) << i;
  }
}

TEST(RawFile, SaysWhyItCannotBeOpened) {
  EXPECT_NE(open_error("/nonexistent/disk.img", Mode::ReadOnly).find("'/nonexistent/disk.img': No such file"),
            std::string::npos);
  EXPECT_NE(open_error("/tmp", Mode::ReadOnly).find("is a directory"), std::string::npos);
  EXPECT_NE(open_error("/dev/null", Mode::ReadWrite).find("neither a regular file"), std::string::npos);
  TemporaryFile empty{{}};
  EXPECT_NE(open_error(empty.path, Mode::ReadWrite).find("empty"), std::string::npos);
}

TEST(RawFile, AFifoIsRefusedAtOnce) {
  std::string path = testing::TempDir() + "sluice_block_fifo_" + std::to_string(getpid());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_NE(open_error(path, Mode::ReadOnly).find("neither a regular file"), std::string::npos);
  unlink(path.c_str());
}

TEST(RawFile, OneWriterOrManyReaders) {
  TemporaryFile file{pattern(4096)};
  {
    auto writer = RawFile::open(file.path, Mode::ReadWrite);
    ASSERT_TRUE(writer);
    EXPECT_NE(open_error(file.path, Mode::ReadWrite).find("another process"), std::string::npos);
    EXPECT_NE(open_error(file.path, Mode::ReadOnly).find("open for writing"), std::string::npos);
    EXPECT_TRUE(RawFile::open(file.path, Mode::ReadWrite, RawFile::Locking::Shared));
  }
  auto reader = RawFile::open(file.path, Mode::ReadOnly);
  ASSERT_TRUE(reader);
  EXPECT_EQ(open_error(file.path, Mode::ReadOnly), "");
  EXPECT_NE(open_error(file.path, Mode::ReadWrite), "");
}

// A disk in memory that counts writes and can fail.
class MemoryDisk final : public BlockBackend {
 public:
  explicit MemoryDisk(Bytes bytes) : bytes(std::move(bytes)) {}
  u64 size() const override { return bytes.size(); }
  bool read_only() const override { return true; }
  std::string name() const override { return "memory"; }
  BlockStatus read(u64 offset, std::span<u8> out) override {
    if (fail) return BlockStatus::IoError;
    std::memcpy(out.data(), bytes.data() + offset, out.size());
    return BlockStatus::Ok;
  }
  BlockStatus write(u64, std::span<const u8>) override { return touched(); }
  BlockStatus flush() override { return touched(); }
  BlockStatus discard(u64, u64) override { return touched(); }
  BlockStatus write_zeroes(u64, u64, Unmap) override { return touched(); }
  BlockStatus touched() {
    ADD_FAILURE() << "the base of a snapshot was changed";
    return BlockStatus::IoError;
  }
  Bytes bytes;
  bool fail = false;
};

TEST(SnapshotOverlay, BehavesLikeAWritableCopy) {
  constexpr unsigned kSeed = 99;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 random{kSeed};
  Bytes model = pattern(10 * SnapshotOverlay::kCluster + 512 * 3);
  SnapshotOverlay disk{std::make_unique<MemoryDisk>(model)};
  ASSERT_EQ(disk.size(), model.size());
  for (int i = 0; i < 2000; i++) {
    u64 offset = random() % (model.size() / 512) * 512;
    u64 length = std::min<u64>((1 + random() % (random() % 8 ? 20 : 400)) * 512, model.size() - offset);
    switch (random() % 4) {
      case 0: {
        Bytes data = pattern(length, random());
        ASSERT_EQ(disk.write(offset, data), BlockStatus::Ok);
        std::copy(data.begin(), data.end(), model.begin() + long(offset));
        break;
      }
      case 1:
        ASSERT_EQ(disk.write_zeroes(offset, length, BlockBackend::Unmap::Keep), BlockStatus::Ok);
        std::fill_n(model.begin() + long(offset), length, u8{0});
        break;
      default:
        ASSERT_EQ(read(disk, offset, length),
                  Bytes(model.begin() + long(offset), model.begin() + long(offset + length)));
    }
  }
  EXPECT_EQ(read(disk, 0, model.size()), model);
  EXPECT_LE(disk.resident_bytes(), 11 * SnapshotOverlay::kCluster);
}

TEST(SnapshotOverlay, LimitsItsMemoryAndGivesItBack) {
  SnapshotOverlay disk{std::make_unique<MemoryDisk>(pattern(8 * SnapshotOverlay::kCluster)),
                       2 * SnapshotOverlay::kCluster};
  EXPECT_EQ(disk.write(0, Bytes(512, 1)), BlockStatus::Ok);
  EXPECT_EQ(disk.write(SnapshotOverlay::kCluster, Bytes(512, 2)), BlockStatus::Ok);
  EXPECT_EQ(disk.write(2 * SnapshotOverlay::kCluster, Bytes(512, 3)), BlockStatus::NoSpace);
  EXPECT_EQ(read(disk, 0, 512), Bytes(512, 1));
  EXPECT_EQ(disk.discard(0, SnapshotOverlay::kCluster), BlockStatus::Ok);
  EXPECT_EQ(disk.resident_bytes(), SnapshotOverlay::kCluster);
  EXPECT_EQ(disk.write(2 * SnapshotOverlay::kCluster, Bytes(512, 3)), BlockStatus::Ok);
}

TEST(SnapshotOverlay, PassesReadErrorsOn) {
  auto base = std::make_unique<MemoryDisk>(pattern(SnapshotOverlay::kCluster));
  MemoryDisk& raw = *base;
  SnapshotOverlay disk{std::move(base)};
  raw.fail = true;
  Bytes out(512);
  EXPECT_EQ(disk.read(0, out), BlockStatus::IoError);
  EXPECT_EQ(disk.write(0, out), BlockStatus::IoError);
  raw.fail = false;
  EXPECT_EQ(read(disk, 0, 512), Bytes(raw.bytes.begin(), raw.bytes.begin() + 512));
}

}  // namespace
}  // namespace sluice::virtio_test
