// Device tree: read back with libfdt, and compared with what qemu-system-aarch64 says about its `virt` where
// installed.
#include "machines/device_tree.h"

#include <gtest/gtest.h>
#include <libfdt.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "machines/config_error.h"
#include "tests/support/board.h"

namespace sluice {
namespace {

using Bytes = std::vector<u8>;
constexpr auto kSpi = InterruptInput::Kind::Spi;
constexpr auto kLevel = InterruptInput::Trigger::LevelHigh;

// The board as machines/virt.cpp records it.
BoardRecord board(unsigned gic_version, unsigned pes) {
  BoardRecord b = test::board(gic_version, pes);
  b.parts = {{Part::Pl011, {{0x09000000}, 0x1000}, {kSpi, 1, kLevel}},
             {Part::Pl031, {{0x09010000}, 0x1000}, {kSpi, 2, kLevel}},
             {Part::FwCfg, {{0x09020000}, 0x18}, {}},
             {Part::Pl061, {{0x09030000}, 0x1000}, {kSpi, 7, kLevel}}};
  b.flash = {{{{0}, 64u << 20}}, {{{0x04000000}, 64u << 20}}};
  for (unsigned n = 0; n < 32; n++)
    b.parts.push_back({Part::VirtioMmio,
                       {{0x0a000000 + n * 0x200}, 0x200},
                       {kSpi, 16 + n, InterruptInput::Trigger::EdgeRising}});
  return b;
}

// Every property by its path, with phandles replaced by the path that they name.
using Flat = std::map<std::string, std::string>;
class Reader {
 public:
  explicit Reader(const Bytes& blob) : fdt_(blob.data()) {
    EXPECT_EQ(fdt_check_full(blob.data(), blob.size()), 0);
  }
  Flat flatten() const {
    Flat all;
    for (int node = 0; node >= 0; node = fdt_next_node(fdt_, node, nullptr)) {
      std::string path = path_of(node);
      all[path] = "";
      int property;
      fdt_for_each_property_offset(property, fdt_, node) {
        const char* name;
        int length;
        auto* value = static_cast<const char*>(fdt_getprop_by_offset(fdt_, property, &name, &length));
        if (std::string{name} == "phandle") continue;
        all[path + ":" + name] = resolve(name, std::string(value, size_t(length)));
      }
    }
    return all;
  }
  std::string text(const char* path, const char* name) const {
    int length = 0;
    auto* value = static_cast<const char*>(fdt_getprop(fdt_, fdt_path_offset(fdt_, path), name, &length));
    return value ? std::string(value, size_t(length)) : "(absent)";
  }
  bool has(const char* path) const { return fdt_path_offset(fdt_, path) >= 0; }
  u64 number(const char* path, const char* name) const {
    u64 v = 0;
    for (char c : text(path, name)) v = v << 8 | u8(c);
    return v;
  }

 private:
  std::string path_of(int node) const {
    char path[512];
    EXPECT_EQ(fdt_get_path(fdt_, node, path, sizeof path), 0);
    return path;
  }
  std::string resolve(const std::string& name, std::string value) const {
    static const std::set<std::string> kReferences{"interrupt-parent", "clocks", "gpios", "cpu"};
    // Where phandles are inside: one for each entry of so many bytes, at this offset.
    constexpr size_t kIntxEntry = 40, kIntxHandle = 16, kMsiEntry = 16, kMsiHandle = 4;
    if (name == "interrupt-map") return name_handles(value, kIntxEntry, kIntxHandle);
    if (name == "msi-map") return name_handles(value, kMsiEntry, kMsiHandle);
    if (!kReferences.contains(name)) return value;
    auto one = [&](size_t at) { return named_at(value, at); };
    // A clock specifier is a phandle alone; a GPIO specifier has two cells behind it.
    if (name == "clocks" && value.size() == 8) return one(0) + one(4);
    return one(0) + value.substr(4);
  }
  std::string named_at(const std::string& value, size_t at) const {
    u32 handle = fdt32_ld(reinterpret_cast<const fdt32_t*>(value.data() + at));
    return path_of(fdt_node_offset_by_phandle(fdt_, handle));
  }
  std::string name_handles(const std::string& value, size_t entry, size_t handle) const {
    std::string all;
    for (size_t at = 0; at + entry <= value.size(); at += entry)
      all += value.substr(at, handle) + named_at(value, at + handle) +
             value.substr(at + handle + 4, entry - handle - 4);
    return all;
  }
  const void* fdt_;
};

Bytes read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

std::string printable(const std::string& value) {
  std::string text;
  for (char c : value) {
    char hex[8];
    std::snprintf(hex, sizeof hex, "%02x ", u8(c));
    text += hex;
  }
  return text;
}

TEST(DeviceTree, IsPackedAndWellFormed) {
  Bytes blob = build_device_tree(board(3, 2), {});
  EXPECT_EQ(fdt_check_full(blob.data(), blob.size()), 0);
  EXPECT_EQ(fdt_totalsize(blob.data()), blob.size());
}

TEST(DeviceTree, ChosenTellsTheKernelWhatItWasGiven) {
  ChosenInfo chosen{"console=ttyAMA0 quiet", PhysRange{{0x48000000}, 0x1234}, Bytes(32, 0x5a),
                    0x1122334455667788};
  Bytes blob = build_device_tree(board(3, 1), chosen);
  Reader r{blob};
  EXPECT_EQ(r.text("/chosen", "bootargs"), std::string("console=ttyAMA0 quiet", 22));
  EXPECT_EQ(r.text("/chosen", "stdout-path"), std::string("/pl011@9000000", 15));
  EXPECT_EQ(r.number("/chosen", "linux,initrd-start"), 0x48000000u);
  EXPECT_EQ(r.number("/chosen", "linux,initrd-end"), 0x48001234u);
  EXPECT_EQ(r.number("/chosen", "kaslr-seed"), 0x1122334455667788u);
  EXPECT_EQ(r.text("/chosen", "rng-seed"), std::string(32, 0x5a));
}

TEST(DeviceTree, WithoutSeedsItIsTheSameEveryTimeAndHasNone) {
  Bytes blob = build_device_tree(board(3, 1), {});
  EXPECT_EQ(blob, build_device_tree(board(3, 1), {}));
  EXPECT_EQ(Reader{blob}.text("/chosen", "kaslr-seed"), "(absent)");
  EXPECT_EQ(Reader{blob}.text("/chosen", "rng-seed"), "(absent)");
}

TEST(DeviceTree, PcieBelow4GiBHasNoHighWindow) {
  BoardRecord b = board(3, 1);
  b.gic.its.reset();
  b.pcie->ecam = {{0x3f000000}, 0x01000000};
  b.pcie->high_memory.reset();
  b.pcie->buses = 16;
  Bytes blob = build_device_tree(b, {});
  Reader r{blob};
  EXPECT_EQ(r.text("/pcie@10000000", "ranges").size(), 2u * 7 * 4);
  EXPECT_EQ(r.number("/pcie@10000000", "bus-range"), 15u);
  EXPECT_EQ(r.text("/pcie@10000000", "msi-map"), "(absent)");
  EXPECT_FALSE(r.has("/intc@8000000/v2m@8020000"));
}

TEST(DeviceTree, ClustersShowInCpuNodes) {
  BoardRecord b = board(3, 1);
  b.pes.push_back({"arm,cortex-a76", 0x100});
  Bytes blob = build_device_tree(b, {});
  EXPECT_TRUE(Reader{blob}.has("/cpus/cpu@100"));
  EXPECT_EQ(Reader{blob}.number("/cpus/cpu@100", "reg"), 0x100u);
}

TEST(DeviceTree, OnlyWhatTheBoardHasIsThere) {
  BoardRecord b = board(3, 1);
  b.pmu_ppi.reset();
  b.psci = cpu::PsciConduit::None;
  b.pcie.reset();
  b.parts.resize(1);
  b.flash.clear();
  Bytes blob = build_device_tree(b, {});
  for (const char* absent :
       {"/pmu", "/psci", "/gpio-keys", "/flash@0", "/pcie@10000000", "/virtio_mmio@a000000"})
    EXPECT_FALSE(Reader{blob}.has(absent)) << absent;
}

// As the existing board has it with secure=on: there, but for Secure software alone.
TEST(DeviceTree, PartsOfTheSecureStateAreDisabledForOthers) {
  BoardRecord b = board(3, 1);
  b.secure_ram = PhysRange{{0x0e000000}, 0x01000000};
  b.flash[0].secure_only = true;
  PlacedPart uart{Part::Pl011, {{0x09040000}, 0x1000}, {}};
  uart.secure_only = true;
  b.parts.push_back(uart);
  Bytes blob = build_device_tree(b, {});
  Reader tree{blob};
  for (const char* node : {"/pl011@9040000", "/secram@e000000", "/secflash@0"}) {
    EXPECT_EQ(tree.text(node, "status"), std::string("disabled", 9)) << node;
    EXPECT_EQ(tree.text(node, "secure-status"), std::string("okay", 5)) << node;
  }
  EXPECT_EQ(tree.text("/flash@4000000", "reg").size(), 16u);
  EXPECT_FALSE(tree.has("/flash@0"));
  EXPECT_EQ(tree.text("/secure-chosen", "stdout-path"), std::string("/pl011@9040000", 15));
  EXPECT_EQ(tree.text("/chosen", "stdout-path"), std::string("/pl011@9000000", 15));
}

// What QEMU has and Sluice does not model yet, or says differently on purpose. (QEMU names cpu@N in decimal,
// against the Devicetree Specification, so the comparison has at most ten PEs.)
bool known_difference(const std::string& path) {
  for (const char* absent :
       {"/platform-bus@", "/pmu", "/chosen:rng-seed", "/chosen:kaslr-seed", "/psci:migrate", "/aliases"})
    if (path.starts_with(absent)) return true;
  return false;
}

class AgainstQemu : public testing::TestWithParam<std::pair<unsigned, unsigned>> {};

TEST_P(AgainstQemu, SameNodesAndProperties) {
  if (std::system("command -v qemu-system-aarch64 >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "qemu is not installed";
  auto [gic, pes] = GetParam();
  std::string file = "/tmp/device_tree_test_" + std::to_string(getpid()) + ".dtb";
  std::string command = "timeout 30 qemu-system-aarch64 -M virt,gic-version=" + std::to_string(gic) +
                        ",dumpdtb=" + file + " -cpu cortex-a57 -m 512M -smp " + std::to_string(pes) +
                        " -nodefaults -display none >/dev/null 2>&1";
  ASSERT_EQ(std::system(command.c_str()), 0);
  Bytes theirs_blob = read_all(file), ours_blob = build_device_tree(board(gic, pes), {});
  unlink(file.c_str());
  theirs_blob.resize(fdt_totalsize(theirs_blob.data()));
  Flat theirs = Reader{theirs_blob}.flatten(), ours = Reader{ours_blob}.flatten();
  for (const auto& [path, value] : theirs) {
    if (known_difference(path)) continue;
    ASSERT_TRUE(ours.contains(path)) << path << " is missing";
    EXPECT_EQ(printable(ours[path]), printable(value)) << path;
  }
  for (const auto& [path, value] : ours) {
    if (known_difference(path)) continue;
    EXPECT_TRUE(theirs.contains(path)) << path << " is not in the reference";
  }
}

INSTANTIATE_TEST_SUITE_P(Boards, AgainstQemu,
                         testing::Values(std::pair{2u, 1u}, std::pair{2u, 4u}, std::pair{3u, 1u},
                                         std::pair{3u, 10u}));

std::string refusal(const Bytes& tree) {
  try {
    [[maybe_unused]] auto patched = patch_device_tree("user.dtb", tree, board(3, 1), {});
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "";
}

TEST(DeviceTree, UserTreeGetsMemoryAndChosen) {
  BoardRecord other = board(3, 1);
  other.ram.size = 64u << 20;
  other.ram.first.value = 0x80000000;
  Bytes user = build_device_tree(other, {"old", {}, {}, {}});
  Bytes patched =
      patch_device_tree("user.dtb", user, board(3, 1), {"new", PhysRange{{0x48000000}, 16}, Bytes(4, 1), 7});
  Reader r{patched};
  EXPECT_EQ(fdt_totalsize(patched.data()), patched.size());
  EXPECT_FALSE(r.has("/memory@80000000"));
  EXPECT_EQ(printable(r.text("/memory@40000000", "reg")),
            printable(std::string("\0\0\0\0\x40\0\0\0\0\0\0\0\x20\0\0\0", 16)));
  EXPECT_EQ(r.text("/chosen", "bootargs"), std::string("new", 4));
  EXPECT_EQ(r.number("/chosen", "linux,initrd-end"), 0x48000010u);
  EXPECT_EQ(r.number("/chosen", "kaslr-seed"), 7u);
  EXPECT_TRUE(r.has("/pl011@9000000"));
}

TEST(DeviceTree, BadUserTreesAreRefused) {
  Bytes good = build_device_tree(board(3, 1), {});
  EXPECT_EQ(refusal(good), "");
  EXPECT_NE(refusal({}), "");
  EXPECT_NE(refusal(Bytes(100, 'x')).find("not a device tree"), std::string::npos);
  for (size_t n : {size_t{20}, good.size() / 2, good.size() - 1})
    EXPECT_NE(refusal(Bytes(good.begin(), good.begin() + long(n))), "") << n;
}

TEST(DeviceTree, DamagedUserTreesNeverCrash) {
  Bytes good = build_device_tree(board(2, 2), {});
  u32 seed = 12345;
  SCOPED_TRACE("seed " + std::to_string(seed));
  for (int round = 0; round < 2000; round++) {
    Bytes bad = good;
    for (int i = 0; i < 4; i++) {
      seed = seed * 1664525 + 1013904223;
      bad[(seed >> 8) % bad.size()] = u8(seed >> 3);
    }
    refusal(bad);
  }
}

}  // namespace
}  // namespace sluice
