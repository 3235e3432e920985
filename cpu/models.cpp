#include "cpu/models.h"

#include <algorithm>
#include <array>

#include "base/bits.h"

namespace sluice::cpu {
namespace {

using enum Feature;

constexpr FeatureSet kCryptography{AES, PMULL, SHA1, SHA256};
constexpr FeatureSet kV80 = FeatureSet{CRC32}.with(kCryptography);
constexpr FeatureSet kA76 = kV80.with(
    {LSE, RDM, PAN, PAN2, HPDS, LOR, HAFDBS, UAO, DPB, FP16, DotProd, LRCPC, TTCNP, SSBS, CSV2, CSV3});
constexpr FeatureSet kMax = kA76.with({SHA3, SHA512, SM3, SM4, JSCVT, FCMA, PAuth, PACIMP, FlagM, FRINTTS,
                                       BTI, SB, SSBS2, DPB2, DIT, TTL, TLBIRANGE, TLBIOS, E0PD});

// CTR_EL0: 64-byte lines (DminLine, IminLine, CWG, ERG = 4), L1Ip in bits 15:14 (2 = VIPT, 3 = PIPT), bit 31
// RES1.
constexpr u64 kCtrVipt = 0x84448004, kCtrPipt = 0x8444c004, kCtrIdc = u64{1} << 28;
// CLIDR_EL1: separate L1 caches, unified L2, LoC 2. LoUU and LoUIS are 1 up to the A72.
constexpr u64 kClidrLouL2 = 0x0a200023, kClidrLouL1 = 0x82000023;

constexpr std::array<CpuModel, 5> kModels{{
    {.name = "cortex-a53",
     .dt_compatible = "arm,cortex-a53",
     .features = kV80,
     .midr = 0x410fd034,  // r0p4
     .ctr = kCtrVipt,
     .clidr = kClidrLouL2,
     .ccsidr = {0x700fe01a, 0x201fe00a, 0x707fe07a},
     .pa_bits = 40,
     .pmcr_id = 0x4103},
    {.name = "cortex-a57",
     .dt_compatible = "arm,cortex-a57",
     .features = kV80,
     .midr = 0x411fd070,  // r1p0
     .ctr = kCtrPipt,
     .clidr = kClidrLouL2,
     .ccsidr = {0x701fe00a, 0x201fe012, 0x70ffe07a},
     .pa_bits = 44,
     .pmcr_id = 0x4101},
    {.name = "cortex-a72",
     .dt_compatible = "arm,cortex-a72",
     .features = kV80,
     .midr = 0x410fd083,  // r0p3
     .ctr = kCtrPipt,
     .clidr = kClidrLouL2,
     .ccsidr = {0x701fe00a, 0x201fe012, 0x707fe07a},
     .pa_bits = 44,
     .pmcr_id = 0x4102},
    {.name = "cortex-a76",
     .dt_compatible = "arm,cortex-a76",
     .features = kA76,
     .midr = 0x414fd0b1,  // r4p1
     .ctr = kCtrPipt,
     .clidr = kClidrLouL1,
     .ccsidr = {0x701fe01a, 0x201fe01a, 0x707fe03a},
     .pa_bits = 40,
     .debug_version = 8,
     .pmu_version = 4,
     .granule_16k = true,
     .pmcr_id = 0x410b},
    // Implementer 0 is reserved for software use; architecture 0xf: look at the ID registers.
    {.name = "max",
     .dt_compatible = "arm,armv8",
     .features = kMax,
     .midr = 0x000f0530,
     .ctr = kCtrPipt | kCtrIdc,
     .clidr = kClidrLouL1,
     .ccsidr = {0x701fe01a, 0x201fe01a, 0x707fe03a},
     .pa_bits = 48,
     .debug_version = 8,
     .pmu_version = 4,
     .granule_16k = true},
}};

// What `-cpu model,NAME=on|off` may switch.
struct Property {
  std::string_view name;
  FeatureSet features;
  std::string_view help;
};
constexpr Property kProperties[] = {
    {"aes", kCryptography, "AES, PMULL, SHA1 and SHA256 instructions"},
    {"bti", {BTI}, "branch target identification"},
    {"crc32", {CRC32}, "CRC32 instructions"},
    {"dotprod", {DotProd}, "SDOT and UDOT"},
    {"e0pd", {E0PD}, "no EL0 access to half of the address map"},
    {"fp16", {FP16}, "half-precision arithmetic"},
    {"hafdbs", {HAFDBS}, "hardware Access flag and dirty state"},
    {"lse", {LSE}, "atomic instructions"},
    {"pan", {PAN, PAN2}, "Privileged Access Never"},
    {"pauth", {PAuth}, "pointer authentication"},
    {"pauth-impdef", {PACIMP}, "its own algorithm for the codes, several times as fast as QARMA5"},
    {"tlbi-range", {TLBIRANGE}, "TLBI by range"},
    {"ttl", {TTL}, "translation table level hint of TLBI"},
    {"uao", {UAO}, "User Access Override"},
};
// Features of other emulators that scripts switch off and that are never on here.
constexpr std::string_view kAlwaysOff[] = {"sve", "sme", "mte", "aarch32", "rme", "lpa2", "el2", "el3"};

Result<CpuModel> switch_property(CpuModel model, std::string_view name, bool on) {
  if (name == "pmu") {
    const CpuModel& original = *find_cpu_model(model.name);
    model.pmu_version = on ? original.pmu_version : 0;
    model.pmu_counters = on ? original.pmu_counters : 0;
    return model;
  }
  if (name == "aarch64" && on) return model;
  if (name == "pauth-qarma5") return switch_property(model, "pauth-impdef", !on);
  if (std::ranges::find(kAlwaysOff, name) != std::end(kAlwaysOff) && !on) return model;
  for (const Property& p : kProperties) {
    if (p.name != name) continue;
    const CpuModel& original = *find_cpu_model(model.name);
    for (unsigned f = 1; f < unsigned(Feature::kCount); f++) {
      if (!p.features.has(Feature(f))) continue;
      if (!on)
        model.features = model.features.without(Feature(f));
      else if (original.features.has(Feature(f)))
        model.features = model.features.with({Feature(f)});
      else
        return Failure{std::string(model.name) + " has no '" + std::string(name) + "'"};
    }
    // What builds on what has gone goes too.
    if (!model.features.has(TLBIOS)) model.features = model.features.without(TLBIRANGE);
    return model;
  }
  return Failure{"unknown CPU property '" + std::string(name) + "'"};
}

constexpr u64 parange_of(unsigned pa_bits) {
  constexpr unsigned sizes[] = {32, 36, 40, 42, 44, 48, 52};
  for (unsigned i = 0; i < std::size(sizes); i++)
    if (sizes[i] == pa_bits) return i;
  return 0;
}

// Fields of an ID register, one at a time.
class Fields {
 public:
  Fields& at(unsigned lsb, u64 value) {
    value_ = deposit(value_, lsb, 4, value);
    return *this;
  }
  u64 value() const { return value_; }

 private:
  u64 value_ = 0;
};

}  // namespace

std::span<const CpuModel> cpu_models() { return kModels; }

const CpuModel* find_cpu_model(std::string_view name) {
  for (const CpuModel& m : kModels)
    if (m.name == name) return &m;
  return nullptr;
}

Result<CpuModel> parse_cpu_option(std::string_view option) {
  size_t comma = option.find(',');
  std::string_view name = option.substr(0, comma);
  const CpuModel* base = find_cpu_model(name);
  if (!base) return Failure{"unknown CPU model '" + std::string(name) + "' (try -cpu help)"};
  CpuModel model = *base;
  while (comma != option.npos) {
    option.remove_prefix(comma + 1);
    comma = option.find(',');
    std::string_view word = option.substr(0, comma);
    size_t equals = word.find('=');
    std::string_view key = word.substr(0, equals),
                     value = equals == word.npos ? "on" : word.substr(equals + 1);
    bool on = value == "on" || value == "true" || value == "yes";
    if (!on && value != "off" && value != "false" && value != "no")
      return Failure{"CPU property '" + std::string(key) + "' is on or off, not '" + std::string(value) +
                     "'"};
    Result<CpuModel> switched = switch_property(model, key, on);
    if (!switched) return switched;
    model = *switched;
  }
  return model;
}

std::string cpu_help() {
  std::string text = "Available CPUs:\n";
  for (const CpuModel& m : kModels)
    text += "  " + std::string(m.name) + (m.name == "max" ? " (default)\n" : "\n");
  text += "Properties (,name=on|off):\n  pmu                performance monitors\n";
  for (const Property& p : kProperties) {
    std::string name(p.name);
    name.resize(19, ' ');
    text += "  " + name + std::string(p.help) + "\n";
  }
  return text;
}

IdRegisters id_registers(const CpuModel& model, bool gic_sysregs) {
  auto has = [&](Feature f) -> u64 { return model.features.has(f); };
  auto steps = [&](Feature one, Feature two) -> u64 { return has(two) ? 2 : has(one); };
  IdRegisters r{};
  // EL0, EL1 and, where the machine has it, EL3 in AArch64 only; EL2 not implemented.
  r.pfr0 = Fields()
               .at(0, 1)
               .at(4, 1)
               .at(12, has(EL3))
               .at(16, has(FP16))
               .at(20, has(FP16))
               .at(24, gic_sysregs)
               .at(48, has(DIT))
               .at(56, has(CSV2))
               .at(60, has(CSV3))
               .value();
  r.pfr1 = Fields().at(0, has(BTI)).at(4, steps(SSBS, SSBS2)).value();
  r.dfr0 = Fields()
               .at(0, model.debug_version)
               .at(8, model.pmu_version)
               .at(12, model.breakpoints - 1u)
               .at(20, model.watchpoints - 1u)
               .at(28, model.context_breakpoints - 1u)
               .value();
  r.isar0 = Fields()
                .at(4, steps(AES, PMULL))
                .at(8, has(SHA1))
                .at(12, steps(SHA256, SHA512))
                .at(16, has(CRC32))
                .at(20, has(LSE) * 2)
                .at(28, has(RDM))
                .at(32, has(SHA3))
                .at(36, has(SM3))
                .at(40, has(SM4))
                .at(44, has(DotProd))
                .at(48, has(FHM))
                .at(52, steps(FlagM, FlagM2))
                .at(56, steps(TLBIOS, TLBIRANGE))
                .at(60, has(RNG))
                .value();
  r.isar1 = Fields()
                .at(0, steps(DPB, DPB2))
                .at(4, has(PAuth) && !has(PACIMP))
                .at(8, has(PAuth) && has(PACIMP))
                .at(12, has(JSCVT))
                .at(16, has(FCMA))
                .at(20, steps(LRCPC, LRCPC2))
                .at(24, has(PAuth) && !has(PACIMP))
                .at(28, has(PAuth) && has(PACIMP))
                .at(32, has(FRINTTS))
                .at(36, has(SB))
                .at(40, has(SPECRES))
                .at(44, has(BF16))
                .at(52, has(I8MM))
                .value();
  // ASIDs of 16 bits, mixed endian. SNSMem: two Security states. 64 KiB and 4 KiB granules: 0 means yes.
  r.mmfr0 = Fields()
                .at(0, parange_of(model.pa_bits))
                .at(4, 2)
                .at(8, 1)
                .at(12, has(EL3))
                .at(20, model.granule_16k)
                .value();
  r.mmfr1 =
      Fields().at(0, has(HAFDBS) * 2).at(12, has(HPDS)).at(16, has(LOR)).at(20, steps(PAN, PAN2)).value();
  r.mmfr2 = Fields()
                .at(0, has(TTCNP))
                .at(4, has(UAO))
                .at(28, has(TTST))
                .at(32, has(LSE2))
                .at(48, has(TTL))
                .at(52, has(BBM) * 2)
                .at(60, has(E0PD))
                .value();
  return r;
}

}  // namespace sluice::cpu
