// app/flash_setup.cpp: see flash_setup.h.
#include "app/flash_setup.h"

#include <cstdio>

#include "machines/config_error.h"

namespace sluice {

void set_up_flash(Virt& board, const Options& options) {
  for (unsigned bank = 0; bank < Virt::kFlashBanks; bank++) {
    if (options.flash_drives[bank].empty()) continue;
    const DriveOptions& d = options.drives.at(options.flash_drives[bank]);
    if (d.attach)
      throw ConfigError::usage("-machine: drive '" + d.id + "' is a disk already; give it if=none");
    using Mode = FlashStore::Mode;
    const Mode mode = d.read_only ? Mode::ReadOnly : d.snapshot ? Mode::Volatile : Mode::ReadWrite;
    auto store = FlashStore::open(d.path, mode, CfiFlash::kSize);
    if (!store) throw ConfigError::image(store.error());
    board.attach_flash(bank, std::move(*store));
  }
  if (!options.bios.empty()) board.load_firmware(options.bios);
  for (const FwCfgOptions& f : options.fw_cfg) {
    if (!f.name.starts_with("opt/"))
      std::fprintf(stderr,
                   "sluice: warning: -fw_cfg: names of files that are not the board's own begin with opt/\n");
    if (f.path.empty())
      board.add_fw_cfg_file(f.name, {f.text.begin(), f.text.end()});
    else
      board.add_fw_cfg_file(f.name, Virt::read_for_fw_cfg(f.path));
  }
}

}  // namespace sluice
