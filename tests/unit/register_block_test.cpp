// tests/unit/register_block_test.cpp: the register table framework, with a device made for it.
#include "devices/register_block.h"

#include <gtest/gtest.h>

#include <random>

namespace sluice {
namespace {

constexpr MemTxAttrs kPe = MemTxAttrs::pe(0, PaSpace::NonSecure, true);

class Sample final : public RegisterDevice<Sample> {
 public:
  static constexpr const char* kName = "sample";
  Sample() { reset_registers(); }
  static RegisterTable<Sample> registers() {
    static constexpr auto kTable = register_table<Sample>({
        {"KEEP", 0x00, 0x11223344, 0xffff'ff0f, stored(&Sample::keep_), "1"},
        {"HOOK", 0x04, 0x5, 0xff, stored(&Sample::hook_, &Sample::write_hook), "2"},
        {"SUM", 0x08, 0, 0, computed(&Sample::read_sum), "3"},
        {"DO", 0x0c, 0, 0xf, command(&Sample::write_do), "4"},
        {"FIFO", 0x10, 0, 0xffff, port(&Sample::read_fifo, &Sample::write_fifo), "5"},
        {"ARRAY", 0x20, 0, 0xff, indexed(&Sample::read_array, &Sample::write_array), "6", 4},
        {"ID", 0xffc, 0xb1, 0, constant(), "7"},
    });
    return kTable.table();
  }
  u32 reads = 0, written = 0, done = 0;
  RegWrite last{};
  u32 array[4] = {};

 private:
  u32 read_sum() { return keep_ + hook_; }
  u32 read_fifo() { return ++reads; }
  void write_fifo(RegWrite w) { written = w.value; }
  void write_do(RegWrite w) { done = w.value; }
  void write_hook(RegWrite w) { last = w; }
  u32 read_array(u32 n) { return array[n]; }
  void write_array(u32 n, u32 value) { array[n] = value; }
  u32 keep_ = 0, hook_ = 0;
};

u64 read(MmioDevice& d, u64 offset, unsigned size = 4, MemTxAttrs who = kPe) {
  u64 value = ~u64{0};
  EXPECT_TRUE(d.read(offset, size, value, who).is_ok());
  return value;
}
void write(MmioDevice& d, u64 offset, u64 value, unsigned size = 4) {
  EXPECT_TRUE(d.write(offset, size, value, kPe).is_ok());
}

TEST(RegisterBlock, EveryRowReadsItsReset) {
  Sample d;
  EXPECT_EQ(read(d, 0x00), 0x1122'3344u);
  EXPECT_EQ(read(d, 0x04), 5u);
  EXPECT_EQ(read(d, 0x08), 0x1122'3349u);
  EXPECT_EQ(read(d, 0x0c), 0u);
  EXPECT_EQ(read(d, 0xffc), 0xb1u);
}

TEST(RegisterBlock, ReadOnlyBitsStay) {
  Sample d;
  write(d, 0x00, 0xffff'ffff);
  EXPECT_EQ(read(d, 0x00), 0xffff'ff4fu);
  write(d, 0xffc, 0);
  EXPECT_EQ(read(d, 0xffc), 0xb1u);
  write(d, 0x08, 0);
  EXPECT_EQ(read(d, 0x08), u32(0xffff'ff4f + 5));
}

TEST(RegisterBlock, HooksSeeTheNewValueAndWhatToggled) {
  Sample d;
  write(d, 0x04, 0xf6);
  EXPECT_EQ(d.last.value, 0xf6u);
  EXPECT_EQ(d.last.changed, 0xf3u);
  write(d, 0x0c, 0xff);
  EXPECT_EQ(d.done, 0xfu);
}

TEST(RegisterBlock, SubWordAccessesMergeIntoStoredRegistersOnly) {
  Sample d;
  write(d, 0x01, 0xaa, 1);
  EXPECT_EQ(read(d, 0x00), 0x1122'aa44u);
  write(d, 0x02, 0xbbcc, 2);
  EXPECT_EQ(read(d, 0x00), 0xbbcc'aa44u);
  EXPECT_EQ(read(d, 0x03, 1), 0xbbu);
  EXPECT_EQ(read(d, 0x02, 2), 0xbbccu);
  write(d, 0x10, 0x41, 1);
  EXPECT_EQ(d.written, 0x41u);
  write(d, 0x11, 0x42, 1);
  EXPECT_EQ(d.written, 0x4200u);
  EXPECT_EQ(d.reads, 0u);
}

TEST(RegisterBlock, IndexedRowsGetTheirWord) {
  Sample d;
  write(d, 0x2c, 0x1ff);
  EXPECT_EQ(d.array[3], 0xffu);
  EXPECT_EQ(read(d, 0x2c), 0xffu);
  EXPECT_EQ(read(d, 0x30), 0u);
}

TEST(RegisterBlock, ADebuggerHasNoSideEffects) {
  Sample d;
  EXPECT_EQ(read(d, 0x10, 4, MemTxAttrs::debugger()), 0u);
  EXPECT_EQ(d.reads, 0u);
  EXPECT_EQ(read(d, 0x10), 1u);
}

TEST(RegisterBlock, DescribesWhatCanBeRead) {
  Sample d;
  std::string text = d.describe();
  EXPECT_NE(text.find("KEEP"), std::string::npos);
  EXPECT_NE(text.find("0x11223344"), std::string::npos);
  EXPECT_EQ(text.find("FIFO"), std::string::npos);
  EXPECT_EQ(d.reads, 0u);
}

TEST(RegisterBlock, AnyOffsetSizeAndValueIsHarmless) {
  unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  Sample d;
  for (int i = 0; i < 50'000; i++) {
    u64 offset = random() % 2 ? random() : random() % 0x1100;
    unsigned size = 1u << random() % 4;
    random() % 2 ? write(d, offset, random(), size) : void(read(d, offset, size));
  }
}

}  // namespace
}  // namespace sluice
