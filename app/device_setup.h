// app/device_setup.h: the -device and -drive options, made into virtio devices of a board.
#pragma once
#include "app/console_setup.h"
#include "app/options.h"
#include "machines/virt.h"

namespace sluice {

// Throws ConfigError.
void plug_devices(Virt& board, const Options& options, Consoles& consoles);

}  // namespace sluice
