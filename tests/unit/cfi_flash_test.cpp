// tests/unit/cfi_flash_test.cpp: a flash bank through its bus, and the file behind it. Commands and status
// bits are those of the Intel StrataFlash P30 data sheet, the query table that of JEDEC JESD68.01.
#include "devices/flash/cfi_flash.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "base/bits.h"
#include "memory/address_space.h"
#include "tests/support/memory_world.h"

namespace sluice::test {
namespace {

constexpr u64 kSmall = 1 << 20;  // size of files that need not be a whole bank
constexpr u32 kReadyBoth = 0x00800080;
using Mode = FlashStore::Mode;
using Bytes = std::vector<u8>;

class ImageFile {
 public:
  explicit ImageFile(u64 size) {
    std::string pattern = testing::TempDir() + "sluice_flash_XXXXXX";
    int fd = mkstemp(pattern.data());
    EXPECT_GE(fd, 0);
    EXPECT_EQ(ftruncate(fd, off_t(size)), 0);
    close(fd);
    path = pattern;
  }
  ~ImageFile() {
    unlink(path.c_str());
    unlink(journal().c_str());
  }
  std::string journal() const { return path + ".journal"; }
  static Bytes read(const std::string& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  static void write(const std::string& path, const Bytes& bytes) {
    std::ofstream{path, std::ios::binary}.write(reinterpret_cast<const char*>(bytes.data()),
                                                long(bytes.size()));
  }
  Bytes contents() const { return read(path); }
  std::string path;
};

// The bank at address 0 of a PE's memory.
struct Bench {
  InvalidationHub hub;
  Topology topology{hub};
  std::shared_ptr<Container> root = std::make_shared<Container>("system", kWholeSpace);
  AddressSpace space{topology, "memory", root};
  CfiFlash flash{"flash", topology, make_ram(CfiFlash::kSize, "flash")};

  Bench() { Topology::Transaction{topology}.add(*root, 0, flash.region()); }
  explicit Bench(const std::string& path, Mode mode = Mode::ReadWrite) : Bench() {
    auto store = FlashStore::open(path, mode, CfiFlash::kSize);
    EXPECT_TRUE(bool(store)) << store.error();
    EXPECT_TRUE(bool(flash.attach(std::move(*store))));
  }
  u64 r(u64 offset, unsigned size = 4) {
    u64 value = 0;
    EXPECT_TRUE(space.load({offset}, size, value, kNs).is_ok());
    return value;
  }
  void w(u64 offset, u64 value, unsigned size = 4) {
    EXPECT_TRUE(space.store({offset}, size, value, kNs).is_ok());
  }
  // To both chips, as drivers do it.
  void command(u64 offset, u8 code) { w(offset, code * 0x10001u); }
  u64 program(u64 offset, u32 value) {
    command(offset, 0x40);
    w(offset, value);
    return r(offset);
  }
  u64 erase(u64 offset) {
    command(offset, 0x20);
    command(offset, 0xd0);
    return r(offset);
  }
  bool is_memory() { return flash.region()->reads_memory(); }
};

TEST(CfiFlash, IsMemoryUntilACommandComesAndAfterReadArray) {
  Bench b;
  b.flash.memory().host()[0x100] = 0x5a;
  EXPECT_TRUE(b.is_memory());
  EXPECT_EQ(b.r(0x100), 0x5au);
  b.command(0, 0x70);
  EXPECT_FALSE(b.is_memory());
  EXPECT_EQ(b.r(0x100), kReadyBoth);
  b.command(0, 0xff);
  EXPECT_TRUE(b.is_memory());
  EXPECT_EQ(b.r(0x100), 0x5au);
}

TEST(CfiFlash, QueryTableDescribesTwoChipsOf32MiB) {
  Bench b;
  b.command(0x55 * 4, 0x98);
  auto q = [&](u32 word) { return unsigned(b.r(word * 4) & 0xffff); };
  EXPECT_EQ(b.r(0x10 * 4), 0x00510051u);  // Q
  EXPECT_EQ(q(0x11), unsigned('R'));
  EXPECT_EQ(q(0x12), unsigned('Y'));
  EXPECT_EQ(q(0x13) | q(0x14) << 8, 1u);             // Intel command set
  EXPECT_EQ(1u << q(0x27), 32u << 20);               // bytes of a chip
  EXPECT_EQ(q(0x28) | q(0x29) << 8, 1u);             // x16
  EXPECT_EQ(1u << (q(0x2a) | q(0x2b) << 8), 1024u);  // write buffer
  EXPECT_EQ(q(0x2c), 1u);
  EXPECT_EQ((q(0x2d) | q(0x2e) << 8) + 1, 256u);           // blocks
  EXPECT_EQ((q(0x2f) | q(0x30) << 8) * 256, 128u * 1024);  // bytes of one
  u32 extension = q(0x15) | q(0x16) << 8;
  EXPECT_EQ(q(extension), unsigned('P'));
  EXPECT_EQ(q(extension + 1), unsigned('R'));
  EXPECT_EQ(q(extension + 2), unsigned('I'));
}

TEST(CfiFlash, IdentifierShowsManufacturerDeviceAndLock) {
  Bench b;
  b.command(0, 0x90);
  EXPECT_EQ(b.r(0), 0x00890089u);
  EXPECT_EQ(b.r(4), 0x00180018u);
  EXPECT_EQ(b.r(CfiFlash::kBlock + 8), 0u);
  b.command(CfiFlash::kBlock, 0x60);
  b.command(CfiFlash::kBlock, 0x01);
  b.command(0, 0x90);
  EXPECT_EQ(b.r(CfiFlash::kBlock + 8), 0x00010001u);
  EXPECT_EQ(b.r(8), 0u);
}

TEST(CfiFlash, ProgramClearsBitsAndEraseSetsThem) {
  Bench b;
  EXPECT_EQ(b.erase(CfiFlash::kBlock + 0x1000), kReadyBoth);
  EXPECT_EQ(b.program(CfiFlash::kBlock, 0x12345678), kReadyBoth);
  EXPECT_EQ(b.program(CfiFlash::kBlock, 0xff00ff00), kReadyBoth);
  b.command(0, 0xff);
  EXPECT_EQ(b.r(CfiFlash::kBlock), 0x12005600u);
  EXPECT_EQ(b.r(CfiFlash::kBlock + 4), 0xffffffffu);
  EXPECT_EQ(b.r(2 * CfiFlash::kBlock - 4), 0xffffffffu);
  EXPECT_EQ(b.r(CfiFlash::kBlock - 4), 0u);
  EXPECT_EQ(b.r(2 * CfiFlash::kBlock), 0u);
}

TEST(CfiFlash, BufferedProgramWritesAllWordsAtTheConfirmation) {
  Bench b;
  b.erase(0);
  b.command(0x40, 0xe8);
  EXPECT_EQ(b.r(0x40), kReadyBoth);
  b.command(0x40, 2);  // three words
  for (u32 i = 0; i < 3; i++) b.w(0x40 + 4 * i, 0x11111111 * (i + 1));
  EXPECT_EQ(b.flash.memory().host()[0x40], 0xff);
  b.command(0, 0xd0);
  EXPECT_EQ(b.r(0x40), kReadyBoth);
  b.command(0, 0xff);
  EXPECT_EQ(b.r(0x40), 0x11111111u);
  EXPECT_EQ(b.r(0x48), 0x33333333u);
  EXPECT_EQ(b.r(0x4c), 0xffffffffu);
}

// How U-Boot drives it: one 16-bit chip, words next to each other.
TEST(CfiFlash, SixteenBitAccessesProgramBothHalves) {
  Bench b;
  b.w(0, 0x20, 2), b.w(0, 0xd0, 2);
  for (u64 at : {0x10u, 0x12u}) b.w(at, 0x40, 2), b.w(at, 0xa000 + at, 2);
  EXPECT_EQ(b.r(0x12, 2), 0x80u);
  b.w(0, 0xff, 2);
  EXPECT_EQ(b.r(0x10), 0xa012a010u);
}

TEST(CfiFlash, WrongSequencesSetBothErrorBitsAndChangeNothing) {
  constexpr u32 kError = 0x00b000b0;
  Bench b;
  b.flash.memory().host()[0] = 0x77;
  b.command(0, 0x20), b.command(0, 0x41);
  EXPECT_EQ(b.r(0), kError);
  b.command(0, 0x50), b.command(0, 0x70);
  EXPECT_EQ(b.r(0), kReadyBoth);
  b.command(0, 0x60), b.command(0, 0x55);
  EXPECT_EQ(b.r(0), kError);
  b.command(0, 0x50);
  b.command(0, 0xe8), b.command(0, 0), b.w(CfiFlash::kBlock, 0);  // leaves the block
  EXPECT_EQ(b.r(0), kError);
  b.command(0, 0x50);
  b.command(0, 0xe8), b.w(0, 0x02000200);  // more than the buffer holds
  EXPECT_EQ(b.r(0), kError);
  b.command(0, 0x50);
  b.command(0, 0xe8), b.command(0, 0), b.w(0, 0), b.command(0, 0xff);  // not confirmed
  EXPECT_EQ(b.r(0), kError);
  EXPECT_EQ(b.flash.memory().host()[0], 0x77);
}

TEST(CfiFlash, LockedBlocksRefuseAndLockedDownOnesStayLockedUntilReset) {
  Bench b;
  b.erase(0);
  b.command(0, 0x60), b.command(0, 0x01);
  EXPECT_EQ(b.program(0, 0), 0x00920092u);  // program error, block locked
  b.command(0, 0x50);
  EXPECT_EQ(b.erase(0), 0x00a200a2u);
  b.command(0, 0x50);
  b.command(0, 0x60), b.command(0, 0xd0);
  EXPECT_EQ(b.program(0, 0x1234), kReadyBoth);
  b.command(0, 0x60), b.command(0, 0x2f);
  b.command(0, 0x60), b.command(0, 0xd0);
  EXPECT_EQ(b.program(0, 0), 0x00920092u);
  b.flash.reset();
  EXPECT_TRUE(b.is_memory());
  EXPECT_EQ(b.r(0), 0x1234u);
  EXPECT_EQ(b.program(0, 0), kReadyBoth);
}

TEST(CfiFlash, AnySequenceOfWritesIsSurvivedAndReadArrayEnds) {
  Bench b;
  Random random(20260101);
  for (unsigned i = 0; i < 20000; i++) {
    unsigned size = 1u << random.below(4);
    u64 offset = align_down(random.below(CfiFlash::kSize), size);
    static constexpr u8 kCodes[] = {0xff, 0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90,
                                    0x98, 0xb0, 0xd0, 0xe8, 0x00, 0x01, 0x2f, 0xf0};
    b.w(offset, kCodes[random.below(sizeof kCodes)] * u64{0x0001000100010001}, size);
    b.r(align_down(random.below(CfiFlash::kSize), size), size);
  }
  for (unsigned i = 0; i < 600; i++) b.command(0, 0xff);
  EXPECT_TRUE(b.is_memory());
}

// --- The file ---

TEST(FlashStore, RefusesFilesThatAreNotTheSizeOfTheBank) {
  for (u64 size : {kSmall - 1, kSmall + 1, kSmall / 2, 2 * kSmall}) {
    ImageFile file{size};
    auto store = FlashStore::open(file.path, Mode::ReadWrite, kSmall);
    ASSERT_FALSE(bool(store)) << size;
    EXPECT_NE(store.error().find(file.path), std::string::npos);
  }
  EXPECT_FALSE(bool(FlashStore::open("/nonexistent/flash.fd", Mode::ReadOnly, kSmall)));
}

TEST(FlashStore, WhatTheGuestWroteIsInTheFileAfterwards) {
  ImageFile file{CfiFlash::kSize};
  {
    Bench b{file.path};
    b.erase(0);
    b.program(0x10, 0xcafef00d);
    EXPECT_EQ(file.contents()[0x10], 0) << "not before it is complete";
    EXPECT_FALSE(ImageFile::read(file.journal()).empty());
  }
  Bytes bytes = file.contents();
  EXPECT_EQ(bytes[0x0f], 0xff);
  EXPECT_EQ(bytes[0x10], 0x0d);
  EXPECT_EQ(bytes[CfiFlash::kBlock], 0);
  EXPECT_EQ(access(file.journal().c_str(), F_OK), -1);
  Bench again{file.path};
  EXPECT_EQ(again.r(0x10), 0xcafef00du);
}

TEST(FlashStore, AMachineResetBringsTheFileUpToDate) {
  ImageFile file{CfiFlash::kSize};
  Bench b{file.path};
  b.erase(0);
  b.flash.reset();
  EXPECT_EQ(file.contents()[0], 0xff);
}

TEST(FlashStore, ReadOnlyGivesTheGuestAnErrorAndVolatileForgets) {
  ImageFile file{CfiFlash::kSize};
  Bytes before = file.contents();
  {
    Bench b{file.path, Mode::ReadOnly};
    EXPECT_EQ(b.erase(0), 0x00a200a2u);
    b.command(0, 0xff);
    EXPECT_EQ(b.r(0), 0u);
  }
  {
    Bench b{file.path, Mode::Volatile};
    EXPECT_EQ(b.erase(0), kReadyBoth);
    b.command(0, 0xff);
    EXPECT_EQ(b.r(0), 0xffffffffu);
  }
  EXPECT_EQ(file.contents(), before);
  EXPECT_EQ(access(file.journal().c_str(), F_OK), -1);
}

// A process that is killed leaves the file as it was and a journal, in which the last record may be torn.
TEST(FlashStore, AJournalOfAKilledRunIsBroughtInUpToItsLastWholeRecord) {
  ImageFile file{kSmall};
  Bytes memory(kSmall), journal;
  Bytes first(100, 0x11), second(100, 0x22);
  {
    auto store = FlashStore::open(file.path, Mode::ReadWrite, kSmall);
    ASSERT_TRUE(bool(store) && (*store)->load(memory.data()));
    ASSERT_EQ((*store)->change({.offset = 1000, .length = 100, .bytes = first}), BlockStatus::Ok);
    ASSERT_EQ((*store)->change({.offset = 2000, .length = 100, .bytes = second}), BlockStatus::Ok);
    journal = ImageFile::read(file.journal());
    // As if the process ended here: the file keeps its old contents and date.
    ImageFile::write(file.path + ".copy", file.contents());
    ASSERT_EQ(std::system(("cp -p " + file.path + " " + file.path + ".copy").c_str()), 0);
  }
  for (size_t cut : {size_t{0}, size_t{1}, size_t{60}, size_t{100}}) {
    ASSERT_EQ(std::system(("cp -p " + file.path + ".copy " + file.path).c_str()), 0);
    ImageFile::write(file.journal(), Bytes(journal.begin(), journal.end() - long(cut)));
    Bytes now(kSmall);
    auto store = FlashStore::open(file.path, Mode::ReadWrite, kSmall);
    ASSERT_TRUE(bool(store) && (*store)->load(now.data()));
    EXPECT_EQ(now[1000], 0x11);
    EXPECT_EQ(now[2000], cut ? 0 : 0x22);
    EXPECT_EQ(file.contents()[1000], 0x11);
    EXPECT_EQ(access(file.journal().c_str(), F_OK), -1);
  }
  unlink((file.path + ".copy").c_str());
}

// Somebody has put another image there meanwhile: the journal is not for it.
TEST(FlashStore, AJournalOfAnotherImageIsIgnored) {
  ImageFile file{kSmall};
  Bytes memory(kSmall), journal, bytes(4, 0x33);
  {
    auto store = FlashStore::open(file.path, Mode::ReadWrite, kSmall);
    ASSERT_TRUE(bool(store) && (*store)->load(memory.data()));
    ASSERT_EQ((*store)->change({.offset = 0, .length = 4, .bytes = bytes}), BlockStatus::Ok);
    journal = ImageFile::read(file.journal());
  }
  ImageFile::write(file.path, Bytes(kSmall, 0x44));
  for (size_t damaged : {journal.size(), size_t{3}, size_t{40}}) {
    Bytes bad = journal;
    if (damaged < bad.size()) bad[damaged] ^= 0xff;
    ImageFile::write(file.journal(), bad);
    Bytes now(kSmall);
    auto store = FlashStore::open(file.path, Mode::ReadOnly, kSmall);
    ASSERT_TRUE(bool(store) && (*store)->load(now.data()));
    EXPECT_EQ(now[0], 0x44);
  }
}

TEST(FlashStore, AFullHostDiskIsAnErrorOfTheGuestsFlash) {
  ImageFile file{CfiFlash::kSize};
  Bench b{file.path};
  std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit before {
  }, small{};
  getrlimit(RLIMIT_FSIZE, &before);
  small = before, small.rlim_cur = 8;  // less than the head of the journal
  setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_EQ(b.erase(0), 0x00a000a0u);
  setrlimit(RLIMIT_FSIZE, &before);
  b.command(0, 0xff);
  EXPECT_EQ(b.r(0), 0u);
  b.command(0, 0x50);
  EXPECT_EQ(b.erase(0), kReadyBoth);
  setrlimit(RLIMIT_FSIZE, &small);
  b.flash.reset();  // the file cannot be written, and the journal keeps what is missing
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(file.contents()[0], 0);
  EXPECT_FALSE(ImageFile::read(file.journal()).empty());
  b.flash.reset();
  EXPECT_EQ(file.contents()[0], 0xff);
}

}  // namespace
}  // namespace sluice::test
