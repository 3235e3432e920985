// cpu/sysreg/rows.h: how the files of this folder spell rows.
#pragma once
#include "cpu/pe.h"
#include "cpu/sysreg/table.h"

namespace sluice::cpu::sysreg {

using Read = u64 (*)(Pe&, const Row&);
using Write = void (*)(Pe&, const Row&, u64);

// Kept in the SysregFile, read and written without side effects.
constexpr Row stored(std::string_view name, SysregId id, Rights rights, Slot slot, u64 writable = ~u64{0},
                     u64 reset = 0) {
  return {.name = name,
          .id = id,
          .rights = rights,
          .storage = Storage::Stored,
          .offset = offset_of_sysreg(slot),
          .reset = reset,
          .writable = writable};
}
// Kept in a 64-bit member of PeState.
constexpr Row in_state(std::string_view name, SysregId id, Rights rights, size_t offset) {
  return {.name = name, .id = id, .rights = rights, .storage = Storage::Stored, .offset = u32(offset)};
}
// Stored, with something to do after a write.
constexpr Row stored_then(std::string_view name, SysregId id, Rights rights, Slot slot, u64 writable,
                          u64 reset, Write write) {
  Row row = stored(name, id, rights, slot, writable, reset);
  row.write = write;
  row.ends_block = true;
  return row;
}
constexpr Row constant(std::string_view name, SysregId id, Rights rights, Read read) {
  return {.name = name, .id = id, .rights = rights, .storage = Storage::Constant, .read = read};
}
constexpr Row hook(std::string_view name, SysregId id, Rights rights, Read read, Write write) {
  return {.name = name, .id = id, .rights = rights, .storage = Storage::Hook, .read = read, .write = write};
}
constexpr Row command(std::string_view name, SysregId id, Rights rights, Write write) {
  return {.name = name, .id = id, .rights = rights, .storage = Storage::Command, .write = write};
}
constexpr Row with(Row row, Trap trap) { return row.trap = trap, row; }
constexpr Row with(Row row, Feature feature) { return row.feature = feature, row; }
constexpr Row numbered(Row row, unsigned n) { return row.index = u8(n), row; }
constexpr Row ending_block(Row row) { return row.ends_block = true, row; }
constexpr Row only_if(Row row, bool (*present)(const CpuModel&, const Row&)) {
  return row.present = present, row;
}

// Reads as zero, ignores writes.
constexpr u64 read_zero(Pe&, const Row&) { return 0; }
constexpr void ignore_write(Pe&, const Row&, u64) {}

inline u64& location(Pe& pe, const Row& row) {
  return *reinterpret_cast<u64*>(reinterpret_cast<char*>(&pe.state()) + row.offset);
}
// The plain store of a Stored row: bits outside `writable` keep their value.
inline void store(Pe& pe, const Row& row, u64 value) {
  u64& to = location(pe, row);
  to = (to & ~row.writable) | (value & row.writable);
}

}  // namespace sluice::cpu::sysreg
