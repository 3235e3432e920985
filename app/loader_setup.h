// app/loader_setup.h: -device loader: files and values that are put into memory beside the kernel, and PEs
// that start somewhere else.
#pragma once
#include <utility>
#include <vector>

#include "app/options.h"
#include "machines/loader.h"

namespace sluice {

bool has_loaders(const Options& options);

// PEs with the address where they start, in the order of the command line. Throws ConfigError.
using Starts = std::vector<std::pair<unsigned, GuestPhysAddr>>;
Starts run_loaders(Loader& loader, const Options& options);

}  // namespace sluice
