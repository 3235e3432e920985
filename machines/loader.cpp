// machines/loader.cpp: see loader.h.
#include "machines/loader.h"

#include <elf.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "base/bits.h"
#include "machines/config_error.h"

namespace sluice {
namespace {

constexpr u64 kPage = 4096;
constexpr u64 kMiB = 1 << 20;
constexpr u64 kImageAlignment = 2 * kMiB;

std::string hex(u64 value) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%" PRIx64, value);
  return text;
}

std::string describe(PhysRange r) { return hex(r.first.value) + ".." + hex(r.first.value + r.size - 1); }

u64 end_of(PhysRange r) { return r.first.value + r.size; }

// Overflow-safe: is [address, address + size) inside `outer`?
bool inside(PhysRange outer, GuestPhysAddr address, u64 size) {
  u64 offset = address.value - outer.first.value;
  return address.value >= outer.first.value && offset <= outer.size && size <= outer.size - offset;
}

template <class T>
T field(std::span<const u8> data, size_t offset) {
  T value;
  std::memcpy(&value, data.data() + offset, sizeof value);
  return value;
}

// The header of an arm64 Image, 64 bytes, little-endian.
struct Arm64Header {
  static constexpr size_t kSize = 64;
  u64 text_offset, image_size, flags;

  static bool matches(std::span<const u8> d) {
    return d.size() >= kSize && std::memcmp(d.data() + 56, "ARM\x64", 4) == 0;
  }
  explicit Arm64Header(std::span<const u8> d)
      : text_offset(field<u64>(d, 8)), image_size(field<u64>(d, 16)), flags(field<u64>(d, 24)) {
    // "Where image_size is zero, text_offset can be assumed to be 0x80000."
    if (image_size == 0) text_offset = 0x80000;
  }
  bool big_endian() const { return flags & 1; }
};

// An Image says only how much memory it needs. One that is an EFI program too has a section table, which
// tells how long the file must be: a download that broke off shows here and not as a strange crash.
void check_not_cut_off(const std::string& name, std::span<const u8> image) {
  constexpr size_t kCoffHeader = 24, kSection = 40;  // with the "PE\0\0" in front
  u64 pe = field<u32>(image, 60);
  if (std::memcmp(image.data(), "MZ", 2) != 0 || pe == 0) return;
  if (pe + kCoffHeader > image.size())
    throw ConfigError::file(name, "truncated: the Image header is cut off");
  if (std::memcmp(&image[pe], "PE\0\0", 4) != 0) return;
  u64 table = pe + kCoffHeader + field<u16>(image, pe + 20);
  for (unsigned n = 0; n < field<u16>(image, pe + 6); n++) {
    u64 row = table + n * kSection;
    if (row + kSection > image.size() ||
        u64(field<u32>(image, row + 20)) + field<u32>(image, row + 16) > image.size())
      throw ConfigError::file(name, "truncated: the file ends before its last section does");
  }
}

// What a file is that would otherwise be taken for a raw binary and run into the first undefined instruction;
// nullptr: nothing that we know.
const char* foreign_format(std::span<const u8> d) {
  auto has = [&](size_t offset, std::string_view magic) {
    return d.size() >= offset + magic.size() && std::memcmp(&d[offset], magic.data(), magic.size()) == 0;
  };
  using namespace std::string_view_literals;
  if (has(56, "RSC\x05"sv) || has(48, "RISCV\0"sv)) return "a RISC-V Image";
  if (has(0x202, "HdrS"sv)) return "an x86 kernel (bzImage)";
  if (has(36, "\x18\x28\x6f\x01"sv)) return "a 32-bit Arm kernel (zImage)";
  if (has(0, "\x27\x05\x19\x56"sv)) return "a U-Boot legacy image (uImage); give the kernel inside it";
  if (has(0, "\xd0\x0d\xfe\xed"sv)) return "a device tree or a FIT image; give the kernel inside it";
  if (has(0, "MZ"sv)) return "an EFI program that is not an arm64 Image";
  if (has(0, "070701"sv) || has(0, "070702"sv)) return "a cpio archive (an initrd?)";
  if (has(257, "ustar"sv)) return "a tar archive";
  if (has(0, "!<arch>\n"sv)) return "an archive (a .deb package or a library)";
  if (has(0, "BZh"sv)) return "compressed with bzip2; gzip and zstd are unpacked";
  if (has(0, "\xfd\x37zXZ"sv)) return "compressed with xz; gzip and zstd are unpacked";
  if (has(0, "PK\x03\x04"sv)) return "a zip archive";
  if (has(0, "#!"sv)) return "a script";
  return nullptr;
}

}  // namespace

void Loader::load_kernel(const std::string& path) {
  load_kernel_image(path, FileBytes::open(path, ram_.size));
}

void Loader::load_kernel_image(const std::string& name, FileBytes file) {
  if (file.empty()) throw ConfigError::file(name, "is empty");
  FileBytes image = decompress_kernel(name, std::move(file), ram_.size);
  if (image.size() >= SELFMAG && std::memcmp(image.view().data(), ELFMAG, SELFMAG) == 0)
    load_elf(name, image);
  else if (Arm64Header::matches(image.view()))
    load_arm64_image(name, std::move(image));
  else
    load_raw(name, std::move(image));
}

void Loader::load_arm64_image(const std::string& name, FileBytes image) {
  format_ = KernelFormat::Arm64Image;
  Arm64Header header{image.view()};
  if (header.big_endian())
    throw ConfigError::file(name, "is a big-endian arm64 Image; only little-endian boots");
  check_not_cut_off(name, image.view());
  u64 offset = header.text_offset;
  if (offset > ram_.size) throw ConfigError::file(name, "text_offset " + hex(offset) + " is outside RAM");
  // The first page of RAM stays free, as with a boot loader that lives there.
  if (offset < kPage) offset += kImageAlignment;
  GuestPhysAddr address{align_up(ram_.first.value, kImageAlignment) + offset};
  u64 size = std::max<u64>(header.image_size, image.size());
  boot_.entry = address;
  add({"kernel", address, std::move(image), size}, name);
  kernel_first_ = address;
  kernel_end_ = address + size;
}

// A file without a header follows the boot protocol as kernels before 3.17 did: at 0x80000, device tree in
// x0.
void Loader::load_raw(const std::string& name, FileBytes image) {
  if (const char* format = foreign_format(image.view()))
    throw ConfigError::file(name, std::string{"is not a kernel for this machine: "} + format);
  format_ = KernelFormat::Raw;
  constexpr u64 kRawOffset = 0x80000;
  GuestPhysAddr address = ram_.first + kRawOffset;
  u64 size = image.size();
  boot_.entry = address;
  add({"kernel", address, std::move(image), size}, name);
  kernel_first_ = address;
  kernel_end_ = address + size;
}

void Loader::load_elf(const std::string& name, const FileBytes& file) {
  format_ = KernelFormat::Elf;
  ProgramImage program = read_elf(name, file);
  boot_.entry = *program.entry;
  kernel_first_ = {~u64{0}};
  for (LoadSegment& segment : program.segments) {
    const PhysRange range{segment.address, segment.size};
    add(std::move(segment), name);
    if (!inside(ram_, range.first, 1)) continue;
    kernel_first_ = std::min(kernel_first_, range.first);
    kernel_end_ = std::max(kernel_end_, range.first + range.size);
  }
  if (!has_room_at(boot_.entry, 4) || !is_aligned(boot_.entry.value, 4))
    throw ConfigError::file(
        name, "entry point " + hex(boot_.entry.value) + " is not in RAM (" + describe(ram_) + ")");
}

void Loader::load_initrd(const std::string& path) {
  FileBytes bytes = FileBytes::open(path, ram_.size);
  if (bytes.empty()) throw ConfigError::file(path, "is empty");
  u64 offset = std::min(ram_.size / 2, 128 * kMiB);
  GuestPhysAddr address{align_up(std::max((ram_.first + offset).value, kernel_end_.value), kPage)};
  u64 size = bytes.size();
  add({"initrd", address, std::move(bytes), size}, path);
  initrd_ = PhysRange{address, size};
}

// After the initrd, or where an initrd would be, 2 MiB aligned. A bare-metal program is not told where; it
// finds the tree at the start of RAM when its own image leaves room there.
std::optional<GuestPhysAddr> Loader::device_tree_address() const {
  if (format_ == KernelFormat::Elf && !segments_.empty() && !initrd_) {
    if (kernel_first_.value > ram_.first.value) return ram_.first;
    return std::nullopt;
  }
  u64 after = initrd_ ? end_of(*initrd_)
                      : std::max((ram_.first + std::min(ram_.size / 2, 128 * kMiB)).value, kernel_end_.value);
  u64 address = align_up(after, kImageAlignment);
  if (!inside(ram_, {address}, 1)) return std::nullopt;
  return GuestPhysAddr{address};
}

u64 Loader::device_tree_room() const {
  auto address = device_tree_address();
  if (!address) return 0;
  u64 end = end_of(ram_);
  for (const LoadSegment& s : segments_)
    if (s.address.value >= address->value) end = std::min(end, s.address.value);
  return end - address->value;
}

void Loader::place_device_tree(std::vector<u8> blob) {
  auto address = device_tree_address();
  bool wanted = format_ != KernelFormat::Elf;
  if (!address || blob.size() > device_tree_room()) {
    // A bare-metal program that fills the start of RAM does without a tree.
    if (!wanted) return;
    throw ConfigError::file("device tree",
                            "its " + std::to_string(blob.size()) +
                                " bytes do not fit into RAM behind kernel and initrd (see -m)");
  }
  u64 size = blob.size();
  add({"device tree", *address, std::move(blob), size}, "device tree");
  if (wanted) boot_.x[0] = address->value;
}

void Loader::place_device_tree_for_firmware(std::vector<u8> blob, bool wanted) {
  u64 size = blob.size();
  for (const LoadSegment& s : segments_)
    if (!wanted && inside({ram_.first, size}, s.address, 1)) return;
  add({"device tree", ram_.first, std::move(blob), size}, "device tree");
}

PhysRange Loader::free_ram() const {
  std::vector<PhysRange> taken;
  for (const LoadSegment& s : segments_) taken.push_back({s.address, s.size});
  std::sort(taken.begin(), taken.end(), [](PhysRange a, PhysRange b) { return a.first < b.first; });
  taken.push_back({ram_.first + ram_.size, 0});
  PhysRange best{ram_.first, 0};
  u64 from = ram_.first.value;
  for (PhysRange t : taken) {
    u64 to = align_down(t.first.value, kPage);
    if (to > from && to - from > best.size) best = {{from}, to - from};
    from = std::max(from, align_up(end_of(t), kPage));
  }
  return best;
}

void Loader::load_program(const std::string& name, ProgramImage program) {
  for (LoadSegment& segment : program.segments) add(std::move(segment), name);
}

bool Loader::has_room_at(GuestPhysAddr address, u64 size) const {
  for (PhysRange flash : flash_)
    if (inside(flash, address, size)) return true;
  return inside(ram_, address, size) || (secure_ram_ && inside(*secure_ram_, address, size));
}

void Loader::add(LoadSegment segment, const std::string& file) {
  PhysRange range{segment.address, segment.size};
  if (!has_room_at(segment.address, segment.size))
    throw ConfigError::file(file, segment.what + " (" + std::to_string(segment.size) + " bytes at " +
                                      hex(segment.address.value) + ") does not fit into RAM (" +
                                      describe(ram_) + "; see -m)");
  for (const LoadSegment& other : segments_) {
    PhysRange taken{other.address, other.size};
    if (range.first.value < end_of(taken) && taken.first.value < end_of(range))
      throw ConfigError::file(file, segment.what + " at " + describe(range) + " overlaps " + other.what +
                                        " at " + describe(taken));
  }
  segments_.push_back(std::move(segment));
}

}  // namespace sluice
