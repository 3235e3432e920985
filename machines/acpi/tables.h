// machines/acpi/tables.h: the ACPI tables of a board (ACPI 6.4, and for IORT, SPCR, DBG2 and VIOT the
// documents that it names), from the same wiring record as the device tree, and the script that firmware
// places them with.
#pragma once
#include <vector>

#include "machines/board.h"

namespace sluice {

// Files of fw_cfg. Addresses in the tables are offsets into `tables` until firmware has run the script.
struct AcpiFiles {
  std::vector<u8> tables;  // etc/acpi/tables
  std::vector<u8> rsdp;    // etc/acpi/rsdp
  std::vector<u8> script;  // etc/table-loader
};
AcpiFiles build_acpi(const BoardRecord& board);

// The body of the DSDT: what has no table of its own.
std::vector<u8> build_dsdt(const BoardRecord& board);

// Bytes, little endian.
class TableBytes {
 public:
  TableBytes& number(u64 value, unsigned size) {
    for (unsigned i = 0; i < size; i++) bytes_.push_back(u8(value >> (8 * i)));
    return *this;
  }
  TableBytes& zeros(size_t count) { return bytes_.resize(bytes_.size() + count), *this; }
  // As long as `size`, filled up with `fill`.
  TableBytes& text(std::string_view text, size_t size, char fill = ' ') {
    for (size_t i = 0; i < size; i++) bytes_.push_back(u8(i < text.size() ? text[i] : fill));
    return *this;
  }
  TableBytes& append(const std::vector<u8>& more) {
    bytes_.insert(bytes_.end(), more.begin(), more.end());
    return *this;
  }
  void set(size_t at, u64 value, unsigned size) {
    for (unsigned i = 0; i < size; i++) bytes_[at + i] = u8(value >> (8 * i));
  }
  size_t size() const { return bytes_.size(); }
  const std::vector<u8>& bytes() const { return bytes_; }

 private:
  std::vector<u8> bytes_;
};

}  // namespace sluice
