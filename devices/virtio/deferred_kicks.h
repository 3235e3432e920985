// devices/virtio/deferred_kicks.h: queues whose budget was spent, served again a little later.
#pragma once
#include <memory>
#include <set>

#include "base/clock.h"
#include "devices/virtio/device.h"

namespace sluice {

// Part of a transport. Every member is called with the transport's lock held.
class DeferredKicks {
 public:
  // `device` is looked at whenever the time has come.
  DeferredKicks(Clock& clock, VirtioTransport& transport, const std::unique_ptr<VirtioDevice>& device)
      : clock_(clock), retry_(clock, [this, &transport, &device] {
          enter_device(transport, [this, &device] { run(device.get()); });
        }) {}

  void add(u16 queue) {
    queues_.insert(queue);
    retry_.arm(clock_.now_ns() + kRetryNs);
  }
  void clear() { queues_.clear(); }

 private:
  static constexpr u64 kRetryNs = 20'000;  // leaves PEs that wait for the lock a chance

  void run(VirtioDevice* device) {
    for (u16 n : std::exchange(queues_, {}))
      if (device) device->kick(n);
  }

  Clock& clock_;
  std::set<u16> queues_;
  Clock::Timer retry_;
};

}  // namespace sluice
