// machines/program_image.h: programs that say themselves where they go: ELF64 (System V ABI, EM_AARCH64),
// Intel HEX (Intel 1988, revision A) and Motorola S-records. Every failure is a ConfigError that names the
// file.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "machines/file_bytes.h"

namespace sluice {

// Bytes for memory, followed by zeros up to `size`.
struct LoadSegment {
  std::string what;
  GuestPhysAddr address{};
  FileBytes bytes;
  u64 size = 0;
};

struct ProgramImage {
  std::vector<LoadSegment> segments;
  std::optional<GuestPhysAddr> entry;
};

// `name` is for messages.
ProgramImage read_elf(const std::string& name, const FileBytes& file);
ProgramImage read_intel_hex(const std::string& name, const FileBytes& file);
ProgramImage read_s_records(const std::string& name, const FileBytes& file);
// By what the file begins with; nothing when it is none of these.
std::optional<ProgramImage> read_program(const std::string& name, const FileBytes& file);

}  // namespace sluice
