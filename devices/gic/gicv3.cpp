// devices/gic/gicv3.cpp: Generic Interrupt Controller v3, Arm IHI 0069H: wiring and `info irq`.
#include "devices/gic/gicv3.h"

#include <cstdio>

#include "devices/gic/gicv3_frames.h"
#include "devices/gic/guest_tables.h"

namespace sluice {

struct Gicv3::Parts {
  explicit Parts(const Config& config)
      : core(config), distributor(core), redistributors(core, make_lpis(config)) {
    cpu_interfaces.reserve(core.pes.size());
    for (unsigned n = 0; n < core.pes.size(); n++) cpu_interfaces.emplace_back(core, n);
  }
  Gicv3Lpis* make_lpis(const Config& config) {
    if (!config.lpi_memory) return nullptr;
    tables = std::make_unique<GuestTables>(*config.lpi_memory);
    lpis = std::make_unique<Gicv3Lpis>(core, *tables);
    return lpis.get();
  }
  Gicv3Core core;
  std::unique_ptr<GuestTables> tables;
  std::unique_ptr<Gicv3Lpis> lpis;
  Gicv3Distributor distributor;
  Gicv3Redistributors redistributors;
  std::vector<Gicv3CpuInterface> cpu_interfaces;
};

Gicv3::Gicv3(Config config) : parts_(std::make_unique<Parts>(config)) {}
Gicv3::~Gicv3() = default;

IrqLine Gicv3::spi(unsigned n) {
  Gicv3Core* core = &parts_->core;
  if (n >= core->lines - 32) return {};
  return IrqLine([core, intid = n + 32](bool high) {
    std::lock_guard held{core->mutex};
    core->drive_spi(intid, high);
  });
}

IrqLine Gicv3::ppi(unsigned pe, unsigned intid) {
  Gicv3Core* core = &parts_->core;
  if (pe >= core->pes.size() || intid < 16 || intid > 31) return {};
  return IrqLine([core, pe = u16(pe), intid = u16(intid)](bool high) {
    std::lock_guard held{core->mutex};
    core->drive_own(pe, intid, high);
  });
}

void Gicv3::connect(unsigned pe, IrqLine irq, IrqLine fiq) {
  std::lock_guard held{parts_->core.mutex};
  Gicv3Core::Pe& p = parts_->core.pes.at(pe);
  p.irq = std::move(irq);
  p.fiq = std::move(fiq);
}

MmioDevice& Gicv3::distributor() { return parts_->distributor; }
unsigned Gicv3::pes() const { return unsigned(parts_->core.pes.size()); }
Gicv3Lpis* Gicv3::lpis() { return parts_->lpis.get(); }
MmioDevice& Gicv3::redistributors() { return parts_->redistributors; }
SysregPort& Gicv3::cpu_interface(unsigned pe) { return parts_->cpu_interfaces.at(pe); }

void Gicv3::reset() {
  std::lock_guard held{parts_->core.mutex};
  parts_->core.reset();
}

void Gicv3::reset_cpu_interface(unsigned pe) {
  std::lock_guard held{parts_->core.mutex};
  parts_->core.reset_cpu_interface(parts_->core.pes.at(pe));
}

void Gicv3::reset_for_non_secure(bool yes) {
  std::lock_guard held{parts_->core.mutex};
  parts_->core.reset_non_secure = yes;
}

std::string Gicv3::describe() {
  Gicv3Core& core = parts_->core;
  std::lock_guard held{core.mutex};
  std::string text;
  char line[128];
  bool security = core.security;
  auto name_of = [security](IrqGroup g) {
    return g == kGroup0 ? "0" : g == kGroup1S ? "1S" : security ? "1NS" : "1";
  };
  auto print_word = [&](const IrqWord& w, unsigned base, auto where) {
    for_each_bit((w.pending() | w.active) & core.present[base / 32], [&](unsigned n) {
      std::snprintf(line, sizeof line, "  INTID %4u  %s%s%s Group %s priority 0x%02x  PE %d\n", base + n,
                    bit(w.pending(), n) ? "pending " : "", bit(w.active, n) ? "active " : "",
                    bit(w.enabled, n) ? "enabled" : "disabled", name_of(w.group_of(n)), w.priority[n],
                    where(n));
      text += line;
    });
  };
  for (unsigned n = 0; n < core.pes.size(); n++) {
    const Gicv3Core::Pe& pe = core.pes[n];
    std::snprintf(line, sizeof line, "PE %u: PMR 0x%02x running 0x%02x groups %d%d irq %d fiq %d\n", n,
                  pe.pmr, std::min<u32>(core.running_priority(pe), 0xff), int(pe.group_enabled[0]),
                  int(pe.group_enabled[1]), int(pe.irq_high), int(pe.fiq_high));
    text += line;
    for (const auto& [intid, configuration] : pe.lpis.pending) {
      std::snprintf(line, sizeof line, "  LPI %5u  pending %s priority 0x%02x\n", intid,
                    configuration & 1 ? "enabled" : "disabled", configuration & 0xfc);
      text += line;
    }
    print_word(pe.own, 0, [&](unsigned) { return int(n); });
  }
  for (unsigned w = 1; w < core.words; w++)
    print_word(core.spi[w], w * 32, [&](unsigned n) {
      u16 pe = core.target[w * 32 + n];
      return pe == Gicv3Core::kNoPe ? -1 : int(pe);
    });
  return text;
}

}  // namespace sluice
