// machines/acpi/aml.h: ACPI Machine Language, as much of it as describes a board: functions that return the
// bytes of a term. ACPI 6.4: chapter 20 (encoding of AML), 6.4 (resource descriptors), 19.3.4 (EISA IDs).
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "memory/attrs.h"

namespace sluice::aml {

using Bytes = std::vector<u8>;
using Terms = std::vector<Bytes>;

Bytes join(const Terms& terms);

// --- Data ---
Bytes integer(u64 value);
Bytes string(std::string_view text);
Bytes eisa_id(std::string_view id);  // "PNP0A08"
Bytes buffer(const Bytes& bytes);
Bytes package(const Terms& elements);  // at most 255
Bytes uuid(std::string_view text);     // as a buffer, in the byte order of ToUUID

// --- Objects. A name is up to four characters, with '\' in front of one that starts at the root. ---
Bytes name(std::string_view name, const Bytes& value);
Bytes scope(std::string_view name, const Terms& terms);
Bytes device(std::string_view name, const Terms& terms);
Bytes method(std::string_view name, unsigned arguments, const Terms& terms);
Bytes reference(std::string_view name);

// --- Statements and expressions ---
Bytes argument(unsigned n);
Bytes local(unsigned n);
Bytes create_dword_field(const Bytes& source, u32 offset, std::string_view name);
Bytes store(const Bytes& value, const Bytes& target);
Bytes bit_and(const Bytes& a, const Bytes& b, const Bytes& target);
Bytes bit_or(const Bytes& a, const Bytes& b, const Bytes& target);
Bytes equal(const Bytes& a, const Bytes& b);
Bytes logical_not(const Bytes& a);
Bytes if_true(const Bytes& condition, const Terms& terms);
Bytes otherwise(const Terms& terms);  // right behind if_true()
Bytes give_back(const Bytes& value);
Bytes notify(std::string_view name, u8 value);

// --- Resources: the elements of a template ---
enum class Trigger : u8 { Level, Edge };
Bytes resources(const Terms& descriptors);
Bytes memory32(u32 first, u32 size);
Bytes interrupt(u32 gsi, Trigger trigger);  // active high
Bytes bus_numbers(u16 first, u16 last);
// Memory that is passed on to a bus, at the same address; io_window: I/O ports 0 on that are memory at
// `base`.
Bytes memory_window32(u32 first, u32 size);
Bytes memory_window64(u64 first, u64 size);
Bytes memory_used64(u64 first, u64 size);
Bytes io_window(u64 base, u32 size);
// A pin of the GPIO controller `controller` that interrupts when it rises.
Bytes gpio_interrupt(u16 pin, std::string_view controller);

}  // namespace sluice::aml
