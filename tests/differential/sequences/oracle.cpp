#include "tests/differential/sequences/oracle.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace sluice::test {
namespace {

int run_command(const std::string& command) { return std::system(command.c_str()); }
bool installed(const char* program) {
  return run_command(std::string("command -v ") + program + " >/dev/null 2>&1") == 0;
}

}  // namespace

SequenceOracle::SequenceOracle() {
  if (!installed("aarch64-linux-gnu-gcc") || !installed("qemu-aarch64")) return;
  std::string pattern = (std::filesystem::temp_directory_path() / "sequence_oracle_XXXXXX").string();
  if (!mkdtemp(pattern.data())) return;
  directory_ = pattern;
  const auto source = std::filesystem::path(SLUICE_SOURCE_DIR) / "tests/differential/sequences/oracle.c";
  available_ = run_command("aarch64-linux-gnu-gcc -O1 -static -Wl,-Ttext-segment=0x14000000 -o '" +
                           directory_ + "/oracle' '" + source.string() + "'") == 0;
}

SequenceOracle::~SequenceOracle() {
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

std::vector<SequenceResult> SequenceOracle::ask(std::span<const SequenceCase> cases) const {
  const std::string in = directory_ + "/in", out = directory_ + "/out";
  std::ofstream(in, std::ios::binary)
      .write(reinterpret_cast<const char*>(cases.data()), std::streamsize(cases.size_bytes()));
  if (run_command("timeout 300 qemu-aarch64 -cpu max,pauth=off '" + directory_ + "/oracle' <'" + in + "' >'" +
                  out + "'"))
    return {};
  std::vector<SequenceResult> results(cases.size());
  std::ifstream file(out, std::ios::binary);
  const auto bytes = std::streamsize(results.size() * sizeof results[0]);
  file.read(reinterpret_cast<char*>(results.data()), bytes);
  if (file.gcount() != bytes) return {};
  return results;
}

}  // namespace sluice::test
