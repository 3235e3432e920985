// devices/iommu/smmuv3/event_queue.cpp: IHI 0070 7.2 "Event queue recorded faults and events", 7.4 "Event
// queue overflow".
#include <algorithm>
#include <thread>

#include "base/trace.h"
#include "devices/iommu/smmuv3/smmuv3.h"

namespace sluice {

using namespace smmuv3;

static Trace<const char*, u32, u64> trace_record{"smmuv3_record_event", "type={} sid={:#x} addr={:#x}"};

// With the lock held: where the next record goes. False: the queue is not writable, and the event is lost.
bool Smmuv3::event_slot(u64& address) {
  if (!(cr0_ & kEventqEn) || ((gerror_ ^ gerrorn_) & kEventqAbtErr)) return false;
  u64 base = u64{eventq_base_[1]} << 32 | eventq_base_[0];
  unsigned log2 = std::min(unsigned(extract(base, 0, 5)), config_.eventq_log2);
  u32 size = u32{1} << log2, mask = 2 * size - 1;
  // Inconsistent indexes count as full.
  if (((eventq_prod_ - eventq_cons_) & mask) >= size) {
    if (!((eventq_prod_ ^ eventq_cons_) & kOverflowFlag)) eventq_prod_ ^= kOverflowFlag;
    return false;
  }
  u64 start = base & ones(config_.oas_bits) & ~ones(5) & ~((u64{kEventBytes} << log2) - 1);
  address = start + u64{eventq_prod_ & (size - 1)} * kEventBytes;
  return true;
}

void Smmuv3::record(const EventRecord& event) {
  bool was_empty = false, signal_event = false, signal_error = false;
  u64 msi_address = 0;
  u32 msi_data = 0;
  // A gate on the way to the queue may raise an interrupt, and a device that answers it may fault here again.
  if (event_writer_ == std::this_thread::get_id()) {
    auto held = lock();
    counters_.events_lost++;
    return;
  }
  {
    std::lock_guard one_record{event_mutex_};
    u64 address = 0;
    u32 session;
    {
      auto held = lock();
      if (!event_slot(address)) {
        counters_.events_lost++;
        return;
      }
      event_busy_ = true;
      session = session_;
    }
    bool written;
    {
      EpochDomain::Guard guard(hub().epochs());
      event_writer_ = std::this_thread::get_id();
      written = TableMemory(port_, Intent::Access).write(address, event);
      event_writer_ = std::thread::id{};
    }
    auto held = lock();
    event_busy_ = false;
    if (session == session_) {
      if (written) {
        unsigned log2 = std::min(unsigned(eventq_base_[0] & 0x1f), config_.eventq_log2);
        u32 mask = u32(ones(log2 + 1));
        was_empty = ((eventq_prod_ ^ eventq_cons_) & mask) == 0;
        eventq_prod_ = (eventq_prod_ & kOverflowFlag) | ((eventq_prod_ + 1) & mask);
        counters_.events++;
        trace_record(name_of(EventType(event[0] & 0xff)), u32(event[0] >> 32), event[2]);
        signal_event = was_empty && (irq_ctrl_ & kEventqIrqEn);
        msi_address = u64{eventq_cfg_[1]} << 32 | eventq_cfg_[0];
        msi_data = eventq_cfg_[2];
      } else {
        counters_.events_lost++;
        signal_error = activate_gerror(kEventqAbtErr);
      }
    }
    update_acknowledge();
  }
  if (signal_event) pulse(wires_.eventq, msi_address, msi_data, kMsiEventqAbtErr);
  if (signal_error) signal_gerror();
}

}  // namespace sluice
