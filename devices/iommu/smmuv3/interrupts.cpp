// devices/iommu/smmuv3/interrupts.cpp: IHI 0070 3.18 "Interrupts and notifications", 7.5 "Global error
// recording".
#include "base/trace.h"
#include "devices/iommu/smmuv3/smmuv3.h"

namespace sluice {

using namespace smmuv3;

static Trace<u32, u32> trace_gerror{"smmuv3_write_gerror", "toggled={:#x} gerror={:#x}"};
static Trace<const char*, u64> trace_irq{"smmuv3_trigger_irq", "irq={} msi={:#x}"};

// An interrupt by the error that its MSI may lead to.
static const char* irq_name(u32 abort_error) {
  return abort_error == kMsiEventqAbtErr ? "eventq" : abort_error == kMsiCmdqAbtErr ? "cmd_sync" : "gerror";
}

// With the lock held. An error that is active already is not raised again.
bool Smmuv3::activate_gerror(u32 error) {
  u32 raised = error & ~(gerror_ ^ gerrorn_);
  gerror_ ^= raised;
  if (raised) trace_gerror(raised, gerror_);
  return (raised & ~kMsiGerrorAbtErr) && (irq_ctrl_ & kGerrorIrqEn);
}

void Smmuv3::signal_gerror() {
  u64 address;
  u32 data;
  {
    auto held = lock();
    address = u64{gerror_cfg_[1]} << 32 | gerror_cfg_[0];
    data = gerror_cfg_[2];
  }
  pulse(wires_.gerror, address, data, kMsiGerrorAbtErr);
}

// Without the lock: the MSI may go to any device. An MSI address of 0 means none.
void Smmuv3::pulse(const IrqLine& line, u64 msi_address, u32 msi_data, u32 abort_error) {
  trace_irq(irq_name(abort_error), msi_address);
  line(true);
  line(false);
  msi_address &= ones(config_.oas_bits);
  if (!config_.msi || !msi_address) return;
  {
    auto held = lock();
    msis_in_flight_++;
  }
  MemTxAttrs attrs = port_.attrs();
  attrs.privileged = true;
  bool ok = port_.with_attrs(attrs).store(msi_address, 4, msi_data).is_ok();
  bool signal = false;
  {
    auto held = lock();
    msis_in_flight_--;
    if (!ok) signal = activate_gerror(abort_error);
    update_acknowledge();
  }
  if (signal) signal_gerror();
}

}  // namespace sluice
