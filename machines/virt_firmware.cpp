// machines/virt_firmware.cpp: what firmware runs from and what it is told: the flash banks and fw_cfg of the
// `virt` board.
#include <algorithm>

#include "machines/acpi/tables.h"
#include "machines/config_error.h"
#include "machines/smbios.h"
#include "machines/virt.h"

namespace sluice {
namespace {

constexpr PhysRange kFlash[Virt::kFlashBanks] = {{{0x00000000}, CfiFlash::kSize},
                                                 {{0x04000000}, CfiFlash::kSize}};

constexpr u64 kFwCfgMost = u64{2} << 30;  // of one item; sizes have 32 bits

std::vector<u8> to_vector(const std::string& path, const FileBytes& bytes) {
  if (bytes.size() > kFwCfgMost)
    throw ConfigError::file(path, "is larger than the 2 GiB that fw_cfg can hold");
  std::vector<u8> all(bytes.size());
  if (!bytes.copy_to(all.data())) throw ConfigError::file(path, "has become shorter while it was read");
  return all;
}

}  // namespace

// Bank 0 is where the PEs start; with EL3 it is for Secure software alone.
void Virt::add_flash() {
  for (unsigned n = 0; n < kFlashBanks; n++) {
    std::string name = "virt.flash" + std::to_string(n);
    auto memory = GuestRam::create(name, CfiFlash::kSize);
    if (!memory) throw ConfigError::usage("cannot have flash: " + memory.error());
    flash_[n] = std::make_unique<CfiFlash>(name, topology_, *memory);
    const bool secure_only = n == 0 && config_.secure;
    if (!secure_only) place(kFlash[n].first, flash_[n]->region());
    record_.flash.push_back({kFlash[n], secure_only});
  }
}

void Virt::attach_flash(unsigned bank, std::unique_ptr<FlashStore> store) {
  if (auto done = flash_[bank]->attach(std::move(store)); !done) throw ConfigError::image(done.error());
  flash_taken_[bank] = true;
  has_firmware_ |= bank == 0;
}

std::vector<PhysRange> Virt::free_flash() const {
  std::vector<PhysRange> banks;
  for (unsigned n = 0; n < kFlashBanks; n++)
    if (!flash_taken_[n]) banks.push_back(kFlash[n]);
  return banks;
}

void Virt::load_firmware(const std::string& path) {
  constexpr u64 kReadMost = u64{1} << 30;
  FileBytes image = FileBytes::open(path, kReadMost);
  if (image.empty()) throw ConfigError::file(path, "is empty");
  if (image.size() > CfiFlash::kSize) throw ConfigError::file(path, "does not fit into 64 MiB of flash");
  if (!image.copy_to(flash_[0]->memory().host())) throw ConfigError::file(path, "cannot be read");
  flash_taken_[0] = has_firmware_ = true;
}

void Virt::offer_kernel(const std::string& kernel, const std::string& initrd,
                        const std::string& command_line) {
  auto offer = [&](u16 size_key, u16 data_key, std::vector<u8> bytes) {
    fw_cfg_->add_item_u32(size_key, u32(bytes.size()));
    fw_cfg_->add_item(data_key, std::move(bytes));
  };
  if (!kernel.empty())
    offer(FwCfg::kKernelSize, FwCfg::kKernelData,
          to_vector(kernel,
                    decompress_kernel(kernel, FileBytes::open(kernel, config_.ram_size), config_.ram_size)));
  if (!initrd.empty())
    offer(FwCfg::kInitrdSize, FwCfg::kInitrdData,
          to_vector(initrd, FileBytes::open(initrd, config_.ram_size)));
  if (command_line.empty()) return;
  std::vector<u8> text{command_line.begin(), command_line.end()};
  text.push_back(0);
  offer(FwCfg::kCmdlineSize, FwCfg::kCmdlineData, std::move(text));
}

std::vector<u8> Virt::read_for_fw_cfg(const std::string& path) {
  return to_vector(path, FileBytes::open(path, ~u64{0}));
}

void Virt::add_fw_cfg_file(const std::string& name, std::vector<u8> bytes) {
  if (auto key = fw_cfg_->add_file(name, std::move(bytes)); !key) throw ConfigError::usage(key.error());
}

void Virt::offer_tables(bool acpi) {
  auto file = [&](const char* name, std::vector<u8> bytes) { add_fw_cfg_file(name, std::move(bytes)); };
  SmbiosFiles smbios = build_smbios(record_);
  file("etc/smbios/smbios-anchor", std::move(smbios.anchor));
  file("etc/smbios/smbios-tables", std::move(smbios.tables));
  if (!acpi) return;
  AcpiFiles files = build_acpi(record_);
  file("etc/acpi/tables", std::move(files.tables));
  file("etc/acpi/rsdp", std::move(files.rsdp));
  file("etc/table-loader", std::move(files.script));
}

}  // namespace sluice
