// app/monitor_dump.cpp: the monitor's x and xp.
#include <cctype>
#include <cinttypes>
#include <cstdio>

#include "app/key_values.h"
#include "app/monitor.h"
#include "base/bits.h"

namespace sluice {
namespace {

constexpr unsigned kMostItems = 65536;

// One item, in the width that its largest value needs.
std::string format_item(u64 value, char format, unsigned size) {
  char text[64];
  unsigned bits = size * 8;
  switch (format) {
    case 'o': std::snprintf(text, sizeof text, " 0%0*" PRIo64, int((bits + 2) / 3), value); break;
    case 'u': std::snprintf(text, sizeof text, " %*" PRIu64, int((bits * 10 + 32) / 33), value); break;
    case 'd':
      std::snprintf(text, sizeof text, " %*" PRId64, int((bits * 10 + 32) / 33) + 1,
                    i64(sign_extend(value, bits)));
      break;
    case 'c':
      if (std::isprint(int(value & 0xff)))
        std::snprintf(text, sizeof text, " '%c'", char(value));
      else
        std::snprintf(text, sizeof text, " '\\x%02x'", unsigned(value & 0xff));
      break;
    default: std::snprintf(text, sizeof text, " 0x%0*" PRIx64, int(bits / 4), value); break;
  }
  return text;
}

std::string address_text(u64 address) {
  char text[32];
  std::snprintf(text, sizeof text, "%016" PRIx64 ":", address);
  return text;
}

}  // namespace

std::string Monitor::examine_virtual(const std::vector<std::string>& words) {
  return examine(words,
                 [this](u64 address, unsigned size) { return target_.read_virtual(pe_, address, size); });
}

std::string Monitor::examine_physical(const std::vector<std::string>& words) {
  return examine(words, [this](u64 address, unsigned size) { return target_.read_physical(address, size); });
}

std::string Monitor::examine(const std::vector<std::string>& words, const Reader& read) {
  std::string expression;
  dump_.count = 1;
  for (size_t i = 1; i < words.size(); i++) {
    if (words[i][0] == '/') {
      if (!parse_format(std::string_view{words[i]}.substr(1))) return "invalid format: '" + words[i] + "'\n";
    } else {
      expression += words[i];
    }
  }
  auto address = evaluate(expression);
  if (!address)
    return expression.empty() ? "an address is missing\n" : "invalid address: '" + expression + "'\n";
  return dump_.format == 'i' ? dump_instructions(*address, read) : dump_words(*address, read);
}

// Count, format (x d u o c i) and size (b h w g), in any order behind the count; what is left out stays as it
// was.
bool Monitor::parse_format(std::string_view text) {
  DumpFormat wanted = dump_;
  wanted.count = 1;
  size_t digits = 0;
  while (digits < text.size() && std::isdigit(u8(text[digits]))) digits++;
  if (digits) {
    auto count = parse_number(text.substr(0, digits));
    if (!count || *count > kMostItems) return false;
    wanted.count = unsigned(*count);
  }
  for (char c : text.substr(digits)) {
    switch (c) {
      case 'x':
      case 'd':
      case 'u':
      case 'o':
      case 'c':
      case 'i': wanted.format = c; break;
      case 'b': wanted.size = 1; break;
      case 'h': wanted.size = 2; break;
      case 'w': wanted.size = 4; break;
      case 'g': wanted.size = 8; break;
      default: return false;
    }
  }
  if (wanted.format == 'c') wanted.size = 1;
  dump_ = wanted;
  return true;
}

// Numbers and $registers, added and subtracted.
std::optional<u64> Monitor::evaluate(std::string_view expression) {
  if (expression.empty()) return std::nullopt;
  u64 sum = 0;
  bool minus = false;
  while (!expression.empty()) {
    size_t end = expression.find_first_of("+-", 1);
    std::string_view term = expression.substr(0, end);
    auto value =
        term[0] == '$' ? target_.register_value(pe_, std::string{term.substr(1)}) : parse_number(term);
    if (!value) return std::nullopt;
    sum += minus ? u64{0} - *value : *value;
    if (end == expression.npos) break;
    minus = expression[end] == '-';
    expression.remove_prefix(end + 1);
    if (expression.empty()) return std::nullopt;
  }
  return sum;
}

std::string Monitor::dump_words(u64 address, const Reader& read) {
  std::string text;
  unsigned per_line = dump_.size == 1 ? 8 : 16 / dump_.size;
  for (unsigned i = 0; i < dump_.count; i++, address += dump_.size) {
    if (i % per_line == 0) text += (i ? "\n" : "") + address_text(address);
    auto value = read(address, dump_.size);
    if (!value) return text + "\nCannot access memory\n";
    text += format_item(*value, dump_.format, dump_.size);
  }
  return text.empty() ? text : text + "\n";
}

std::string Monitor::dump_instructions(u64 address, const Reader& read) {
  std::string text;
  for (unsigned i = 0; i < dump_.count; i++, address += 4) {
    auto word = read(address, 4);
    if (!word) return text + "Cannot access memory\n";
    char raw[16];
    std::snprintf(raw, sizeof raw, "  %08x  ", u32(*word));
    text += address_text(address) + raw + target_.disassemble(address, u32(*word)) + "\n";
  }
  return text;
}

}  // namespace sluice
