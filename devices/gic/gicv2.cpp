// devices/gic/gicv2.cpp: Generic Interrupt Controller v2, Arm IHI 0048B.b: wiring and `info irq`.
#include "devices/gic/gicv2.h"

#include <cstdio>

#include "devices/gic/gicv2_frames.h"

namespace sluice {

struct Gicv2::Parts {
  explicit Parts(Config config) : core(config), distributor(core), cpu_interface(core) {}
  Gicv2Core core;
  Gicv2Distributor distributor;
  Gicv2CpuInterface cpu_interface;
};

Gicv2::Gicv2(Config config) : parts_(std::make_unique<Parts>(config)) {}
Gicv2::~Gicv2() = default;

IrqLine Gicv2::spi(unsigned n) {
  Gicv2Core* core = &parts_->core;
  if (n >= core->lines - 32) return {};
  return IrqLine([core, intid = n + 32](bool high) {
    std::lock_guard held{core->mutex};
    core->drive_spi(intid, high);
  });
}

IrqLine Gicv2::ppi(unsigned pe, unsigned intid) {
  Gicv2Core* core = &parts_->core;
  if (pe >= core->pes.size() || intid < 16 || intid > 31) return {};
  return IrqLine([core, pe = u16(pe), intid = u16(intid)](bool high) {
    std::lock_guard held{core->mutex};
    core->drive_own(pe, intid, high);
  });
}

void Gicv2::connect(unsigned pe, IrqLine irq, IrqLine fiq) {
  std::lock_guard held{parts_->core.mutex};
  Gicv2Core::Pe& p = parts_->core.pes.at(pe);
  p.irq = std::move(irq);
  p.fiq = std::move(fiq);
}

MmioDevice& Gicv2::distributor() { return parts_->distributor; }
MmioDevice& Gicv2::cpu_interface() { return parts_->cpu_interface; }

void Gicv2::reset() {
  std::lock_guard held{parts_->core.mutex};
  parts_->core.reset();
}

void Gicv2::reset_cpu_interface(unsigned pe) {
  std::lock_guard held{parts_->core.mutex};
  parts_->core.reset_cpu_interface(parts_->core.pes.at(pe));
}

void Gicv2::reset_for_non_secure(bool yes) {
  std::lock_guard held{parts_->core.mutex};
  parts_->core.reset_non_secure = yes;
}

std::string Gicv2::describe() {
  Gicv2Core& core = parts_->core;
  std::lock_guard held{core.mutex};
  std::string text;
  char line[128];
  auto print_word = [&](const IrqWord& w, unsigned base, auto targets) {
    for_each_bit((w.pending() | w.active) & core.present[base / 32], [&](unsigned n) {
      std::snprintf(line, sizeof line, "  INTID %4u  %s%s%s Group %d priority 0x%02x  targets 0x%02x\n",
                    base + n, bit(w.pending(), n) ? "pending " : "", bit(w.active, n) ? "active " : "",
                    bit(w.enabled, n) ? "enabled" : "disabled", int(bit(w.group, n)), w.priority[n],
                    targets(n));
      text += line;
    });
  };
  for (unsigned n = 0; n < core.pes.size(); n++) {
    const Gicv2Core::Pe& pe = core.pes[n];
    std::snprintf(line, sizeof line, "PE %u: GICC_CTLR 0x%03x PMR 0x%02x running 0x%02x irq %d fiq %d\n", n,
                  pe.ctlr, pe.pmr, std::min<u32>(core.running_priority(pe), 0xff), int(pe.irq_high),
                  int(pe.fiq_high));
    text += line;
    print_word(pe.own, 0, [&](unsigned) { return 1u << n; });
  }
  for (unsigned w = 1; w < core.words; w++)
    print_word(core.spi[w], w * 32, [&](unsigned n) { return unsigned(core.target[w * 32 + n]); });
  return text;
}

}  // namespace sluice
