// machines/smbios.cpp: see smbios.h. Structures and fields in the order of DSP0134, chapter 7.
#include "machines/smbios.h"

#include <algorithm>
#include <string>

#include "machines/acpi/tables.h"

namespace sluice {
namespace {

constexpr u16 kProcessor = 0x400, kMemoryArray = 0x1000, kMemory = 0x1100;
constexpr u16 kNoError = 0xfffe;

class Builder {
 public:
  // The formatted area behind the header, then strings, which fields name from 1 on.
  void add(u8 type, u16 handle, const TableBytes& fields, const std::vector<std::string>& strings = {}) {
    tables_.number(type, 1).number(4 + fields.size(), 1).number(handle, 2).append(fields.bytes());
    for (const std::string& s : strings) tables_.text(s, s.size() + 1, '\0');
    tables_.zeros(strings.empty() ? 2 : 1);
  }
  const TableBytes& tables() const { return tables_; }

 private:
  TableBytes tables_;
};

void add_memory(Builder& to, PhysRange ram) {
  const u64 kib = ram.size >> 10, mib = ram.size >> 20, first = ram.first.value >> 10;
  constexpr u64 kExtended32 = 0x8000'0000, kExtended16 = 0x7fff;
  TableBytes array;
  array.number(1, 1).number(3, 1).number(3, 1);  // other, system memory, no ECC
  array.number(std::min(kib, kExtended32), 4).number(kNoError, 2).number(1, 2);
  array.number(kib < kExtended32 ? 0 : ram.size, 8);
  to.add(16, kMemoryArray, array);
  TableBytes device;
  device.number(kMemoryArray, 2).number(kNoError, 2).number(0xffff, 2).number(0xffff, 2);
  device.number(std::min(mib, kExtended16), 2).number(9, 1).number(0, 1).number(1, 1).number(0, 1);  // DIMM
  device.number(7, 1).number(2, 2).number(0, 2).number(2, 1).zeros(4);                               // RAM
  device.number(mib < kExtended16 ? 0 : mib, 4).number(0, 2).zeros(6);
  to.add(17, kMemory, device, {"DIMM 0", "Sluice"});
  TableBytes mapped;
  const bool wide = first + kib > 0xffff'ffff;
  mapped.number(wide ? 0xffff'ffff : first, 4).number(wide ? 0xffff'ffff : first + kib - 1, 4);
  mapped.number(kMemoryArray, 2).number(1, 1);
  mapped.number(wide ? ram.first.value : 0, 8).number(wide ? ram.first.value + ram.size - 1 : 0, 8);
  to.add(19, 0x1300, mapped);
}

}  // namespace

SmbiosFiles build_smbios(const BoardRecord& board) {
  Builder to;
  constexpr u8 kPowerSwitch = 6;
  to.add(1, 0x100,
         TableBytes{}.number(1, 1).number(2, 1).number(3, 1).zeros(1 + 16).number(kPowerSwitch, 1).zeros(2),
         {"Sluice", "virt", "1.0"});
  // Type "other"; its states are "safe", security "unknown".
  to.add(3, 0x300,
         TableBytes{}
             .number(1, 1)
             .number(1, 1)
             .zeros(3)
             .number(3, 1)
             .number(3, 1)
             .number(3, 1)
             .number(2, 1)
             .zeros(4 + 5),
         {"Sluice"});
  const size_t pes = board.pes.size();
  TableBytes processor;
  processor.number(1, 1).number(3, 1).number(0xfe, 1).number(2, 1).zeros(8).number(3, 1).zeros(1 + 3 * 2);
  processor.number(0x41, 1).number(1, 1);  // populated and enabled
  for (unsigned cache = 0; cache < 3; cache++) processor.number(0xffff, 2);
  processor.zeros(3).number(pes, 1).number(pes, 1).number(pes, 1).number(1 << 2, 2);  // 64-bit capable
  processor.number(0x101, 2).number(pes, 2).number(pes, 2).number(pes, 2);            // ARMv8
  to.add(4, kProcessor, processor, {"CPU 0", "Sluice", board.pes.empty() ? "none" : board.pes[0].compatible});
  add_memory(to, board.ram);
  to.add(32, 0x2000, TableBytes{}.zeros(6 + 1));
  to.add(127, 0x7f00, {});

  TableBytes anchor;
  anchor.text("_SM3_", 5)
      .number(0, 1)
      .number(24, 1)
      .number(3, 1)
      .number(0, 1)
      .number(0, 1)
      .number(1, 1)
      .zeros(1);
  anchor.number(to.tables().size(), 4).number(0, 8);
  u8 sum = 0;
  for (u8 b : anchor.bytes()) sum = u8(sum + b);
  anchor.set(5, u8(-sum), 1);
  return {anchor.bytes(), to.tables().bytes()};
}

}  // namespace sluice
