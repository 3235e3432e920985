// app/trace_setup.h: -trace and -d trace:PATTERN.
#pragma once
#include "app/options.h"

namespace sluice {

// Switches events on and off in the order of the options. Patterns that match nothing are named on stderr.
// Throws ConfigError (file).
void set_up_tracing(const TraceOptions& options);

}  // namespace sluice
