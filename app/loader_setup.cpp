// app/loader_setup.cpp: see loader_setup.h.
#include "app/loader_setup.h"

#include <algorithm>

#include "machines/config_error.h"

namespace sluice {
namespace {

constexpr std::string_view kDriver = "loader";

ProgramImage value_image(const KeyValues& p, GuestPhysAddr at) {
  const u64 size = p.get_number("data-len", 8, 1, 8);
  const u64 value = p.get_number("data", 0, 0, ~u64{0});
  if (size < 8 && value >> (8 * size))
    throw ConfigError::usage(p.option() + ": data does not fit into data-len=" + std::to_string(size));
  std::vector<u8> bytes;
  for (u64 i = 0; i < size; i++) bytes.push_back(u8(value >> (8 * i)));
  if (p.get_bool("data-be", false)) std::reverse(bytes.begin(), bytes.end());
  return {{{"data", at, std::move(bytes), size}}, {}};
}

ProgramImage file_image(const KeyValues& p, const std::string& path, std::optional<GuestPhysAddr> at) {
  constexpr u64 kMost = u64{255} << 30;
  FileBytes file = FileBytes::open(path, kMost);
  if (file.empty()) throw ConfigError::file(path, "is empty");
  if (!p.get_bool("force-raw", false))
    if (auto program = read_program(path, file)) {
      // Where it goes is in the file. An entry that is asked for counts more than its own.
      if (at) program->entry = at;
      return *program;
    }
  if (!at)
    throw ConfigError::usage(p.option() + ": " + path +
                             " is not an ELF, Intel HEX or S-record file: addr= is needed");
  const u64 size = file.size();
  return {{{"file", *at, std::move(file), size}}, at};
}

}  // namespace

bool has_loaders(const Options& options) {
  return std::any_of(options.devices.begin(), options.devices.end(),
                     [](const DeviceOptions& d) { return d.driver == kDriver; });
}

Starts run_loaders(Loader& loader, const Options& options) {
  Starts starts;
  for (const DeviceOptions& d : options.devices) {
    if (d.driver != kDriver) continue;
    const KeyValues& p = d.properties;
    auto file = p.get("file");
    std::optional<GuestPhysAddr> at;
    if (p.get("addr")) at = GuestPhysAddr{p.get_number("addr", 0, 0, ~u64{0})};
    std::optional<unsigned> pe;
    if (p.get("cpu-num")) pe = unsigned(p.get_number("cpu-num", 0, 0, options.pes - 1));
    if (file && p.get("data")) throw ConfigError::usage(p.option() + ": file and data exclude each other");
    if (!file && !at) throw ConfigError::usage(p.option() + ": file= or addr= is needed");
    ProgramImage program{{}, at};
    if (file)
      program = file_image(p, *file, at);
    else if (p.get("data"))
      program = value_image(p, *at);
    else if (!pe)
      throw ConfigError::usage(p.option() + ": addr= alone needs cpu-num=, the PE that starts there");
    if (pe && program.entry) starts.emplace_back(*pe, *program.entry);
    loader.load_program(file.value_or(p.option()), std::move(program));
  }
  return starts;
}

}  // namespace sluice
