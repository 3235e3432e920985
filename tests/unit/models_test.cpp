// The identification of the CPU models against the Technical Reference Manuals and the Arm ARM.
#include "cpu/models.h"

#include <gtest/gtest.h>

#include "base/bits.h"

namespace sluice::cpu {
namespace {

u64 field(u64 reg, unsigned lsb) { return extract(reg, lsb, 4); }
IdRegisters id(const char* name) { return id_registers(*find_cpu_model(name), true); }

TEST(Models, MidrOfTheTechnicalReferenceManuals) {
  EXPECT_EQ(find_cpu_model("cortex-a53")->midr, 0x410fd034u);
  EXPECT_EQ(find_cpu_model("cortex-a57")->midr, 0x411fd070u);
  EXPECT_EQ(find_cpu_model("cortex-a72")->midr, 0x410fd083u);
  EXPECT_EQ(find_cpu_model("cortex-a76")->midr, 0x414fd0b1u);
  EXPECT_EQ(find_cpu_model("cortex-a9"), nullptr);
}

TEST(Models, FirstGenerationInstructionSet) {
  for (const char* name : {"cortex-a53", "cortex-a57", "cortex-a72"}) {
    EXPECT_EQ(id(name).isar0, 0x00011120u) << name;  // AES+PMULL, SHA1, SHA256, CRC32
    EXPECT_EQ(id(name).isar1, 0u) << name;
    EXPECT_EQ(id(name).dfr0, 0x10305106u) << name;  // 6 breakpoints (2 context-aware), 4 watchpoints, PMUv3
    EXPECT_EQ(id(name).mmfr1, 0u) << name;
  }
}

TEST(Models, CortexA76InstructionSet) {
  EXPECT_EQ(id("cortex-a76").isar0, 0x0000100010211120u);
  EXPECT_EQ(id("cortex-a76").isar1, 0x0000000000100001u);
  EXPECT_EQ(id("cortex-a76").dfr0, 0x0000000010305408u);
  EXPECT_EQ(id("cortex-a76").pfr1, 0x10u);
}

TEST(Models, PhysicalAddressSizes) {
  EXPECT_EQ(field(id("cortex-a53").mmfr0, 0), 2u);  // 40 bits
  EXPECT_EQ(field(id("cortex-a57").mmfr0, 0), 4u);  // 44 bits
  EXPECT_EQ(field(id("cortex-a72").mmfr0, 0), 4u);
  EXPECT_EQ(field(id("cortex-a76").mmfr0, 0), 2u);
  EXPECT_EQ(field(id("max").mmfr0, 0), 5u);  // 48 bits
}

TEST(Models, GranulesOfTheA53AreFourAndSixtyFourKilobytes) {
  EXPECT_EQ(field(id("cortex-a53").mmfr0, 20), 0u);  // TGran16: 0 = no
  EXPECT_EQ(field(id("cortex-a53").mmfr0, 24), 0u);  // TGran64: 0 = yes
  EXPECT_EQ(field(id("cortex-a53").mmfr0, 28), 0u);  // TGran4: 0 = yes
  EXPECT_EQ(field(id("cortex-a76").mmfr0, 20), 1u);
}

TEST(Models, ExceptionLevelsThatAreNotThereAreNotAdvertised) {
  for (const CpuModel& m : cpu_models()) {
    u64 pfr0 = id_registers(m, true).pfr0;
    EXPECT_EQ(field(pfr0, 0), 1u) << m.name;  // EL0 and EL1: AArch64 only
    EXPECT_EQ(field(pfr0, 4), 1u) << m.name;
    EXPECT_EQ(field(pfr0, 8), 0u) << m.name;   // EL2
    EXPECT_EQ(field(pfr0, 12), 0u) << m.name;  // EL3
    EXPECT_EQ(field(pfr0, 28), 0u) << m.name;  // RAS
    EXPECT_EQ(field(pfr0, 32), 0u) << m.name;  // SVE
  }
}

TEST(Models, GicFieldFollowsTheMachine) {
  EXPECT_EQ(field(id_registers(*find_cpu_model("max"), true).pfr0, 24), 1u);
  EXPECT_EQ(field(id_registers(*find_cpu_model("max"), false).pfr0, 24), 0u);
}

TEST(Models, CacheGeometryOfTheA53) {
  u64 l1d = find_cpu_model("cortex-a53")->ccsidr[0];
  unsigned line = 16u << extract(l1d, 0, 3), ways = unsigned(extract(l1d, 3, 10)) + 1,
           sets = unsigned(extract(l1d, 13, 15)) + 1;
  EXPECT_EQ(line * ways * sets, 32u * 1024);
  EXPECT_EQ(line, 64u);
}

TEST(Models, SwitchingAPropertyOffClearsItsField) {
  Result<CpuModel> model = parse_cpu_option("max,pauth=off,lse=off,sve=off");
  ASSERT_TRUE(model);
  IdRegisters r = id_registers(*model, true);
  EXPECT_EQ(field(r.isar1, 4), 0u);   // APA
  EXPECT_EQ(field(r.isar1, 24), 0u);  // GPA
  EXPECT_EQ(field(r.isar0, 20), 0u);  // Atomic
  EXPECT_EQ(field(r.isar1, 8), 0u);   // API
  EXPECT_EQ(field(r.isar1, 28), 0u);  // GPI
  EXPECT_EQ(field(id("max").isar0, 20), 2u);
}

TEST(Models, OneAlgorithmForPointerAuthenticationIsAdvertised) {
  constexpr unsigned kApa = 4, kApi = 8, kGpa = 24, kGpi = 28;
  for (const char* own : {"max", "max,pauth-impdef=on", "max,pauth-qarma5=off"}) {
    u64 isar1 = id_registers(*parse_cpu_option(own), true).isar1;
    EXPECT_EQ(field(isar1, kApa) | field(isar1, kGpa), 0u) << own;
    EXPECT_EQ(field(isar1, kApi), 1u) << own;
    EXPECT_EQ(field(isar1, kGpi), 1u) << own;
  }
  for (const char* qarma : {"max,pauth-impdef=off", "max,pauth-qarma5=on"}) {
    u64 isar1 = id_registers(*parse_cpu_option(qarma), true).isar1;
    EXPECT_EQ(field(isar1, kApi) | field(isar1, kGpi), 0u) << qarma;
    EXPECT_EQ(field(isar1, kApa), 1u) << qarma;
    EXPECT_EQ(field(isar1, kGpa), 1u) << qarma;
  }
}

TEST(Models, PmuOff) {
  EXPECT_EQ(field(id_registers(*parse_cpu_option("cortex-a57,pmu=off"), true).dfr0, 8), 0u);
}

TEST(Models, BadOptionsNameTheWord) {
  EXPECT_NE(parse_cpu_option("cortex-a99").error().find("cortex-a99"), std::string::npos);
  EXPECT_NE(parse_cpu_option("max,frob=on").error().find("frob"), std::string::npos);
  EXPECT_NE(parse_cpu_option("max,pauth=perhaps").error().find("perhaps"), std::string::npos);
  EXPECT_FALSE(parse_cpu_option("cortex-a53,pauth=on"));
  EXPECT_FALSE(parse_cpu_option("max,sve=on"));
}

TEST(Models, EightPesToACluster) {
  EXPECT_EQ(default_affinity(0), 0u);
  EXPECT_EQ(default_affinity(7), 7u);
  EXPECT_EQ(default_affinity(8), 0x100u);
}

}  // namespace
}  // namespace sluice::cpu
