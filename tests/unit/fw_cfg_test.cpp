// The firmware configuration device through its registers and its DMA interface.
#include "devices/fw_cfg.h"

#include "tests/unit/virtio_rig.h"

namespace sluice::virtio_test {
namespace {

class FwCfgTest : public testing::Test {
 protected:
  u64 read(u64 offset, unsigned size) {
    u64 value = 0;
    EXPECT_TRUE(fw.read(offset, size, value, attrs).is_ok());
    return value;
  }
  void write(u64 offset, unsigned size, u64 value) {
    EXPECT_TRUE(fw.write(offset, size, value, attrs).is_ok());
  }
  void select(u16 key) { write(8, 2, __builtin_bswap16(key)); }
  Bytes read_bytes(size_t n) {
    Bytes b;
    for (size_t i = 0; i < n; i++) b.push_back(u8(read(0, 1)));
    return b;
  }
  // Runs one DMA command and returns the control word afterwards. `split`: as two 32-bit writes.
  u32 dma(u32 control, u32 length, u64 address, bool split = true) {
    u64 d = memory.allocate(16);
    memory.put<u32>(d, __builtin_bswap32(control));
    memory.put<u32>(d + 4, __builtin_bswap32(length));
    memory.put<u64>(d + 8, __builtin_bswap64(address));
    if (split) {
      write(16, 4, __builtin_bswap32(u32(d >> 32)));
      write(20, 4, __builtin_bswap32(u32(d)));
    } else {
      write(16, 8, __builtin_bswap64(d));
    }
    return __builtin_bswap32(memory.get<u32>(d));
  }
  const MemTxAttrs attrs = MemTxAttrs::pe(0, PaSpace::NonSecure, true);
  GuestMemory memory;
  FwCfg fw{memory.port()};
};

TEST_F(FwCfgTest, SignatureAndId) {
  select(0);
  EXPECT_EQ(read_bytes(4), (Bytes{'Q', 'E', 'M', 'U'}));
  select(1);
  EXPECT_EQ(read(0, 4), 3u);
  // "QEMU CFG", big endian.
  EXPECT_EQ(__builtin_bswap64(read(16, 8)), 0x51454d5520434647u);
  EXPECT_EQ(__builtin_bswap32(u32(read(16, 4))), 0x51454d55u);
  EXPECT_EQ(__builtin_bswap32(u32(read(20, 4))), 0x20434647u);
}

TEST_F(FwCfgTest, DataInAllWidthsKeepsByteOrder) {
  fw.add_item(0x100, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  select(0x100);
  EXPECT_EQ(read(0, 1), 1u);
  EXPECT_EQ(read(0, 2), 0x0302u);
  EXPECT_EQ(read(0, 4), 0x07060504u);
  EXPECT_EQ(read(0, 8), 0x0f0e0d0c0b0a0908u);
  EXPECT_EQ(read(0, 4), 0x10u);  // the rest, then zeroes
  EXPECT_EQ(read(0, 8), 0u);
  select(0x100);
  EXPECT_EQ(read(0, 8), 0x0807060504030201u);
}

TEST_F(FwCfgTest, MissingItemsReadAsZero) {
  select(0x3ff);
  EXPECT_EQ(read(0, 8), 0u);
}

TEST_F(FwCfgTest, Directory) {
  EXPECT_EQ(*fw.add_file("opt/b", {1, 2, 3}), 0x20);
  EXPECT_EQ(*fw.add_file("etc/a", Bytes(300)), 0x21);
  select(0x19);
  Bytes d = read_bytes(4 + 2 * 64);
  EXPECT_EQ(Bytes(d.begin(), d.begin() + 4), (Bytes{0, 0, 0, 2}));
  auto entry = [&](int i) { return Bytes(d.begin() + 4 + 64 * i, d.begin() + 4 + 64 * (i + 1)); };
  Bytes a{0, 0, 1, 44, 0, 0x21, 0, 0, 'e', 't', 'c', '/', 'a'},
      b{0, 0, 0, 3, 0, 0x20, 0, 0, 'o', 'p', 't', '/', 'b'};
  a.resize(64), b.resize(64);
  EXPECT_EQ(entry(0), a);
  EXPECT_EQ(entry(1), b);
}

TEST_F(FwCfgTest, RefusesBadNames) {
  EXPECT_FALSE(fw.add_file("", {}));
  EXPECT_FALSE(fw.add_file(std::string(56, 'x'), {}));
  EXPECT_TRUE(fw.add_file(std::string(55, 'x'), {}));
  auto twice = fw.add_file(std::string(55, 'x'), {});
  ASSERT_FALSE(twice);
  EXPECT_NE(twice.error().find("exists already"), std::string::npos);
}

TEST_F(FwCfgTest, NumbersAndStrings) {
  fw.add_item_u16(5, 0x1234);
  fw.add_item_u64(3, 0x123456789abcdef0);
  fw.add_item_string(9, "console=hvc0");
  select(5);
  EXPECT_EQ(read(0, 4), 0x1234u);
  select(3);
  EXPECT_EQ(read(0, 8), 0x123456789abcdef0u);
  EXPECT_EQ(fw.item(9)->size(), 13u);
  EXPECT_EQ(fw.item(0x77), nullptr);
}

TEST_F(FwCfgTest, DmaSelectsSkipsAndReads) {
  Bytes bytes(10000);
  for (size_t i = 0; i < bytes.size(); i++) bytes[i] = u8(i * 7);
  u16 key = *fw.add_file("big", bytes);
  u64 to = memory.allocate(20000);
  for (bool split : {false, true}) {
    std::memset(memory.at(to), 0xee, 20000);
    EXPECT_EQ(dma(u32(key) << 16 | 8 | 2, 9000, to, split), 0u);
    EXPECT_EQ(memory.get_bytes(to, 9000), Bytes(bytes.begin(), bytes.begin() + 9000));
    EXPECT_EQ(memory.get<u8>(to + 9000), 0xee);
    // It goes on where it was, and past the end there are zeroes.
    EXPECT_EQ(dma(2, 3000, to), 0u);
    Bytes rest(bytes.begin() + 9000, bytes.end());
    rest.resize(3000);
    EXPECT_EQ(memory.get_bytes(to, 3000), rest);
  }
  EXPECT_EQ(dma(u32(key) << 16 | 8 | 4, 5, 0), 0u);
  EXPECT_EQ(read(0, 1), bytes[5]);
  EXPECT_EQ(dma(4, ~0u, 0), 0u);
  EXPECT_EQ(read(0, 8), 0u);
}

TEST_F(FwCfgTest, DmaReportsErrors) {
  EXPECT_EQ(dma(8 | 2, 16, kNowhere), 1u);
  EXPECT_EQ(dma(8 | 2, 0xffffffff, kRamBase + kRamSize - 4096), 1u);  // runs off the end of RAM
  EXPECT_EQ(dma(8 | 16, 4, kRamBase), 1u);                            // the signature is read-only
  EXPECT_EQ(dma(0x1234u << 16 | 8 | 16, 4, kRamBase), 1u);            // no such item
  write(16, 8, __builtin_bswap64(kNowhere));                          // no descriptor: nothing to report to
}

TEST_F(FwCfgTest, WritableFiles) {
  u64 seen_offset = 0, seen_length = 0;
  u16 key = *fw.add_writable_file("etc/rw", Bytes(16), [&](std::span<const u8> item, u64 offset, u64 length) {
    EXPECT_EQ(item.size(), 16u);
    seen_offset = offset, seen_length = length;
  });
  u64 from = memory.allocate(32);
  memory.put_bytes(from, {1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(dma(u32(key) << 16 | 8 | 4, 4, 0), 0u);
  EXPECT_EQ(dma(16, 8, from), 0u);
  EXPECT_EQ(*fw.item(key), (Bytes{0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0}));
  EXPECT_EQ(seen_offset, 4u);
  EXPECT_EQ(seen_length, 8u);
  EXPECT_EQ(dma(16, 5, from), 1u);  // would grow it
  EXPECT_EQ(dma(u32(key) << 16 | 8 | 16, 8, kNowhere), 1u);
  write(0, 1, 0x55);  // the data register does not write
  EXPECT_EQ(fw.item(key)->size(), 16u);
}

TEST_F(FwCfgTest, RandomAccessesAreHarmless) {
  constexpr u32 kSeed = 5;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  u32 state = kSeed;
  auto next = [&] { return state = state * 1664525 + 1013904223, state >> 8; };
  fw.add_writable_file("w", Bytes(100), {}).operator bool();
  for (int i = 0; i < 20000; i++) {
    unsigned size = 1u << next() % 4;
    u64 offset = next() % 0x18 / size * size;
    if (next() % 2)
      read(offset, size);
    else
      write(offset, size, next() % 2 ? next() : u64{next()} << 40 | next());
    if (i % 16 == 0)
      dma(next() % 64 | (next() % 0x40) << 16, next() % 5000, kRamBase + 0x800000 + next() % 5000);
  }
  fw.reset();
  EXPECT_EQ(read_bytes(4), (Bytes{'Q', 'E', 'M', 'U'}));
}

}  // namespace
}  // namespace sluice::virtio_test
