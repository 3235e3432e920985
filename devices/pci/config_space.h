// devices/pci/config_space.h: the configuration space of one function, as a table of fields and capabilities.
// PCI Express Base Specification 5.0, 7.2.2 (ECAM) and 7.5. Bytes that no row describes read as 0 and ignore
// writes. Not synchronised: the function's lock covers it.
#pragma once
#include <array>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace sluice {

// One register: 1, 2 or 4 bytes at a naturally aligned offset.
struct ConfigField {
  std::string_view name;  // as the specification spells it
  u16 offset;             // from the start of the capability, or of the space
  u8 size;
  u32 reset;
  u32 writable = 0;            // bits that a write changes
  u32 write_1_to_clear = 0;    // bits that a write of 1 clears
  std::string_view section{};  // of the specification named by the user of the row
};

class ConfigSpace {
 public:
  static constexpr u16 kSize = 4096;
  static constexpr u16 kFirstCapability = 0x40, kEndOfCapabilities = 0x100;

  void add(std::span<const ConfigField> fields, u16 base = 0);
  // A capability of `size` bytes with its ID, linked in front of the others. Returns where it is, a multiple
  // of 4. Its rows count from there. The board asks for no more than fits (checked by assert).
  u16 add_capability(u8 id, u16 size, std::span<const ConfigField> fields);
  // Where the capability with this ID is; 0 = there is none.
  u16 find_capability(u8 id) const;

  // Values without regard to masks: what hardware knows or does. size 1, 2 or 4.
  u32 get(u16 offset, unsigned size) const;
  void set(u16 offset, unsigned size, u32 value);

  // A read or write of software: 1, 2 or 4 bytes, naturally aligned, inside the space.
  u32 read(u16 offset, unsigned size) const;
  void write(u16 offset, unsigned size, u32 value);
  // `hook` runs before a read, or after a write, that touches any of these bytes.
  void before_read(u16 offset, u16 size, std::function<void()> hook);
  void after_write(u16 offset, u16 size, std::function<void()> hook);

  // Every field back to its reset value.
  void reset();

 private:
  struct Hook {
    u16 offset, size;
    std::function<void()> run;
    bool touches(u16 at, unsigned n) const { return at < offset + size && offset < at + n; }
  };
  using Bytes = std::array<u8, kSize>;
  static void put(Bytes& into, u16 offset, unsigned size, u32 value);

  Bytes value_{}, reset_{}, writable_{}, write_1_to_clear_{};
  u16 next_capability_ = kFirstCapability;
  std::vector<Hook> read_hooks_, write_hooks_;
};

}  // namespace sluice
