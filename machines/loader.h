// machines/loader.h: kernel, initial RAM disk and device tree: what goes where in RAM before the first
// instruction. Follows Linux Documentation/arch/arm64/booting ("arm64 boot protocol") and the System V ABI
// (ELF64, EM_AARCH64). Placement is QEMU's, so that addresses in scripts stay true. Every failure is a
// ConfigError that names the file.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "machines/board.h"
#include "machines/file_bytes.h"
#include "machines/program_image.h"

namespace sluice {

// The state of the boot PE when it starts: everything else is at reset.
struct BootInfo {
  GuestPhysAddr entry{};
  u64 x[4] = {};
};

// The format of an uncompressed kernel.
enum class KernelFormat : u8 { Arm64Image, Elf, Raw };

// Reads files and decides addresses; writes nothing to the guest, the board does that with `segments()`.
class Loader {
 public:
  // `secure_ram` and `flash`: where an ELF program may have segments too, and its entry.
  explicit Loader(PhysRange ram, std::optional<PhysRange> secure_ram = {}, std::vector<PhysRange> flash = {})
      : ram_(ram), secure_ram_(secure_ram), flash_(std::move(flash)) {}

  // arm64 Image, ELF64 or raw binary, plain or compressed with gzip or zstd, or packed as EFI zboot.
  void load_kernel(const std::string& path);
  void load_kernel_image(const std::string& name, FileBytes file);
  // After the kernel. Opaque to us: the kernel unpacks it.
  void load_initrd(const std::string& path);
  // Beside all others; `name` is for messages.
  void load_program(const std::string& name, ProgramImage program);
  // Where the device tree will go; nothing when a bare-metal program leaves no room for one.
  std::optional<GuestPhysAddr> device_tree_address() const;
  // The room at that address, up to the next thing that is loaded or the end of RAM.
  u64 device_tree_room() const;
  // After kernel and initrd.
  void place_device_tree(std::vector<u8> blob);

  // At the start of RAM, where firmware looks for it. Behind everything else; when that is in the way, and
  // the tree is not `wanted`, there is none.
  void place_device_tree_for_firmware(std::vector<u8> blob, bool wanted);

  // The largest piece of RAM that nothing was loaded into, page aligned.
  PhysRange free_ram() const;

  KernelFormat format() const { return format_; }
  const std::optional<PhysRange>& initrd() const { return initrd_; }
  const std::vector<LoadSegment>& segments() const { return segments_; }
  // With the device tree in x0 for a kernel that follows the boot protocol.
  const BootInfo& boot() const { return boot_; }

 private:
  bool has_room_at(GuestPhysAddr address, u64 size) const;
  void add(LoadSegment segment, const std::string& file);
  void load_arm64_image(const std::string& name, FileBytes image);
  void load_elf(const std::string& name, const FileBytes& file);
  void load_raw(const std::string& name, FileBytes image);

  PhysRange ram_;
  std::optional<PhysRange> secure_ram_;
  std::vector<PhysRange> flash_;
  KernelFormat format_ = KernelFormat::Raw;
  GuestPhysAddr kernel_first_{}, kernel_end_{};
  std::optional<PhysRange> initrd_;
  std::vector<LoadSegment> segments_;
  BootInfo boot_;
};

// What is inside a gzip, zstd or EFI zboot file; the input itself when it is none of these. `name` is for
// messages.
FileBytes decompress_kernel(const std::string& name, FileBytes file, u64 limit);

}  // namespace sluice
