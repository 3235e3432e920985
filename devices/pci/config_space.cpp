// devices/pci/config_space.cpp: see config_space.h.
#include "devices/pci/config_space.h"

#include <cassert>

#include "base/bits.h"
#include "devices/pci/config_registers.h"

namespace sluice {

void ConfigSpace::put(Bytes& into, u16 offset, unsigned size, u32 value) {
  for (unsigned i = 0; i < size; i++) into[offset + i] = u8(value >> 8 * i);
}

void ConfigSpace::add(std::span<const ConfigField> fields, u16 base) {
  for (const ConfigField& f : fields) {
    u16 at = u16(base + f.offset);
    assert(at + f.size <= kSize && is_aligned(at, f.size));
    put(value_, at, f.size, f.reset);
    put(reset_, at, f.size, f.reset);
    put(writable_, at, f.size, f.writable);
    put(write_1_to_clear_, at, f.size, f.write_1_to_clear);
  }
}

u16 ConfigSpace::add_capability(u8 id, u16 size, std::span<const ConfigField> fields) {
  u16 at = next_capability_;
  next_capability_ = u16(align_up(at + size, 4));
  assert(next_capability_ <= kEndOfCapabilities);
  u32 next = get(pci::kCapabilitiesPointer, 1);
  const ConfigField header[] = {{"Capability ID", 0, 1, id}, {"Next Capability Pointer", 1, 1, next}};
  add(header, at);
  add(fields, at);
  const ConfigField link[] = {{"Capabilities Pointer", pci::kCapabilitiesPointer, 1, at}};
  add(link);
  u32 status = get(pci::kStatus, 2) | pci::kStatusCapabilitiesList;
  put(reset_, pci::kStatus, 2, status);
  put(value_, pci::kStatus, 2, status);
  return at;
}

u16 ConfigSpace::find_capability(u8 id) const {
  u16 at = u16(get(pci::kCapabilitiesPointer, 1));
  while (at && get(at, 1) != id) at = u16(get(u16(at + 1), 1));
  return at;
}

u32 ConfigSpace::get(u16 offset, unsigned size) const {
  u32 value = 0;
  for (unsigned i = 0; i < size; i++) value |= u32{value_[offset + i]} << 8 * i;
  return value;
}

void ConfigSpace::set(u16 offset, unsigned size, u32 value) { put(value_, offset, size, value); }

u32 ConfigSpace::read(u16 offset, unsigned size) const {
  for (const Hook& hook : read_hooks_)
    if (hook.touches(offset, size)) hook.run();
  return get(offset, size);
}

void ConfigSpace::write(u16 offset, unsigned size, u32 value) {
  for (unsigned i = 0; i < size; i++) {
    u16 at = u16(offset + i);
    u8 written = u8(value >> 8 * i);
    value_[at] = u8((value_[at] & ~writable_[at]) | (written & writable_[at]));
    value_[at] &= u8(~(written & write_1_to_clear_[at]));
  }
  for (const Hook& hook : write_hooks_)
    if (hook.touches(offset, size)) hook.run();
}

void ConfigSpace::before_read(u16 offset, u16 size, std::function<void()> hook) {
  read_hooks_.push_back({offset, size, std::move(hook)});
}

void ConfigSpace::after_write(u16 offset, u16 size, std::function<void()> hook) {
  write_hooks_.push_back({offset, size, std::move(hook)});
}

void ConfigSpace::reset() { value_ = reset_; }

}  // namespace sluice
