// app/device_setup.h: the -device and -drive options, made into devices of a board.
#pragma once
#include "app/console_setup.h"
#include "app/options.h"
#include "machines/virt.h"

namespace sluice {

// Devices that are gates in front of others are known before the board is built. Throws ConfigError.
void choose_gates(GateChoices& gates, const Options& options);
// Throws ConfigError.
void plug_devices(Virt& board, const Options& options, Clock& clock, Consoles& consoles);

}  // namespace sluice
