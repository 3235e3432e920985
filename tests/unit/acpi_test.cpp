// tests/unit/acpi_test.cpp: ACPI and SMBIOS as firmware and an operating system read them. Expected values
// are those of the ACPI specification (and the documents that it names), and of the board's memory map.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>

#include "machines/acpi/aml.h"
#include "machines/acpi/tables.h"
#include "machines/smbios.h"
#include "tests/support/board.h"

namespace sluice {
namespace {

using Bytes = std::vector<u8>;
constexpr auto kSpi = InterruptInput::Kind::Spi;
constexpr auto kLevel = InterruptInput::Trigger::LevelHigh;

u64 number(const Bytes& from, size_t at, unsigned size) {
  u64 value = 0;
  if (at + size > from.size()) {
    ADD_FAILURE() << "byte " << at << " of " << from.size();
    return 0;
  }
  for (unsigned i = size; i-- > 0;) value = value << 8 | from[at + i];
  return value;
}
u8 sum(const Bytes& bytes, size_t at, size_t size) {
  u8 s = 0;
  for (size_t i = at; i < at + size; i++) s = u8(s + bytes.at(i));
  return s;
}

BoardRecord board(unsigned gic_version, unsigned pes) {
  BoardRecord b = test::board(gic_version, pes);
  if (pes > 1) b.pes[1].mpidr = 0x100;
  b.parts = {{Part::Pl011, {{0x09000000}, 0x1000}, {kSpi, 1, kLevel}},
             {Part::FwCfg, {{0x09020000}, 0x18}, {}},
             {Part::Pl061, {{0x09030000}, 0x1000}, {kSpi, 7, kLevel}},
             {Part::VirtioMmio, {{0x0a000000}, 0x200}, {kSpi, 16, kLevel}}};
  return b;
}
PlacedGate gate(GateKind kind) {
  PlacedGate g;
  g.kind = kind;
  g.path = GatePath::Dma;
  g.outermost = true;
  g.frame = {{0x09050000}, 0x20000};
  g.first_spi = 74;
  return g;
}

// What firmware does with the three files: "table-loader" commands of QEMU's fw_cfg interface.
struct Firmware {
  static constexpr u64 kTables = 0x7000'0000, kRsdp = 0xf'0000;  // where it puts them
  Bytes tables, rsdp;

  explicit Firmware(const BoardRecord& b) {
    AcpiFiles files = build_acpi(b);
    tables = files.tables, rsdp = files.rsdp;
    EXPECT_EQ(files.script.size() % 128, 0u);
    for (size_t at = 0; at < files.script.size(); at += 128) run(files.script, at);
    EXPECT_EQ(allocated, 2u);
  }
  // By signature; "" when there is none.
  Bytes table(const std::string& signature) {
    if (signature == "DSDT") return at_address(number(table("FACP"), 140, 8));
    for (u64 address : listed())
      if (Bytes t = at_address(address); std::string(t.begin(), t.begin() + 4) == signature) return t;
    return {};
  }
  std::vector<u64> listed() {
    Bytes xsdt = at_address(number(rsdp, 24, 8));
    EXPECT_EQ(std::string(xsdt.begin(), xsdt.begin() + 4), "XSDT");
    std::vector<u64> all;
    for (size_t at = 36; at + 8 <= xsdt.size(); at += 8) all.push_back(number(xsdt, at, 8));
    return all;
  }

 private:
  Bytes at_address(u64 address) {
    size_t at = size_t(address - kTables), size = size_t(number(tables, at + 4, 4));
    EXPECT_LE(at + size, tables.size());
    EXPECT_EQ(sum(tables, at, size), 0) << "check sum of the table at " << at;
    return Bytes(tables.begin() + long(at), tables.begin() + long(at + size));
  }
  static std::string file(const Bytes& script, size_t at) {
    return reinterpret_cast<const char*>(&script[at]);
  }
  Bytes& named(const std::string& name) { return name == "etc/acpi/rsdp" ? rsdp : tables; }
  void run(const Bytes& script, size_t at) {
    const u64 command = number(script, at, 4);
    const std::string name = file(script, at + 4);
    EXPECT_TRUE(name == "etc/acpi/tables" || name == "etc/acpi/rsdp") << name;
    Bytes& in = named(name);
    if (command == 1) {
      allocated++;
    } else if (command == 2) {
      const std::string target = file(script, at + 60);
      const size_t offset = size_t(number(script, at + 116, 4));
      const unsigned size = unsigned(number(script, at + 120, 1));
      u64 value = number(in, offset, size) + (target == "etc/acpi/rsdp" ? kRsdp : kTables);
      EXPECT_LT(number(in, offset, size), named(target).size());
      for (unsigned i = 0; i < size; i++) in.at(offset + i) = u8(value >> (8 * i));
    } else if (command == 3) {
      const size_t where = size_t(number(script, at + 60, 4)), start = size_t(number(script, at + 64, 4));
      EXPECT_EQ(in.at(where), 0);
      in.at(where) = u8(-sum(in, start, size_t(number(script, at + 68, 4))));
    } else {
      ADD_FAILURE() << "command " << command;
    }
  }
  unsigned allocated = 0;
};

// --- AML: encodings of ACPI 6.4, 20.2 ---

TEST(Aml, IntegersTakeTheShortestForm) {
  EXPECT_EQ(aml::integer(0), (Bytes{0x00}));
  EXPECT_EQ(aml::integer(1), (Bytes{0x01}));
  EXPECT_EQ(aml::integer(0xff), (Bytes{0x0a, 0xff}));
  EXPECT_EQ(aml::integer(0x1234), (Bytes{0x0b, 0x34, 0x12}));
  EXPECT_EQ(aml::integer(0x12345678), (Bytes{0x0c, 0x78, 0x56, 0x34, 0x12}));
  EXPECT_EQ(aml::integer(u64{1} << 32), (Bytes{0x0e, 0, 0, 0, 0, 1, 0, 0, 0}));
}

// 19.3.4: EisaId ("PNP0C09") is 0x090cd041 as a little-endian integer.
TEST(Aml, EisaIdsAreCompressed) { EXPECT_EQ(aml::eisa_id("PNP0C09"), (Bytes{0x0c, 0x41, 0xd0, 0x0c, 0x09})); }

TEST(Aml, PackageLengthsCountThemselves) {
  Bytes small = aml::scope("\\_SB", {Bytes(40, 0)});
  EXPECT_EQ(small.size(), 1u + 1 + 5 + 40);
  EXPECT_EQ(small[1], 1 + 5 + 40);
  // Two bytes: the low nibble is in the first.
  Bytes large = aml::scope("\\_SB", {Bytes(0x100, 0)});
  EXPECT_EQ(large[1] >> 6, 1);
  EXPECT_EQ(size_t(large[1] & 0xf) | size_t(large[2]) << 4, large.size() - 1);
  Bytes huge = aml::scope("\\_SB", {Bytes(0x10000, 0)});
  EXPECT_EQ(huge[1] >> 6, 2);
  EXPECT_EQ(size_t(huge[1] & 0xf) | size_t(huge[2]) << 4 | size_t(huge[3]) << 12, huge.size() - 1);
}

TEST(Aml, NamesHaveFourCharacters) {
  EXPECT_EQ(aml::name("_UID", aml::integer(1)), (Bytes{0x08, '_', 'U', 'I', 'D', 1}));
  EXPECT_EQ(aml::reference("C0"), (Bytes{'C', '0', '_', '_'}));
}

// 19.6.142: ToUUID swaps the first three fields.
TEST(Aml, UuidsAreMixedEndian) {
  Bytes b = aml::uuid("33db4d5b-1ff7-401c-9657-7441c03dd766");
  EXPECT_EQ(b, (Bytes{0x11, 0x13, 0x0a, 0x10, 0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f,
                      0x1c, 0x40, 0x96, 0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66}));
}

// 6.4.3: descriptors, closed by an end tag.
TEST(Aml, ResourceDescriptors) {
  EXPECT_EQ(aml::memory32(0x09000000, 0x1000), (Bytes{0x86, 9, 0, 1, 0, 0, 0, 9, 0, 0x10, 0, 0}));
  EXPECT_EQ(aml::interrupt(33, aml::Trigger::Level), (Bytes{0x89, 6, 0, 1, 1, 33, 0, 0, 0}));
  EXPECT_EQ(aml::interrupt(33, aml::Trigger::Edge)[3], 3);
  Bytes all = aml::resources({aml::memory32(0, 1)});
  EXPECT_EQ(Bytes(all.end() - 2, all.end()), (Bytes{0x79, 0}));
  Bytes bus = aml::bus_numbers(0, 255);
  EXPECT_EQ(bus, (Bytes{0x88, 13, 0, 2, 0x0c, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 1}));
  Bytes pin = aml::gpio_interrupt(3, "GPO0");
  EXPECT_EQ(number(pin, 1, 2) + 3, pin.size());
  EXPECT_EQ(number(pin, number(pin, 14, 2), 2), 3u);
  EXPECT_STREQ(reinterpret_cast<const char*>(&pin[number(pin, 17, 2)]), "GPO0");
  EXPECT_EQ(number(pin, 19, 2), pin.size()) << "no vendor data";
}

// --- Tables ---

TEST(Acpi, FirmwareFindsEveryTableWithARightCheckSum) {
  Firmware fw{board(3, 2)};
  EXPECT_EQ(std::string(fw.rsdp.begin(), fw.rsdp.begin() + 8), "RSD PTR ");
  EXPECT_EQ(fw.rsdp.size(), 36u);
  EXPECT_EQ(sum(fw.rsdp, 0, 20), 0);
  EXPECT_EQ(sum(fw.rsdp, 0, 36), 0);
  for (const char* t : {"FACP", "DSDT", "APIC", "GTDT", "PPTT", "MCFG", "SPCR", "DBG2", "IORT"})
    EXPECT_FALSE(fw.table(t).empty()) << t;
  EXPECT_EQ(fw.table("FACP").size(), 276u);
}

TEST(Acpi, FadtSaysHardwareReducedAndHowPsciIsCalled) {
  BoardRecord b = board(3, 1);
  auto boot_flags = [&](cpu::PsciConduit conduit) {
    b.psci = conduit;
    return number(Firmware{b}.table("FACP"), 129, 2);
  };
  EXPECT_EQ(boot_flags(cpu::PsciConduit::Hvc), 3u);
  EXPECT_EQ(boot_flags(cpu::PsciConduit::Smc), 1u);
  EXPECT_EQ(boot_flags(cpu::PsciConduit::None), 0u);
  EXPECT_EQ(number(Firmware{b}.table("FACP"), 112, 4), 1u << 20);
}

// {type: bodies} of the interrupt controller structures.
std::multimap<u8, Bytes> madt(const BoardRecord& b) {
  Bytes t = Firmware{b}.table("APIC");
  std::multimap<u8, Bytes> all;
  for (size_t at = 44; at < t.size(); at += t.at(at + 1)) {
    if (!t[at + 1]) return {};
    all.emplace(t[at], Bytes(t.begin() + long(at), t.begin() + long(at + t[at + 1])));
  }
  return all;
}

TEST(Acpi, MadtOfAGicv3) {
  auto all = madt(board(3, 2));
  ASSERT_EQ(all.count(0x0b), 2u);
  const Bytes& second = std::next(all.find(0x0b))->second;
  EXPECT_EQ(number(second, 8, 4), 1u);       // ACPI processor UID
  EXPECT_EQ(number(second, 12, 4), 1u);      // enabled
  EXPECT_EQ(number(second, 20, 4), 23u);     // performance interrupt
  EXPECT_EQ(number(second, 68, 8), 0x100u);  // MPIDR
  EXPECT_EQ(number(all.find(0x0c)->second, 8, 8), 0x08000000u);
  EXPECT_EQ(all.find(0x0c)->second[20], 3);
  EXPECT_EQ(number(all.find(0x0e)->second, 4, 8), 0x080a0000u);
  EXPECT_EQ(number(all.find(0x0e)->second, 12, 4), 0xf60000u);
  EXPECT_EQ(number(all.find(0x0f)->second, 8, 8), 0x08080000u);
  EXPECT_EQ(all.count(0x0d), 0u);
}

TEST(Acpi, MadtOfAGicv2) {
  auto all = madt(board(2, 1));
  EXPECT_EQ(number(all.find(0x0b)->second, 32, 8), 0x08010000u);
  EXPECT_EQ(all.find(0x0c)->second[20], 2);
  EXPECT_EQ(number(all.find(0x0d)->second, 8, 8), 0x08020000u);
  EXPECT_EQ(all.count(0x0e) + all.count(0x0f), 0u);
}

TEST(Acpi, TimersPcieAndConsoleAreWhereTheyAre) {
  Firmware fw{board(3, 1)};
  Bytes gtdt = fw.table("GTDT");
  ASSERT_EQ(gtdt.size(), 104u);
  const u64 expected[] = {29, 30, 27, 26};
  for (unsigned i = 0; i < 4; i++) {
    EXPECT_EQ(number(gtdt, 48 + 8 * i, 4), expected[i]);
    EXPECT_EQ(number(gtdt, 52 + 8 * i, 4), 4u);  // level, high, always on
  }
  Bytes mcfg = fw.table("MCFG");
  EXPECT_EQ(number(mcfg, 44, 8), 0x4010000000u);
  EXPECT_EQ(number(mcfg, 52, 4), 0xff000000u);  // segment 0, buses 0 to 255
  Bytes spcr = fw.table("SPCR");
  ASSERT_EQ(spcr.size(), 80u);
  EXPECT_EQ(spcr[36], 3);  // PL011
  EXPECT_EQ(number(spcr, 44, 8), 0x09000000u);
  EXPECT_EQ(number(spcr, 54, 4), 33u);
  Bytes dbg2 = fw.table("DBG2");
  const size_t info = size_t(number(dbg2, 36, 4));
  EXPECT_EQ(number(dbg2, info + 1, 2), dbg2.size() - info);
  EXPECT_EQ(number(dbg2, info + number(dbg2, info + 18, 2) + 4, 8), 0x09000000u);
  EXPECT_EQ(number(dbg2, info + number(dbg2, info + 20, 2), 4), 0x1000u);
  EXPECT_STREQ(reinterpret_cast<const char*>(&dbg2[info + number(dbg2, info + 6, 2)]), "\\_SB.COM0");
}

// Arm DEN 0049: nodes by type, with their offsets.
std::map<u8, size_t> iort_nodes(const Bytes& t) {
  std::map<u8, size_t> nodes;
  if (t.empty()) return nodes;
  size_t at = size_t(number(t, 40, 4));
  for (u64 n = 0; n < number(t, 36, 4); n++) {
    nodes[t.at(at)] = at;
    at += size_t(number(t, at + 1, 2));
  }
  EXPECT_EQ(at, t.size());
  return nodes;
}
u64 mapped_to(const Bytes& t, size_t node) {
  const size_t mapping = node + size_t(number(t, node + 12, 4));
  EXPECT_EQ(number(t, node + 8, 4), 1u);
  EXPECT_EQ(number(t, mapping, 4), 0u);
  EXPECT_EQ(number(t, mapping + 4, 4), 0xffffu);  // number of IDs - 1
  EXPECT_EQ(number(t, mapping + 8, 4), 0u);
  return number(t, mapping + 12, 4);
}

TEST(Acpi, IortLeadsFromTheRootComplexThroughTheSmmuToTheIts) {
  constexpr u8 kIts = 0, kRoot = 2, kSmmu = 4;
  BoardRecord b = board(3, 1);
  Bytes t = Firmware{b}.table("IORT");
  auto nodes = iort_nodes(t);
  EXPECT_EQ(nodes.size(), 2u);
  EXPECT_EQ(mapped_to(t, nodes.at(kRoot)), nodes.at(kIts));

  b.gates = {gate(GateKind::Smmuv3)};
  t = Firmware{b}.table("IORT");
  nodes = iort_nodes(t);
  ASSERT_EQ(nodes.size(), 3u);
  const size_t smmu = nodes.at(kSmmu);
  EXPECT_EQ(mapped_to(t, nodes.at(kRoot)), smmu);
  EXPECT_EQ(mapped_to(t, smmu), nodes.at(kIts));
  EXPECT_EQ(number(t, smmu + 16, 8), 0x09050000u);
  EXPECT_EQ(number(t, smmu + 24, 4) & 1, 1u);  // coherent
  const u64 wires[] = {106, 107, 109, 108};    // event, PRI, GERR, sync
  for (unsigned i = 0; i < 4; i++) EXPECT_EQ(number(t, smmu + 44 + 4 * i, 4), wires[i]);

  b.gic.its.reset();
  t = Firmware{b}.table("IORT");
  nodes = iort_nodes(t);
  EXPECT_EQ(nodes.size(), 2u);
  EXPECT_EQ(mapped_to(t, nodes.at(kRoot)), nodes.at(kSmmu));
  EXPECT_TRUE(Firmware{board(2, 1)}.table("IORT").empty());
}

// A gate that is not next to PCIe is firmware's own.
TEST(Acpi, OnlyTheOutermostGateOfPcieIsShown) {
  BoardRecord b = board(3, 1);
  b.gates = {gate(GateKind::Smmuv3), gate(GateKind::Smmuv3), gate(GateKind::TzMpc)};
  b.gates[0].outermost = false;
  b.gates[1].path = GatePath::Pe;
  EXPECT_EQ(iort_nodes(Firmware{b}.table("IORT")).size(), 2u);
}

TEST(Acpi, ViotListsEveryFunctionButTheIommuItself) {
  BoardRecord b = board(3, 1);
  b.gates = {gate(GateKind::VirtioIommu)};
  b.gates[0].devfn = u8(8);
  Bytes t = Firmware{b}.table("VIOT");
  ASSERT_EQ(t.size(), 36u + 12 + 16 + 2 * 24);
  EXPECT_EQ(number(t, 36, 2), 3u);
  EXPECT_EQ(number(t, 38, 2), 48u);
  EXPECT_EQ(t[48], 3);
  EXPECT_EQ(number(t, 54, 2), 8u);
  const u64 ranges[2][2] = {{0, 7}, {9, 0xffff}};
  for (unsigned i = 0; i < 2; i++) {
    const size_t at = 64 + 24 * i;
    EXPECT_EQ(t[at], 1);
    EXPECT_EQ(number(t, at + 4, 4), ranges[i][0]);
    EXPECT_EQ(number(t, at + 12, 2), ranges[i][0]);
    EXPECT_EQ(number(t, at + 14, 2), ranges[i][1]);
    EXPECT_EQ(number(t, at + 16, 2), 48u);
  }
}

TEST(Acpi, WhatTheBoardLacksHasNoTable) {
  BoardRecord b = board(3, 1);
  b.pcie.reset();
  b.parts.clear();
  Firmware fw{b};
  for (const char* t : {"MCFG", "SPCR", "DBG2", "IORT", "VIOT"}) EXPECT_TRUE(fw.table(t).empty()) << t;
}

TEST(Acpi, PartsOfTheSecureStateAreNotInTheNamespace) {
  BoardRecord b = board(3, 1);
  b.parts[0].secure_only = true;
  Bytes dsdt = Firmware{b}.table("DSDT");
  std::string text(dsdt.begin(), dsdt.end());
  EXPECT_EQ(text.find("ARMH0011"), std::string::npos);
  EXPECT_NE(text.find("LNRO0005"), std::string::npos);
  EXPECT_TRUE(Firmware{b}.table("SPCR").empty());
}

// --- SMBIOS ---

TEST(Smbios, StructuresAreWellFormedAndTellTheMemory) {
  BoardRecord b = board(3, 4);
  b.ram.size = u64{3} << 30;
  SmbiosFiles files = build_smbios(b);
  ASSERT_EQ(files.anchor.size(), 24u);
  EXPECT_EQ(std::string(files.anchor.begin(), files.anchor.begin() + 5), "_SM3_");
  EXPECT_EQ(sum(files.anchor, 0, 24), 0);
  EXPECT_EQ(number(files.anchor, 12, 4), files.tables.size());
  const std::map<u8, size_t> lengths{{1, 27},  {3, 22},  {4, 48},  {16, 23},
                                     {17, 40}, {19, 31}, {32, 11}, {127, 4}};
  std::map<u8, Bytes> found;
  size_t at = 0;
  while (at < files.tables.size()) {
    const u8 type = files.tables[at], length = files.tables.at(at + 1);
    ASSERT_EQ(length, lengths.at(type)) << unsigned(type);
    found[type] = Bytes(files.tables.begin() + long(at), files.tables.begin() + long(at + length));
    at += length;
    while (files.tables.at(at) || files.tables.at(at + 1)) at++;
    at += 2;
  }
  EXPECT_EQ(at, files.tables.size());
  EXPECT_EQ(found.size(), lengths.size());
  EXPECT_EQ(number(found.at(17), 12, 2), 3u * 1024);         // MiB
  EXPECT_EQ(number(found.at(19), 4, 4), 0x40000000u >> 10);  // KiB
  EXPECT_EQ(number(found.at(19), 8, 4), (u64{0x40000000} + b.ram.size - 1) >> 10);
  EXPECT_EQ(found.at(4)[0x23], 4);  // cores
}

}  // namespace
}  // namespace sluice
