// devices/gic/gicv2m.cpp: see gicv2m.h. Section numbers are those of Appendix E.
#include "devices/gic/gicv2m.h"

#include "base/bits.h"
#include "base/log.h"
#include "devices/gic/gic_id.h"

namespace sluice {
namespace {

constexpr u64 kMsiTyper = 0x008, kMsiSetspiNs = 0x040, kMsiIidr = 0xfcc;

}  // namespace

MemTxResult Gicv2m::read(u64 offset, unsigned, u64& value, MemTxAttrs) {
  value = 0;
  if (offset == kMsiTyper)
    value = u64{first_intid_} << 16 | spis_.size();  // base SPI INTID [25:16], number of SPIs [9:0]
  else if (offset == kMsiIidr)
    value = kGicIidr;
  else if (offset != kMsiSetspiNs)
    guest_error("gicv2m: read of unknown register at offset 0x%x", unsigned(offset));
  return MemTxResult::ok();
}

// A message is an edge: the SPI becomes pending and stays so when the write is over.
MemTxResult Gicv2m::write(u64 offset, unsigned, u64 value, MemTxAttrs) {
  if (offset != kMsiSetspiNs) {
    guest_error("gicv2m: write to register at offset 0x%x", unsigned(offset));
    return MemTxResult::ok();
  }
  u64 intid = extract(value, 0, 10);
  if (intid < first_intid_ || intid - first_intid_ >= spis_.size()) {
    guest_error("gicv2m: message for INTID %u, which is not of this frame", unsigned(intid));
    return MemTxResult::ok();
  }
  const IrqLine& spi = spis_[intid - first_intid_];
  std::lock_guard lock{mutex_};
  spi(true);
  spi(false);
  return MemTxResult::ok();
}

}  // namespace sluice
