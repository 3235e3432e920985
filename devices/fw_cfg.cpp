// devices/fw_cfg.cpp: selection, data port and DMA of the firmware configuration device.
// All multi-byte registers and structures are big endian, except where an item itself says otherwise.
#include "devices/fw_cfg.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bits.h"
#include "base/log.h"

namespace sluice {
namespace {

constexpr u64 kSelectorAt = 0x08, kDmaAt = 0x10;   // the data register fills what lies below
constexpr u64 kDmaSignature = 0x51454d5520434647;  // "QEMU CFG"
constexpr u32 kIdTraditional = 1, kIdDma = 2;
constexpr size_t kMaxName = 55, kDirectoryEntry = 64, kNameAt = 8;
constexpr u64 kChunk = 4096;
// FWCfgDmaAccess.control
constexpr u32 kDmaError = 1, kDmaRead = 2, kDmaSkip = 4, kDmaSelect = 8, kDmaWrite = 16;

// The low `size` bytes of `value` in the opposite order: between the little-endian bus and a big-endian
// register.
u64 swap_bytes(u64 value, unsigned size) { return __builtin_bswap64(value) >> (64 - 8 * size); }

void put_be(u8* p, u64 value, unsigned size) {
  for (unsigned i = 0; i < size; i++) p[i] = u8(value >> (8 * (size - 1 - i)));
}
u64 get_be(const u8* p, unsigned size) {
  u64 value = 0;
  for (unsigned i = 0; i < size; i++) value = value << 8 | p[i];
  return value;
}
std::vector<u8> little_endian(u64 value, unsigned size) {
  std::vector<u8> bytes(size);
  for (unsigned i = 0; i < size; i++) bytes[i] = u8(value >> (8 * i));
  return bytes;
}

}  // namespace

FwCfg::FwCfg(DmaPort dma) : dma_(dma) {
  add_item(kSignature, {'Q', 'E', 'M', 'U'});
  add_item_u32(kId, kIdTraditional | kIdDma);
  rebuild_directory();
  reset();
}

void FwCfg::reset() {
  select(kSignature);
  dma_address_ = 0;
}

void FwCfg::add_item(u16 key, std::vector<u8> bytes) {
  items_[key] = Item{std::move(bytes), false, {}};
  select(kSignature);  // what was selected may have been replaced
}
void FwCfg::add_item_u16(u16 key, u16 value) { add_item(key, little_endian(value, 2)); }
void FwCfg::add_item_u32(u16 key, u32 value) { add_item(key, little_endian(value, 4)); }
void FwCfg::add_item_u64(u16 key, u64 value) { add_item(key, little_endian(value, 8)); }
void FwCfg::add_item_string(u16 key, const std::string& text) {
  std::vector<u8> bytes{text.begin(), text.end()};
  bytes.push_back(0);
  add_item(key, std::move(bytes));
}

Result<u16> FwCfg::add_file(const std::string& name, std::vector<u8> bytes) {
  return add(name, Item{std::move(bytes), false, {}});
}

Result<u16> FwCfg::add_writable_file(const std::string& name, std::vector<u8> bytes, Written written) {
  return add(name, Item{std::move(bytes), true, std::move(written)});
}

Result<u16> FwCfg::add(const std::string& name, Item item) {
  if (name.empty() || name.size() > kMaxName)
    return Failure{"fw_cfg file name '" + name + "' is not 1 to 55 bytes long"};
  if (files_.count(name)) return Failure{"fw_cfg file '" + name + "' exists already"};
  const size_t key = kFirstFile + files_.size();
  if (key > kLastFile) return Failure{std::string{"too many fw_cfg files"}};
  items_[u16(key)] = std::move(item);
  files_[name] = u16(key);
  rebuild_directory();
  return u16(key);
}

// FWCfgFiles: be32 count, then for each file be32 size, be16 key, be16 reserved, char name[56].
void FwCfg::rebuild_directory() {
  std::vector<u8> directory(4 + kDirectoryEntry * files_.size());
  put_be(directory.data(), files_.size(), 4);
  u8* entry = directory.data() + 4;
  for (const auto& [name, key] : files_) {
    put_be(entry, items_[key].bytes.size(), 4);
    put_be(entry + 4, key, 2);
    std::memcpy(entry + kNameAt, name.data(), name.size());
    entry += kDirectoryEntry;
  }
  add_item(kFileDir, std::move(directory));
}

const std::vector<u8>* FwCfg::item(u16 key) const {
  auto found = items_.find(key);
  return found == items_.end() ? nullptr : &found->second.bytes;
}

// An item that does not exist reads as zeroes. Bit 14 asks for an old way of writing, which is not there any
// more.
void FwCfg::select(u16 key) {
  auto found = items_.find(u16(key & ~0x4000));
  selected_ = found == items_.end() ? nullptr : &found->second;
  offset_ = 0;
}

// The next `size` bytes, in memory order; zeroes behind the end.
u64 FwCfg::read_data(unsigned size) {
  u64 value = 0;
  for (unsigned i = 0; i < size; i++)
    if (selected_ && offset_ < selected_->bytes.size()) value |= u64{selected_->bytes[offset_++]} << (8 * i);
  return value;
}

MemTxResult FwCfg::read(u64 offset, unsigned size, u64& value, MemTxAttrs) {
  value = 0;
  if (offset < kSelectorAt) {
    value = read_data(size);
  } else if (offset >= kDmaAt && offset + size <= kRegionSize) {
    // Bytes of the big-endian signature, as they lie in memory.
    value = swap_bytes(kDmaSignature, 8) >> (8 * (offset - kDmaAt)) & ones(8 * size);
  } else {
    guest_error("fw_cfg: read of offset 0x%x", unsigned(offset));
  }
  return MemTxResult::ok();
}

MemTxResult FwCfg::write(u64 offset, unsigned size, u64 value, MemTxAttrs) {
  if (offset == kSelectorAt && size == 2) {
    select(u16(swap_bytes(value, 2)));
  } else if (offset == kDmaAt && size == 8) {
    run_dma(swap_bytes(value, 8));
  } else if (offset == kDmaAt && size == 4) {
    dma_address_ = swap_bytes(value, 4) << 32;
  } else if (offset == kDmaAt + 4 && size == 4) {
    run_dma(dma_address_ | swap_bytes(value, 4));
  } else {
    guest_error("fw_cfg: %u-byte write at offset 0x%x", size, unsigned(offset));
  }
  return MemTxResult::ok();
}

// FWCfgDmaAccess: be32 control, be32 length, be64 address. `control` becomes 0, or the error bit, when it is
// over.
void FwCfg::run_dma(u64 descriptor) {
  dma_address_ = 0;
  std::array<u8, 16> raw;
  if (!dma_.read(descriptor, std::as_writable_bytes(std::span{raw})).is_ok()) {
    guest_error("fw_cfg: DMA descriptor at 0x%llx is not readable",
                static_cast<unsigned long long>(descriptor));
    return;
  }
  const u32 control = u32(get_be(&raw[0], 4)), length = u32(get_be(&raw[4], 4));
  const u64 address = get_be(&raw[8], 8);
  if (control & kDmaSelect) select(u16(control >> 16));
  bool good = true;
  if (control & kDmaRead)
    good = dma_read(address, length);
  else if (control & kDmaWrite)
    good = dma_write(address, length);
  else if (control & kDmaSkip)
    offset_ += std::min<u64>(length, selected_ ? selected_->bytes.size() - offset_ : 0);
  std::array<u8, 4> result;
  put_be(result.data(), good ? 0 : kDmaError, 4);
  if (!dma_.write(descriptor, std::as_bytes(std::span{result})).is_ok())
    guest_error("fw_cfg: DMA descriptor at 0x%llx is not writable",
                static_cast<unsigned long long>(descriptor));
}

bool FwCfg::dma_read(u64 address, u64 length) {
  static constexpr std::array<u8, kChunk> kZeroes{};
  while (length) {
    const u64 left = selected_ ? selected_->bytes.size() - offset_ : 0;
    std::span<const u8> from{kZeroes};
    if (left) from = std::span{selected_->bytes}.subspan(offset_);
    from = from.first(size_t(std::min<u64>(length, from.size())));
    if (!dma_.write(address, std::as_bytes(from)).is_ok()) return false;
    if (left) offset_ += from.size();
    address += from.size();
    length -= from.size();
  }
  return true;
}

bool FwCfg::dma_write(u64 address, u64 length) {
  if (!selected_ || !selected_->writable || length > selected_->bytes.size() - offset_) return false;
  std::span<u8> into = std::span{selected_->bytes}.subspan(offset_, size_t(length));
  if (!dma_.read(address, std::as_writable_bytes(into)).is_ok()) return false;
  const u64 at = offset_;
  offset_ += length;
  if (selected_->written) selected_->written(selected_->bytes, at, length);
  return true;
}

}  // namespace sluice
