// devices/pci/function.cpp: see function.h.
#include "devices/pci/function.h"

#include <cassert>
#include <cinttypes>
#include <cstdio>

#include "base/bits.h"
#include "base/log.h"
#include "base/trace.h"
#include "memory/address_space.h"

namespace sluice {
namespace {

constexpr u32 kCommandWritable = pci::kCommandMemory | pci::kCommandBusMaster | pci::kCommandParity |
                                 pci::kCommandSerr | pci::kCommandInterruptDisable;
constexpr u32 kStatusErrors = 0xf900;
constexpr u16 kDeviceControl = 8;  // of the PCI Express capability
constexpr u32 kInitiateFlr = 1 << 15;

// 7.5.3: version 2, root complex integrated endpoint. Link, slot and root registers are not there for it.
constexpr ConfigField kExpressFields[] = {
    {"PCI Express Capabilities", 2, 2, 2 | 9 << 4, 0, 0, "7.5.3.2"},
    {"Device Capabilities", 4, 4, 1 << 15 | 1 << 28, 0, 0, "7.5.3.3"},  // role-based errors, FLR
    {"Device Control", kDeviceControl, 2, 0x2810, 0x78ff | kInitiateFlr, 0, "7.5.3.4"},
    {"Device Status", 10, 2, 0, 0, 0xf, "7.5.3.5"},
};
constexpr u16 kExpressSize = 0x3c;

using ConfigTrace = Trace<unsigned, unsigned, u64, unsigned, u64, const char*>;
ConfigTrace trace_read{"pci_cfg_read", "dev=00:{:02x}.{} offset={:#x} size={} value={:#x} name={}"};
ConfigTrace trace_write{"pci_cfg_write", "dev=00:{:02x}.{} offset={:#x} size={} value={:#x} name={}"};

}  // namespace

class PciFunction::ConfigPort final : public MmioDevice {
 public:
  explicit ConfigPort(PciFunction& function) : function_(function) {}
  AccessRules access_rules() const override { return {.impl_min = 1, .impl_max = 4}; }
  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override {
    bool peek = attrs.initiator.kind == Initiator::Kind::Debugger;
    const ConfigSpace& config = function_.config_;
    value = peek ? config.get(u16(offset), size) : config.read(u16(offset), size);
    if (!peek) trace(trace_read, offset, size, value);
    return MemTxResult::ok();
  }
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs) override {
    trace(trace_write, offset, size, value);
    function_.write_config(u16(offset), size, u32(value));
    return MemTxResult::ok();
  }

 private:
  void trace(const ConfigTrace& event, u64 offset, unsigned size, u64 value) const {
    const u8 devfn = function_.devfn();
    event(pci::device_of(devfn), pci::function_of(devfn), offset, size, value, function_.name_.c_str());
  }

  PciFunction& function_;
};

// The function's own view of an address space: empty while it is no bus master, so that what it has mapped
// is revoked like any other memory that goes away.
class PciFunction::BusMaster {
 public:
  BusMaster(Topology& topology, const std::string& name, const AddressSpace& through)
      : topology_(topology), gate_(std::make_shared<AliasRegion>(name, through.root(), 0, kWholeSpace)) {
    Topology::Transaction t{topology_};
    t.add(*root_, 0, gate_);
    t.set_enabled(*gate_, false);
    t.commit();
    space_ = std::make_unique<AddressSpace>(topology_, name, root_);
  }
  const AddressSpace& space() const { return *space_; }
  void enable(bool on) { Topology::Transaction{topology_}.set_enabled(*gate_, on); }

 private:
  Topology& topology_;
  std::shared_ptr<Container> root_ = std::make_shared<Container>("bus master", kWholeSpace);
  std::shared_ptr<AliasRegion> gate_;
  std::unique_ptr<AddressSpace> space_;
};

PciFunction::PciFunction(std::string name, const PciIdentity& identity, PciWiring wiring)
    : name_(std::move(name)),
      wiring_(std::move(wiring)),
      config_port_(std::make_unique<ConfigPort>(*this)),
      config_region_(std::make_shared<MmioRegion>(name_ + " configuration", ConfigSpace::kSize, *config_port_,
                                                  &mutex_)) {
  add_header(identity);
  if (!wiring_.dma) return;
  data_master_ = std::make_unique<BusMaster>(*wiring_.topology, name_ + " dma", *wiring_.dma);
  dma_.emplace(data_master_->space(), wiring_.attrs);
  if (wiring_.messages && wiring_.messages != wiring_.dma)
    message_master_ = std::make_unique<BusMaster>(*wiring_.topology, name_ + " msi", *wiring_.messages);
  messages_.emplace(message_master_ ? message_master_->space() : data_master_->space(), wiring_.attrs);
}

PciFunction::~PciFunction() = default;

// 7.5.1.1 and 7.5.1.2.
void PciFunction::add_header(const PciIdentity& id) {
  const ConfigField fields[] = {
      {"Vendor ID", pci::kVendorId, 2, id.vendor, 0, 0, "7.5.1.1.1"},
      {"Device ID", pci::kDeviceId, 2, id.device, 0, 0, "7.5.1.1.2"},
      {"Command", pci::kCommand, 2, 0, kCommandWritable, 0, "7.5.1.1.3"},
      {"Status", pci::kStatus, 2, 0, 0, kStatusErrors, "7.5.1.1.4"},
      {"Revision ID", pci::kRevision, 1, id.revision, 0, 0, "7.5.1.1.5"},
      {"Class Code: interface", pci::kClassCode, 1, id.class_code & 0xff, 0, 0, "7.5.1.1.6"},
      {"Class Code", pci::kClassCode + 1, 2, id.class_code >> 8, 0, 0, "7.5.1.1.6"},
      {"Cache Line Size", pci::kCacheLineSize, 1, 0, 0xff, 0, "7.5.1.1.7"},
      {"Header Type", pci::kHeaderType, 1, 0, 0, 0, "7.5.1.1.9"},
      {"Subsystem Vendor ID", pci::kSubsystemVendorId, 2, id.subsystem_vendor, 0, 0, "7.5.1.2.3"},
      {"Subsystem ID", pci::kSubsystemId, 2, id.subsystem, 0, 0, "7.5.1.2.3"},
      {"Interrupt Line", pci::kInterruptLine, 1, 0, 0xff, 0, "7.5.1.1.12"},
      {"Interrupt Pin", pci::kInterruptPin, 1, id.interrupt_pin ? 1u : 0u, 0, 0, "7.5.1.1.13"},
  };
  config_.add(fields);
}

void PciFunction::set_multi_function() {
  const ConfigField fields[] = {{"Header Type", pci::kHeaderType, 1, pci::kHeaderMultiFunction}};
  config_.add(fields);
}

void PciFunction::add_bar(unsigned index, BarKind kind, u64 size, MmioDevice& device) {
  assert(is_power_of_two(size) && size >= 16 && index < pci::kBars);
  bool wide = kind == BarKind::Memory64Prefetchable;
  u32 type = wide ? pci::kBarMemory64 | pci::kBarPrefetchable : 0;
  u64 address_bits = ~(size - 1);
  u16 at = u16(pci::kBar0 + 4 * index);
  const ConfigField low[] = {{"Base Address", at, 4, type, u32(address_bits), 0, "7.5.1.2.1"}};
  config_.add(low);
  if (wide) {
    const ConfigField high[] = {
        {"Base Address, upper", u16(at + 4), 4, 0, u32(address_bits >> 32), 0, "7.5.1.2.1"}};
    config_.add(high);
  }
  auto region = std::make_shared<MmioRegion>(name_ + " BAR " + std::to_string(index), size, device, &mutex_);
  bars_.push_back({index, kind, size, std::move(region), {}});
}

void PciFunction::add_msix(unsigned vectors, unsigned bar) {
  msix_ = std::make_unique<Msix>(config_, vectors, bar,
                                 [this](u64 address, u32 data) { send_message(address, data); });
  add_bar(bar, BarKind::Memory32, msix_->bar_size(), *msix_);
}

void PciFunction::add_msi() {
  msi_ = std::make_unique<Msi>(config_, [this](u64 address, u32 data) { send_message(address, data); });
}

void PciFunction::add_pci_express() {
  express_ = config_.add_capability(pci::kCapPciExpress, kExpressSize, kExpressFields);
}

void PciFunction::write_config(u16 offset, unsigned size, u32 value) {
  config_.write(offset, size, value);
  if (express_ && config_.get(u16(express_ + kDeviceControl), 2) & kInitiateFlr) return reset_locked();
  apply_config();
}

void PciFunction::apply_config() {
  update_bars();
  update_bus_master();
  update_intx();
}

void PciFunction::reset() { reset_locked(); }

// 6.6.2: the master goes quiet first.
void PciFunction::reset_locked() {
  config_.reset();
  intx_level_ = false;
  if (msix_) msix_->reset();
  apply_config();
  reset_device();
}

// Nothing: not decoded. An address space of 32 bits ends where a range would wrap.
std::optional<u64> PciFunction::bar_address(const Bar& bar) const {
  if (!(config_.get(pci::kCommand, 2) & pci::kCommandMemory)) return {};
  u16 at = u16(pci::kBar0 + 4 * bar.index);
  u64 address = config_.get(at, 4) & ~u32{0xf};
  if (bar.kind == BarKind::Memory64Prefetchable) address |= u64{config_.get(u16(at + 4), 4)} << 32;
  return address;
}

void PciFunction::update_bars() {
  bool changed = false;
  for (const Bar& bar : bars_) changed |= bar_address(bar) != bar.mapped_at;
  if (!changed) return;
  Topology::Transaction t{*wiring_.topology};
  for (Bar& bar : bars_) {
    std::optional<u64> address = bar_address(bar);
    if (address == bar.mapped_at) continue;
    if (address && bar.mapped_at)
      t.move(*wiring_.memory, *bar.region, *address);
    else if (address)
      t.add(*wiring_.memory, *address, bar.region);
    else
      t.remove(*wiring_.memory, *bar.region);
    bar.mapped_at = address;
  }
}

void PciFunction::update_bus_master() {
  bool on = config_.get(pci::kCommand, 2) & pci::kCommandBusMaster;
  if (!data_master_ || on == bus_master_) return;
  bus_master_ = on;
  Topology::Transaction both{*wiring_.topology};
  data_master_->enable(on);
  if (message_master_) message_master_->enable(on);
}

void PciFunction::set_intx(bool level) {
  intx_level_ = level;
  update_intx();
}

// 6.1.4.3: with MSI or MSI-X enabled the function must not use INTx. 7.5.1.1.4: Interrupt Status shows what
// is pending inside even when it does not get to the line.
void PciFunction::update_intx() {
  u32 status = config_.get(pci::kStatus, 2) & ~pci::kStatusInterrupt;
  bool messages = (msix_ && msix_->enabled()) || (msi_ && msi_->enabled());
  bool disabled = config_.get(pci::kCommand, 2) & pci::kCommandInterruptDisable;
  config_.set(pci::kStatus, 2, status | (intx_level_ ? pci::kStatusInterrupt : 0));
  wiring_.intx(intx_level_ && !messages && !disabled);
}

void PciFunction::send_message(u64 address, u32 data) {
  if (!messages_) return;
  if (!messages_->store(address, 4, data).is_ok())
    guest_error("%s: message 0x%x to 0x%llx was refused", name_.c_str(), data,
                static_cast<unsigned long long>(address));
}

std::string PciFunction::describe() {
  std::lock_guard guard{mutex_};
  char line[160];
  std::snprintf(line, sizeof line, "  Bus  0, device %3u, function %u: requester ID 0x%04x  (%s)\n",
                pci::device_of(devfn()), pci::function_of(devfn()), wiring_.attrs.requester, name_.c_str());
  std::string text = line;
  u32 command = config_.get(pci::kCommand, 2);
  std::snprintf(line, sizeof line, "    ID %04x:%04x class %04x revision %02x, command %04x%s%s\n",
                config_.get(pci::kVendorId, 2), config_.get(pci::kDeviceId, 2),
                config_.get(pci::kClassCode + 1, 2), config_.get(pci::kRevision, 1), command,
                command & pci::kCommandMemory ? " memory" : "",
                command & pci::kCommandBusMaster ? " bus-master" : "");
  text += line;
  for (const Bar& bar : bars_) {
    bool wide = bar.kind == BarKind::Memory64Prefetchable;
    text += "    BAR" + std::to_string(bar.index) + (wide ? ": 64 bit prefetchable" : ": 32 bit");
    if (bar.mapped_at)
      std::snprintf(line, sizeof line, " memory at 0x%" PRIx64 " [0x%" PRIx64 "]\n", *bar.mapped_at,
                    *bar.mapped_at + (bar.size - 1));
    else
      std::snprintf(line, sizeof line, " memory of 0x%" PRIx64 " bytes, not mapped\n", bar.size);
    text += line;
  }
  if (config_.get(pci::kInterruptPin, 1) || msix_ || msi_) {
    std::snprintf(line, sizeof line, "    INTA %s%s\n", intx_level_ ? "high" : "low",
                  msix_  ? msix_->enabled() ? ", MSI-X on" : ", MSI-X off"
                  : msi_ ? msi_->enabled() ? ", MSI on" : ", MSI off"
                         : "");
    text += line;
  }
  return text;
}

}  // namespace sluice
