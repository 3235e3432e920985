// machines/acpi/aml.cpp: see aml.h.
#include "machines/acpi/aml.h"

#include <cassert>
#include <cstdio>

namespace sluice::aml {
namespace {

enum Op : u8 {
  kZero = 0x00,
  kOne = 0x01,
  kName = 0x08,
  kByte = 0x0a,
  kWord = 0x0b,
  kDword = 0x0c,
  kString = 0x0d,
  kQword = 0x0e,
  kScope = 0x10,
  kBuffer = 0x11,
  kPackage = 0x12,
  kMethod = 0x14,
  kExtended = 0x5b,  // kDevice follows
  kLocal0 = 0x60,
  kArg0 = 0x68,
  kStore = 0x70,
  kAnd = 0x7b,
  kOr = 0x7d,
  kDevice = 0x82,
  kNotify = 0x86,
  kCreateDwordField = 0x8a,
  kNot = 0x92,
  kEqual = 0x93,
  kIf = 0xa0,
  kElse = 0xa1,
  kReturn = 0xa4,
};

void put(Bytes& to, u64 value, unsigned size) {
  for (unsigned i = 0; i < size; i++) to.push_back(u8(value >> (8 * i)));
}
Bytes op(Op code, const Terms& operands) {
  Bytes all{code};
  for (const Bytes& o : operands) all.insert(all.end(), o.begin(), o.end());
  return all;
}

// PkgLength: counts itself.
Bytes with_length(const Bytes& content) {
  Bytes length;
  const size_t one = content.size() + 1;
  if (one < 0x40) {
    length.push_back(u8(one));
  } else {
    unsigned more = 1;
    while ((content.size() + 1 + more) >> (4 + 8 * more)) more++;
    assert(more <= 3);
    const size_t total = content.size() + 1 + more;
    length.push_back(u8(more << 6 | (total & 0xf)));
    put(length, total >> 4, more);
  }
  return join({length, content});
}
Bytes packaged(Op code, const Terms& content) { return join({{code}, with_length(join(content))}); }

// A NameSeg has four characters, padded with '_'.
Bytes name_string(std::string_view text) {
  Bytes bytes;
  if (text.starts_with('\\')) bytes.push_back('\\'), text.remove_prefix(1);
  assert(!text.empty() && text.size() <= 4);
  for (unsigned i = 0; i < 4; i++) bytes.push_back(i < text.size() ? u8(text[i]) : u8('_'));
  return bytes;
}

Bytes large_item(u8 type, const Bytes& content) {
  Bytes item{type};
  put(item, content.size(), 2);
  return join({item, content});
}

// Address space descriptors: type, general flags, type-specific flags, granularity, minimum, maximum,
// translation, length.
constexpr u8 kMemoryType = 0, kIoType = 1, kBusType = 2;
constexpr u8 kConsumer = 1, kFixed = 1 << 2 | 1 << 3;
constexpr u8 kReadWrite = 1, kEntireRange = 3;
Bytes address_space(u8 item, unsigned width, u8 type, u8 flags, u8 specific, u64 first, u64 size,
                    u64 translation) {
  Bytes content{type, flags, specific};
  for (u64 field : {u64{0}, first, first + size - 1, translation, size}) put(content, field, width);
  return large_item(item, content);
}
constexpr u8 kWordItem = 0x88, kDwordItem = 0x87, kQwordItem = 0x8a;

}  // namespace

Bytes join(const Terms& terms) {
  Bytes all;
  for (const Bytes& t : terms) all.insert(all.end(), t.begin(), t.end());
  return all;
}

Bytes integer(u64 value) {
  if (value <= 1) return {value ? kOne : kZero};
  const unsigned size = value >> 32 ? 8 : value >> 16 ? 4 : value >> 8 ? 2 : 1;
  Bytes bytes{size == 8 ? kQword : size == 4 ? kDword : size == 2 ? kWord : kByte};
  put(bytes, value, size);
  return bytes;
}

Bytes string(std::string_view text) {
  Bytes bytes{kString};
  bytes.insert(bytes.end(), text.begin(), text.end());
  bytes.push_back(0);
  return bytes;
}

// Three letters of five bits, four hexadecimal digits, big endian.
Bytes eisa_id(std::string_view id) {
  assert(id.size() == 7);
  u32 value = 0;
  for (unsigned i = 0; i < 3; i++) value = value << 5 | (u32(id[i]) - 0x40);
  for (unsigned i = 3; i < 7; i++) value = value << 4 | u32(id[i] <= '9' ? id[i] - '0' : id[i] - 'A' + 10);
  Bytes bytes{kDword};
  put(bytes, __builtin_bswap32(value), 4);
  return bytes;
}

Bytes buffer(const Bytes& bytes) { return packaged(kBuffer, {integer(bytes.size()), bytes}); }

Bytes package(const Terms& elements) {
  assert(elements.size() < 256);
  return packaged(kPackage, {{u8(elements.size())}, join(elements)});
}

// The first three fields are little endian.
Bytes uuid(std::string_view text) {
  unsigned long a, e_high, e_low;
  unsigned b, c, d;
  const std::string copy{text};
  [[maybe_unused]] int n =
      std::sscanf(copy.c_str(), "%8lx-%4x-%4x-%4x-%4lx%8lx", &a, &b, &c, &d, &e_high, &e_low);
  assert(n == 6);
  Bytes bytes;
  put(bytes, a, 4), put(bytes, b, 2), put(bytes, c, 2);
  put(bytes, __builtin_bswap16(u16(d)), 2), put(bytes, __builtin_bswap16(u16(e_high)), 2);
  put(bytes, __builtin_bswap32(u32(e_low)), 4);
  return buffer(bytes);
}

Bytes name(std::string_view n, const Bytes& value) { return op(kName, {name_string(n), value}); }
Bytes scope(std::string_view n, const Terms& terms) {
  return packaged(kScope, {name_string(n), join(terms)});
}
Bytes device(std::string_view n, const Terms& terms) {
  return join({{kExtended}, packaged(kDevice, {name_string(n), join(terms)})});
}
Bytes method(std::string_view n, unsigned arguments, const Terms& terms) {
  return packaged(kMethod, {name_string(n), {u8(arguments)}, join(terms)});
}
Bytes reference(std::string_view n) { return name_string(n); }

Bytes argument(unsigned n) { return {u8(kArg0 + n)}; }
Bytes local(unsigned n) { return {u8(kLocal0 + n)}; }
Bytes create_dword_field(const Bytes& source, u32 offset, std::string_view n) {
  return op(kCreateDwordField, {source, integer(offset), name_string(n)});
}
Bytes store(const Bytes& value, const Bytes& target) { return op(kStore, {value, target}); }
Bytes bit_and(const Bytes& a, const Bytes& b, const Bytes& target) { return op(kAnd, {a, b, target}); }
Bytes bit_or(const Bytes& a, const Bytes& b, const Bytes& target) { return op(kOr, {a, b, target}); }
Bytes equal(const Bytes& a, const Bytes& b) { return op(kEqual, {a, b}); }
Bytes logical_not(const Bytes& a) { return op(kNot, {a}); }
Bytes if_true(const Bytes& condition, const Terms& terms) { return packaged(kIf, {condition, join(terms)}); }
Bytes otherwise(const Terms& terms) { return packaged(kElse, terms); }
Bytes give_back(const Bytes& value) { return op(kReturn, {value}); }
Bytes notify(std::string_view n, u8 value) { return op(kNotify, {name_string(n), integer(value)}); }

Bytes resources(const Terms& descriptors) {
  const Bytes end{0x79, 0};  // check sum 0: none
  return buffer(join({join(descriptors), end}));
}

Bytes memory32(u32 first, u32 size) {
  Bytes content{kReadWrite};
  put(content, first, 4), put(content, size, 4);
  return large_item(0x86, content);
}

Bytes interrupt(u32 gsi, Trigger trigger) {
  Bytes content{u8(kConsumer | (trigger == Trigger::Edge ? 2 : 0)), 1};
  put(content, gsi, 4);
  return large_item(0x89, content);
}

Bytes bus_numbers(u16 first, u16 last) {
  return address_space(kWordItem, 2, kBusType, kFixed, 0, first, u64{last} - first + 1, 0);
}
Bytes memory_window32(u32 first, u32 size) {
  return address_space(kDwordItem, 4, kMemoryType, kFixed, kReadWrite, first, size, 0);
}
Bytes memory_window64(u64 first, u64 size) {
  return address_space(kQwordItem, 8, kMemoryType, kFixed, kReadWrite, first, size, 0);
}
Bytes memory_used64(u64 first, u64 size) {
  return address_space(kQwordItem, 8, kMemoryType, kFixed | kConsumer, kReadWrite, first, size, 0);
}
Bytes io_window(u64 base, u32 size) {
  return address_space(kDwordItem, 4, kIoType, kFixed, kEntireRange, 0, size, base);
}

// GPIO connection descriptor, revision 1, type "interrupt".
Bytes gpio_interrupt(u16 pin, std::string_view controller) {
  constexpr u16 kPins = 23, kSource = kPins + 2;  // where they are, from the start of the descriptor
  const u16 vendor = u16(kSource + controller.size() + 1);
  Bytes content{1, 0};
  put(content, kConsumer, 2);
  put(content, 1, 2);  // edge, active high, exclusive
  content.push_back(0);
  put(content, 0, 2), put(content, 0, 2);  // drive strength, debounce
  put(content, kPins, 2);
  content.push_back(0);
  put(content, kSource, 2), put(content, vendor, 2), put(content, 0, 2);
  put(content, pin, 2);
  content.insert(content.end(), controller.begin(), controller.end());
  content.push_back(0);
  return large_item(0x8c, content);
}

}  // namespace sluice::aml
