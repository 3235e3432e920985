// machines/program_image.cpp: see program_image.h.
#include "machines/program_image.h"

#include <elf.h>

#include <cstring>
#include <iterator>
#include <map>
#include <span>
#include <string_view>

#include "machines/config_error.h"

namespace sluice {
namespace {

template <class T>
T field(std::span<const u8> data, size_t offset) {
  T value;
  std::memcpy(&value, data.data() + offset, sizeof value);
  return value;
}

std::string machine_name(u16 machine) {
  switch (machine) {
    case EM_386: return "x86";
    case EM_X86_64: return "x86-64";
    case EM_ARM: return "32-bit Arm";
    case EM_RISCV: return "RISC-V";
    case EM_PPC64: return "PowerPC";
    case EM_MIPS: return "MIPS";
    default: return "machine type " + std::to_string(machine);
  }
}

void check_elf_header(const std::string& name, std::span<const u8> image) {
  if (image.size() < EI_NIDENT) throw ConfigError::file(name, "truncated ELF header");
  if (image[EI_DATA] != ELFDATA2LSB)
    throw ConfigError::file(name, "is a big-endian ELF; only little-endian boots");
  u16 machine = image.size() >= 20 ? field<u16>(image, 18) : u16(EM_NONE);
  if (image[EI_CLASS] != ELFCLASS64 || machine != EM_AARCH64)
    throw ConfigError::file(
        name, "wrong architecture: an ELF for " + machine_name(machine) + "; this machine runs AArch64");
  if (image.size() < sizeof(Elf64_Ehdr)) throw ConfigError::file(name, "truncated ELF header");
  auto header = field<Elf64_Ehdr>(image, 0);
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
    throw ConfigError::file(name, "is not an executable ELF (link it first)");
  if (header.e_phnum == 0) throw ConfigError::file(name, "has no program headers, so nothing to load");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phoff > image.size() ||
      u64(header.e_phnum) * sizeof(Elf64_Phdr) > image.size() - header.e_phoff)
    throw ConfigError::file(name, "truncated: the ELF program headers are cut off");
}

// --- Text formats: a record on each line, in hexadecimal digits ---

std::optional<unsigned> digit(u8 c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10u;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10u;
  return std::nullopt;
}

// Bytes by address; pieces that touch become one. What comes later wins.
class Pieces {
 public:
  explicit Pieces(const std::string& name) : name_(name) {}
  void add(u64 address, std::span<const u8> bytes) {
    if (bytes.empty()) return;
    auto after = pieces_.upper_bound(address);
    if (after != pieces_.begin()) {
      auto before = std::prev(after);
      const u64 into = address - before->first;
      if (into <= before->second.size()) return put(before, into, bytes);
    }
    if (pieces_.size() == kMost) throw ConfigError::file(name_, "has too many separate pieces");
    put(pieces_.emplace(address, std::vector<u8>{}).first, 0, bytes);
  }
  std::vector<LoadSegment> take() {
    std::vector<LoadSegment> all;
    for (auto& [address, bytes] : pieces_) {
      const u64 size = bytes.size();
      all.push_back({"piece " + std::to_string(all.size()), {address}, std::move(bytes), size});
    }
    return all;
  }

 private:
  static constexpr size_t kMost = 4096;
  using Map = std::map<u64, std::vector<u8>>;
  void put(Map::iterator piece, u64 into, std::span<const u8> bytes) {
    std::vector<u8>& to = piece->second;
    if (to.size() < into + bytes.size()) to.resize(into + bytes.size());
    std::copy(bytes.begin(), bytes.end(), to.begin() + i64(into));
    // Those that it has reached.
    for (auto next = std::next(piece); next != pieces_.end() && next->first <= piece->first + to.size();) {
      const u64 end = next->first + next->second.size(), have = piece->first + to.size();
      if (end > have) to.insert(to.end(), next->second.end() - i64(end - have), next->second.end());
      next = pieces_.erase(next);
    }
  }
  const std::string& name_;
  Map pieces_;
};

// The lines of a text format: `read` gets the bytes behind a mark of `mark` characters.
class RecordReader {
 public:
  RecordReader(const std::string& name, std::span<const u8> text) : name_(name), text_(text) {}

  // False at the end. Blank lines are left out.
  bool next(std::string& mark, size_t mark_size, std::vector<u8>& bytes) {
    while (at_ < text_.size()) {
      size_t end = at_;
      while (end < text_.size() && text_[end] != '\n') end++;
      std::span<const u8> line = text_.subspan(at_, end - at_);
      at_ = end + 1;
      number_++;
      while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line = line.first(line.size() - 1);
      if (line.empty()) continue;
      if (line.size() < mark_size || (line.size() - mark_size) % 2) fail("is not a record");
      mark.assign(line.begin(), line.begin() + i64(mark_size));
      bytes.clear();
      for (size_t i = mark_size; i < line.size(); i += 2) {
        auto high = digit(line[i]), low = digit(line[i + 1]);
        if (!high || !low) fail("is not a record");
        bytes.push_back(u8(*high << 4 | *low));
      }
      return true;
    }
    return false;
  }
  [[noreturn]] void fail(const std::string& why) const {
    throw ConfigError::file(name_, "line " + std::to_string(number_) + " " + why);
  }

 private:
  const std::string& name_;
  std::span<const u8> text_;
  size_t at_ = 0;
  unsigned number_ = 0;
};

u8 sum_of(std::span<const u8> bytes) {
  u8 sum = 0;
  for (u8 b : bytes) sum = u8(sum + b);
  return sum;
}
u64 big_endian(std::span<const u8> bytes) {
  u64 value = 0;
  for (u8 b : bytes) value = value << 8 | b;
  return value;
}

bool begins_with_record(std::span<const u8> text, std::string_view mark) {
  if (text.size() < mark.size() + 2 || std::memcmp(text.data(), mark.data(), mark.size()) != 0) return false;
  return digit(text[mark.size()]) && digit(text[mark.size() + 1]);
}

}  // namespace

ProgramImage read_elf(const std::string& name, const FileBytes& file) {
  std::span<const u8> image = file.view();
  check_elf_header(name, image);
  auto header = field<Elf64_Ehdr>(image, 0);
  ProgramImage program;
  program.entry = GuestPhysAddr{header.e_entry};
  for (unsigned n = 0; n < header.e_phnum; n++) {
    auto segment = field<Elf64_Phdr>(image, header.e_phoff + n * sizeof(Elf64_Phdr));
    if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
    if (segment.p_filesz > segment.p_memsz)
      throw ConfigError::file(name, "corrupt: p_filesz exceeds p_memsz");
    if (segment.p_offset > image.size() || segment.p_filesz > image.size() - segment.p_offset)
      throw ConfigError::file(name, "truncated: segment " + std::to_string(n) + " is cut off");
    // e_entry is a virtual address: where the program is linked for another place than it is loaded at,
    // follow.
    u64 into = header.e_entry - segment.p_vaddr;
    if ((segment.p_flags & PF_X) && header.e_entry >= segment.p_vaddr && into < segment.p_memsz)
      program.entry = GuestPhysAddr{segment.p_paddr + into};
    program.segments.push_back({"segment " + std::to_string(n),
                                {segment.p_paddr},
                                file.part(segment.p_offset, segment.p_filesz),
                                segment.p_memsz});
  }
  if (program.segments.empty()) throw ConfigError::file(name, "has no loadable segment");
  return program;
}

// ":", number of bytes, 16-bit offset, type, bytes, check sum: the sum of all is 0.
ProgramImage read_intel_hex(const std::string& name, const FileBytes& file) {
  enum Type : u8 { kData, kEnd, kSegmentBase, kSegmentStart, kLinearBase, kLinearStart };
  constexpr size_t kHead = 4;
  RecordReader reader{name, file.view()};
  Pieces pieces{name};
  ProgramImage program;
  u64 base = 0;
  bool ended = false;
  std::string mark;
  for (std::vector<u8> r; !ended && reader.next(mark, 1, r);) {
    if (mark != ":" || r.size() < kHead + 1 || r.size() != kHead + r[0] + 1u) reader.fail("is not a record");
    if (sum_of(r) != 0) reader.fail("has a wrong check sum");
    std::span<const u8> data{r.data() + kHead, r[0]};
    auto expect = [&](size_t size) {
      if (data.size() != size) reader.fail("has a wrong length");
    };
    switch (r[3]) {
      case kData: pieces.add(base + big_endian(std::span{r}.subspan(1, 2)), data); break;
      case kEnd: ended = true; break;
      case kSegmentBase: expect(2), base = big_endian(data) << 4; break;
      case kLinearBase: expect(2), base = big_endian(data) << 16; break;
      case kSegmentStart: expect(4); break;  // CS:IP of an 8086
      case kLinearStart: expect(4), program.entry = GuestPhysAddr{big_endian(data)}; break;
      default: reader.fail("has an unknown type");
    }
  }
  if (!ended) throw ConfigError::file(name, "truncated: it has no end record");
  program.segments = pieces.take();
  if (program.segments.empty()) throw ConfigError::file(name, "has no data");
  return program;
}

// "S" and the type, number of bytes, address of 2 to 4 bytes, bytes, check sum: the sum of all is 0xff.
ProgramImage read_s_records(const std::string& name, const FileBytes& file) {
  RecordReader reader{name, file.view()};
  Pieces pieces{name};
  ProgramImage program;
  bool ended = false;
  std::string mark;
  for (std::vector<u8> r; !ended && reader.next(mark, 2, r);) {
    if (mark[0] != 'S' || r.size() < 2 || r.size() != r[0] + 1u) reader.fail("is not a record");
    if (sum_of(r) != 0xff) reader.fail("has a wrong check sum");
    std::span<const u8> rest{r.data() + 1, r.size() - 2};
    auto address = [&](size_t size) {
      if (rest.size() < size) reader.fail("has a wrong length");
      return big_endian(rest.first(size));
    };
    switch (mark[1]) {
      case '1':
      case '2':
      case '3': {
        const size_t size = size_t(mark[1] - '1') + 2;
        const u64 at = address(size);
        pieces.add(at, rest.subspan(size));
        break;
      }
      case '7':
      case '8':
      case '9':
        program.entry = GuestPhysAddr{address(size_t('9' - mark[1]) + 2)};
        ended = true;
        break;
      case '0':  // a title, and counts of records
      case '5':
      case '6': break;
      default: reader.fail("has an unknown type");
    }
  }
  if (!ended) throw ConfigError::file(name, "truncated: it has no end record");
  program.segments = pieces.take();
  if (program.segments.empty()) throw ConfigError::file(name, "has no data");
  return program;
}

std::optional<ProgramImage> read_program(const std::string& name, const FileBytes& file) {
  std::span<const u8> view = file.view();
  if (view.size() >= SELFMAG && std::memcmp(view.data(), ELFMAG, SELFMAG) == 0) return read_elf(name, file);
  if (begins_with_record(view, ":")) return read_intel_hex(name, file);
  for (const char* mark : {"S0", "S1", "S2", "S3"})
    if (begins_with_record(view, mark)) return read_s_records(name, file);
  return std::nullopt;
}

}  // namespace sluice
