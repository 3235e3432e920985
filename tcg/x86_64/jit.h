// tcg/x86_64/jit.h: the x86-64 back end for a host with given extensions.
#pragma once
#include "tcg/backend.h"
#include "tcg/x86_64/host_features.h"

namespace sluice::tcg::x86_64 {

// `host` may have less than this machine, not more. Null: no SSE4.2, or no memory for the code.
std::unique_ptr<Backend> make_jit_for(const HostFeatures& host, const BackendOptions& options);

}  // namespace sluice::tcg::x86_64
