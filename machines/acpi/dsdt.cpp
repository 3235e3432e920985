// machines/acpi/dsdt.cpp: the devices that an operating system finds by walking the ACPI namespace.
#include <cstdio>

#include "machines/acpi/aml.h"
#include "machines/acpi/tables.h"

namespace sluice {
namespace {

using namespace aml;

constexpr u32 kSpiBase = 32;
constexpr unsigned kPciDevices = 32, kPciPins = 4;

std::string numbered(const char* prefix, unsigned digits, unsigned n) {
  char text[8];
  std::snprintf(text, sizeof text, "%s%0*X", prefix, int(digits), n & 0xfff);
  return text;
}

Bytes uid(u64 n) { return name("_UID", integer(n)); }
Bytes hid(std::string_view id) { return name("_HID", string(id)); }
Bytes coherent() { return name("_CCA", integer(1)); }

Bytes memory_of(const PlacedPart& p) { return memory32(u32(p.window.first.value), u32(p.window.size)); }
Bytes memory_and_interrupt(const PlacedPart& p) {
  const bool edge = p.interrupt.trigger == InterruptInput::Trigger::EdgeRising;
  return name("_CRS", resources({memory_of(p), interrupt(kSpiBase + p.interrupt.number,
                                                         edge ? aml::Trigger::Edge : aml::Trigger::Level)}));
}

// The power button is a control method one: the GPIO controller's event tells it.
Bytes gpio(const PlacedPart& p, const BoardRecord& board) {
  Terms terms{hid("ARMH0061"), uid(0), memory_and_interrupt(p)};
  if (board.power_button_line) {
    const u16 pin = u16(*board.power_button_line);
    constexpr u8 kPressed = 0x80;
    terms.push_back(name("_AEI", resources({gpio_interrupt(pin, "GPO0")})));
    terms.push_back(method(numbered("_E", 2, pin), 0, {notify("PWRB", kPressed)}));
  }
  return device("GPO0", terms);
}

Terms parts(const BoardRecord& board) {
  Terms all;
  unsigned slots = 0;
  for (const PlacedPart& p : board.parts) {
    if (p.secure_only) continue;
    switch (p.part) {
      case Part::Pl011:
        all.push_back(device("COM0", {hid("ARMH0011"), uid(0), memory_and_interrupt(p)}));
        break;
      case Part::Pl061: all.push_back(gpio(p, board)); break;
      case Part::FwCfg: {
        constexpr u8 kPresentButHidden = 0x0b;
        all.push_back(device("FWCF", {hid("QEMU0002"), name("_STA", integer(kPresentButHidden)), coherent(),
                                      name("_CRS", resources({memory_of(p)}))}));
        break;
      }
      case Part::VirtioMmio: {
        // Its line is a level (the device tree says otherwise for the sake of old drivers).
        PlacedPart level = p;
        level.interrupt.trigger = InterruptInput::Trigger::LevelHigh;
        all.push_back(device(numbered("VR", 2, slots),
                             {hid("LNRO0005"), uid(slots), coherent(), memory_and_interrupt(level)}));
        slots++;
        break;
      }
      case Part::Pl031: break;  // firmware's: an operating system asks it for the time
    }
  }
  return all;
}

// _OSC of a host bridge (PCI Firmware Specification 3.3, 4.5.1): what the operating system may control
// itself.
Bytes capabilities() {
  constexpr u32 kAll = 0x1f;  // hot plug, SHPC, PME, AER, the PCIe capability
  constexpr u32 kBadRevision = 8, kBadUuid = 4, kMasked = 16;
  const Bytes status = reference("CDW1"), control = reference("CDW3");
  auto report = [&](u32 bit) { return bit_or(status, integer(bit), status); };
  return method(
      "_OSC", 4,
      {create_dword_field(argument(3), 0, "CDW1"),
       if_true(equal(argument(0), uuid("33db4d5b-1ff7-401c-9657-7441c03dd766")),
               {create_dword_field(argument(3), 8, "CDW3"), bit_and(control, integer(kAll), local(0)),
                if_true(logical_not(equal(argument(1), integer(1))), {report(kBadRevision)}),
                if_true(logical_not(equal(control, local(0))), {report(kMasked)}), store(local(0), control)}),
       otherwise({report(kBadUuid)}), give_back(argument(3))});
}

// Pins INTA..INTD of device d are lines (d + pin) mod 4, as in the device tree.
Bytes interrupt_routing(const PlacedPcie& p) {
  constexpr u32 kAnyFunction = 0xffff;
  Terms entries;
  for (u32 d = 0; d < kPciDevices; d++)
    for (u32 pin = 0; pin < kPciPins; pin++)
      entries.push_back(package({integer(d << 16 | kAnyFunction), integer(pin), integer(0),
                                 integer(kSpiBase + p.first_intx_spi + (d + pin) % kPciPins)}));
  return name("_PRT", package(entries));
}

Bytes host_bridge(const PlacedPcie& p) {
  Terms windows{bus_numbers(0, u16(p.buses - 1)),
                memory_window32(u32(p.memory.first.value), u32(p.memory.size)),
                io_window(p.io.first.value, u32(p.io.size))};
  if (p.high_memory) windows.push_back(memory_window64(p.high_memory->first.value, p.high_memory->size));
  return device(
      "PCI0", {name("_HID", eisa_id("PNP0A08")), name("_CID", eisa_id("PNP0A03")), name("_SEG", integer(0)),
               name("_BBN", integer(0)), uid(0), coherent(), interrupt_routing(p),
               name("_CBA", integer(p.ecam.first.value)), name("_CRS", resources(windows)), capabilities(),
               // The configuration space is nobody else's.
               device("RES0", {name("_HID", eisa_id("PNP0C02")),
                               name("_CRS", resources({memory_used64(p.ecam.first.value, p.ecam.size)}))})});
}

}  // namespace

std::vector<u8> build_dsdt(const BoardRecord& board) {
  Terms all;
  for (unsigned n = 0; n < board.pes.size(); n++)
    all.push_back(device(numbered("C", 3, n), {hid("ACPI0007"), uid(n)}));
  if (board.power_button_line) all.push_back(device("PWRB", {name("_HID", eisa_id("PNP0C0C")), uid(0)}));
  for (Bytes& part : parts(board)) all.push_back(std::move(part));
  if (board.pcie) all.push_back(host_bridge(*board.pcie));
  return scope("\\_SB", all);
}

}  // namespace sluice
