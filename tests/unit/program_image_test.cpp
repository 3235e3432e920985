// tests/unit/program_image_test.cpp: Intel HEX and S-records. The records are those that the format
// descriptions print as examples, or made by hand from them. (ELF is in loader_test.cpp.)
#include "machines/program_image.h"

#include <gtest/gtest.h>

#include "machines/config_error.h"

namespace sluice {
namespace {

using Bytes = std::vector<u8>;

FileBytes text(const std::string& t) { return Bytes(t.begin(), t.end()); }
ProgramImage read(const std::string& t) {
  auto program = read_program("file", text(t));
  EXPECT_TRUE(program);
  return program ? *program : ProgramImage{};
}
std::string refusal(const std::string& t) {
  try {
    (void)read_program("file", text(t));
  } catch (const ConfigError& e) {
    EXPECT_EQ(e.kind(), ConfigError::Kind::File);
    return e.what();
  }
  return "";
}
Bytes bytes_of(const LoadSegment& s) {
  auto view = s.bytes.view();
  return Bytes(view.begin(), view.end());
}
bool has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

TEST(IntelHex, DataGoesToTheLinearBasePlusOffset) {
  ProgramImage p = read(
      ":020000044000BA\r\n"
      ":0B0010006164647265737320676170A7\r\n"
      ":0400000540000100B6\r\n"
      ":00000001FF\r\n");
  ASSERT_EQ(p.segments.size(), 1u);
  EXPECT_EQ(p.segments[0].address.value, 0x40000010u);
  Bytes expected;
  for (char c : std::string{"address gap"}) expected.push_back(u8(c));
  EXPECT_EQ(bytes_of(p.segments[0]), expected);
  EXPECT_EQ(p.segments[0].size, 11u);
  EXPECT_EQ(p.entry->value, 0x40000100u);
}

TEST(IntelHex, SegmentBasesAndPiecesThatTouch) {
  ProgramImage p = read(
      ":020000021200EA\n"
      ":02000200AABB97\n"
      ":02000000CCDD55\n"  // in front of the first, and touching it
      ":0100060011E8\n"
      ":00000001FF\n");
  ASSERT_EQ(p.segments.size(), 2u);
  EXPECT_EQ(p.segments[0].address.value, 0x12000u);
  EXPECT_EQ(bytes_of(p.segments[0]), (Bytes{0xcc, 0xdd, 0xaa, 0xbb}));
  EXPECT_EQ(p.segments[1].address.value, 0x12006u);
  EXPECT_FALSE(p.entry);
}

TEST(IntelHex, WhatComesLaterWins) {
  ProgramImage p = read(":0400000001020304F2\n:020001000908EC\n:00000001FF\n");
  ASSERT_EQ(p.segments.size(), 1u);
  EXPECT_EQ(bytes_of(p.segments[0]), (Bytes{1, 9, 8, 4}));
}

TEST(IntelHex, DamagedFilesAreRefusedWithTheLine) {
  EXPECT_TRUE(has(refusal(":020000044000BB\n:00000001FF\n"), "line 1 has a wrong check sum"));
  EXPECT_TRUE(has(refusal(":020000044000BA\n"), "no end record"));
  EXPECT_TRUE(has(refusal(":00000001FF\n"), "no data"));
  EXPECT_TRUE(has(refusal(":020000044000BA\nhello\n"), "line 2"));
  EXPECT_TRUE(has(refusal(":0100000441BA\n"), "wrong length"));
  EXPECT_TRUE(has(refusal(":00000009F7\n"), "unknown type"));
}

TEST(SRecords, EveryAddressLength) {
  ProgramImage p = read(
      "S00F000068656C6C6F202020202000003C\n"
      "S11F00007C0802A6900100049421FFF07C6C1B787C8C23783C6000003863000026\n"
      "S2060100000A0BE3\n"
      "S30740000000AABB53\n"
      "S5030003F9\n"
      "S70540000000BA\n");
  ASSERT_EQ(p.segments.size(), 3u);
  EXPECT_EQ(p.segments[0].address.value, 0u);
  EXPECT_EQ(p.segments[0].size, 28u);
  EXPECT_EQ(bytes_of(p.segments[0])[0], 0x7c);
  EXPECT_EQ(p.segments[1].address.value, 0x010000u);
  EXPECT_EQ(bytes_of(p.segments[1]), (Bytes{0x0a, 0x0b}));
  EXPECT_EQ(p.segments[2].address.value, 0x40000000u);
  EXPECT_EQ(p.entry->value, 0x40000000u);
}

TEST(SRecords, DamagedFilesAreRefusedWithTheLine) {
  EXPECT_TRUE(has(refusal("S30740000000AABB54\n"), "line 1 has a wrong check sum"));
  EXPECT_TRUE(has(refusal("S30740000000AABB53\n"), "no end record"));
  EXPECT_TRUE(has(refusal("S0030000FC\nS9030000FC\n"), "no data"));
  EXPECT_TRUE(has(refusal("S30240BD\n"), "wrong length"));
}

TEST(ProgramImages, AnythingElseIsRaw) {
  for (const char* t : {"", ":", "S", "Some text", ": 10", "S4051234", "MZ"})
    EXPECT_FALSE(read_program("file", text(t))) << t;
}

TEST(ProgramImages, DamagedTextNeverCrashes) {
  const std::string good =
      ":020000044000BA\r\n:0B0010006164647265737320676170A7\r\n:0400000540000100B6\r\n:00000001FF\r\n";
  u32 seed = 1;
  for (int round = 0; round < 5000; round++) {
    std::string bad = good;
    for (int i = 0; i < 3; i++) {
      seed = seed * 1664525 + 1013904223;
      bad[1 + (seed >> 8) % (bad.size() - 1)] = "0123456789ABCDEF:\n"[(seed >> 3) % 18];
    }
    refusal(bad);
  }
}

}  // namespace
}  // namespace sluice
