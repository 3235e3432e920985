// app/flash_setup.h: what firmware comes from and is told: -bios, -pflash, the drives that are flash banks,
// -fw_cfg.
#pragma once
#include "app/options.h"
#include "machines/virt.h"

namespace sluice {

// Throws ConfigError.
void set_up_flash(Virt& board, const Options& options);

}  // namespace sluice
