// devices/device_entry.h: how a timer, a worker or a host stream enters a device.
#pragma once
#include <functional>
#include <mutex>

#include "memory/attrs.h"

namespace sluice {

// Runs `body` on a device from outside any MMIO access as if it were one: under the device's lock, with the
// memory layer knowing it. So a transaction of the device that hits its own registers is refused instead of
// waiting for itself, and what it invalidates is waited for after the lock is given back. False, without
// running it, when the calling thread is inside this device already.
bool enter_device(std::mutex& lock, MemTxAttrs attrs, const std::function<void()>& body);

}  // namespace sluice
