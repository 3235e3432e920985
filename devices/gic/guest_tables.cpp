// devices/gic/guest_tables.cpp: see guest_tables.h.
#include "devices/gic/guest_tables.h"

#include <atomic>

namespace sluice {

template <class T>
bool GuestTables::load(u64 address, T& value) const {
  EpochDomain::Guard guard(port_.space().hub().epochs());
  Translation t =
      translate({port_.space(), address, sizeof value, Access::Read, port_.attrs(), Intent::Access});
  value = 0;
  if (t.target == Translation::Target::RazWi) return true;
  if (!t.is_ok() || !t.host || t.length < sizeof value) return false;
  value = std::atomic_ref(*reinterpret_cast<T*>(t.host)).load(std::memory_order_acquire);
  return true;
}

bool GuestTables::load64(u64 address, u64& value) const { return load(address, value); }
bool GuestTables::load8(u64 address, u8& value) const { return load(address, value); }

bool GuestTables::store64(u64 address, u64 value) const {
  EpochDomain::Guard guard(port_.space().hub().epochs());
  Translation t =
      translate({port_.space(), address, sizeof value, Access::Write, port_.attrs(), Intent::Access});
  if (t.target == Translation::Target::RazWi) return true;
  if (!t.is_ok() || t.target != Translation::Target::Ram || t.length < sizeof value) return false;
  std::atomic_ref(*reinterpret_cast<u64*>(t.host)).store(value, std::memory_order_release);
  t.ram->note_write(t.offset, sizeof value);
  return true;
}

}  // namespace sluice
