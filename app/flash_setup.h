// app/flash_setup.h: -bios, -pflash and the drives that are flash banks.
#pragma once
#include "app/options.h"
#include "machines/virt.h"

namespace sluice {

// Throws ConfigError.
void set_up_flash(Virt& board, const Options& options);

}  // namespace sluice
