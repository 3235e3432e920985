// devices/virtio/virtio_pci.cpp: identity, capabilities, interrupts and access to the structures.
// VIRTIO 1.3, 4.1.2 to 4.1.5. The common configuration is in virtio_pci_common.cpp.
#include "devices/virtio/virtio_pci.h"

#include <algorithm>

#include "base/bits.h"
#include "base/log.h"

namespace sluice {
namespace {

// Pages of BAR 4.
constexpr unsigned kMsixBar = 1, kBar = 4;
constexpr u64 kPage = 0x1000, kCommon = 0, kIsr = 1 * kPage, kDevice = 2 * kPage, kNotify = 3 * kPage,
              kBarSize = 4 * kPage;
constexpr u32 kNotifyMultiplier = 4;
constexpr u32 kCommonSize = 0x40;
constexpr u8 kQueueInterrupt = 1, kConfigInterrupt = 2;  // ISR status

// 4.1.4: cfg_type.
enum class CapType : u8 { Common = 1, Notify = 2, Isr = 3, Device = 4, PciConfig = 5 };
// Offsets in a virtio_pci_cap, after the generic two bytes.
constexpr u16 kCapLength = 2, kCapCfgType = 3, kCapBar = 4, kCapOffset = 8, kCapSize = 12, kCapExtra = 16;

// The PCI class that software expects for a device type: base class, sub-class, interface.
u32 class_of(VirtioId id) {
  switch (id) {
    case VirtioId::Net: return 0x020000;
    case VirtioId::Block: return 0x010000;
    case VirtioId::Console: return 0x078000;
    default: return 0x00ff00;
  }
}

const char* name_of(VirtioId id) {
  switch (id) {
    case VirtioId::Net: return "virtio-net-pci";
    case VirtioId::Block: return "virtio-blk-pci";
    case VirtioId::Console: return "virtio-serial-pci";
    case VirtioId::Entropy: return "virtio-rng-pci";
    case VirtioId::Iommu: return "virtio-iommu-pci";
    default: return "virtio-pci";
  }
}

// 4.1.2.1: a device that is not transitional.
PciIdentity identity_of(VirtioId id) {
  return {.vendor = pci::kVendorQumranet,
          .device = u16(0x1040 + u32(id)),
          .revision = 1,
          .class_code = class_of(id)};
}

}  // namespace

VirtioPci::VirtioPci(PciWiring wiring, Clock& clock, std::unique_ptr<VirtioDevice> device,
                     VirtioPciOptions options)
    : PciFunction(name_of(device->id()), identity_of(device->id()), std::move(wiring)),
      options_(options),
      device_(std::move(device)),
      queue_vectors_(device_->queue_count(), kNoVector),
      deferred_(clock, *this, device_) {
  add_pci_express();
  if (options_.vectors) add_msix(options_.vectors, kMsixBar);
  add_bar(kBar, BarKind::Memory64Prefetchable, kBarSize, *this);
  add_capabilities();
  device_->connect(*this);
  device_->reset();
}

VirtioPci::~VirtioPci() {
  // The device joins its threads when it dies, and those need the lock; the timer must not find it half dead.
  std::unique_ptr<VirtioDevice> dying;
  std::lock_guard guard{lock()};
  dying = std::move(device_);
}

// 4.1.4: one vendor capability for each structure. The PCI configuration access one is a window whose place
// the driver chooses.
void VirtioPci::add_capabilities() {
  auto add = [this](CapType type, u64 offset, u32 size, u8 length, u32 extra) {
    bool movable = type == CapType::PciConfig;
    const ConfigField fields[] = {
        {"cap_len", kCapLength, 1, length},
        {"cfg_type", kCapCfgType, 1, u32(type)},
        {"bar", kCapBar, 1, movable ? 0 : kBar, movable ? 0xffu : 0},
        {"offset", kCapOffset, 4, u32(offset), movable ? ~0u : 0},
        {"length", kCapSize, 4, size, movable ? ~0u : 0},
        {"notify_off_multiplier, pci_cfg_data", kCapExtra, 4, extra, movable ? ~0u : 0},
    };
    bool has_extra = length > kCapExtra;
    return config().add_capability(pci::kCapVendor, length,
                                   std::span{fields}.first(std::size(fields) - !has_extra));
  };
  window_ = add(CapType::PciConfig, 0, 0, 20, 0);
  config().before_read(u16(window_ + kCapExtra), 4, [this] { read_through_window(); });
  config().after_write(u16(window_ + kCapExtra), 4, [this] { write_through_window(); });
  add(CapType::Notify, kNotify, kPage, 20, kNotifyMultiplier);
  if (device_->config_size()) add(CapType::Device, kDevice, u32(align_up(device_->config_size(), 4)), 16, 0);
  add(CapType::Isr, kIsr, 4, 16, 0);
  add(CapType::Common, kCommon, kCommonSize, 16, 0);
}

u64 VirtioPci::bus_features() const {
  return kVirtioVersion1 | kVirtioRingReset | (options_.access_platform ? kVirtioAccessPlatform : 0);
}

void VirtioPci::reset_device() {
  device_->reset();
  device_feature_select_ = driver_feature_select_ = 0;
  queue_select_ = 0;
  after_device_reset();
}

// What a reset through device_status covers.
void VirtioPci::after_device_reset() {
  config_vector_ = kNoVector;
  std::fill(queue_vectors_.begin(), queue_vectors_.end(), kNoVector);
  deferred_.clear();
  isr_ = 0;
  set_intx(false);
}

// 4.1.4.5.1, 4.1.5.1.3, 4.1.5.1.4.
void VirtioPci::raise(u8 isr, u16 vector) {
  bool messages = msix() && msix()->enabled();
  if (messages) msix()->notify(vector);
  if (messages && isr == kQueueInterrupt) return;
  isr_ |= isr;
  set_intx(true);
}

void VirtioPci::queue_interrupt(u16 queue) { raise(kQueueInterrupt, queue_vectors_[queue]); }
void VirtioPci::config_interrupt() { raise(kConfigInterrupt, config_vector_); }

u32 VirtioPci::read_isr(bool peek) {
  u32 value = isr_;
  if (peek) return value;
  isr_ = 0;
  set_intx(false);
  return value;
}

MemTxResult VirtioPci::read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) {
  value = 0;
  if (offset < kIsr)
    value = read_common(offset, size);
  else if (offset == kIsr)
    value = read_isr(attrs.initiator.kind == Initiator::Kind::Debugger);
  else if (offset >= kDevice && offset < kNotify)
    value = device_->read_config(offset - kDevice, size);
  return MemTxResult::ok();
}

MemTxResult VirtioPci::write(u64 offset, unsigned size, u64 value, MemTxAttrs) {
  if (offset < kIsr)
    write_common(offset, size, u32(value));
  else if (offset >= kNotify)
    device_->kick(u32((offset - kNotify) / kNotifyMultiplier));
  else if (offset >= kDevice)
    device_->write_config(offset - kDevice, size, u32(value));
  else
    guest_error("virtio-pci: write to the ISR status");
  return MemTxResult::ok();
}

// 4.1.4.9: where the window looks. False: at nothing.
bool VirtioPci::window(u64& offset, unsigned& size) const {
  const ConfigSpace& c = config();
  offset = c.get(u16(window_ + kCapOffset), 4);
  size = c.get(u16(window_ + kCapSize), 4);
  bool ok = c.get(u16(window_ + kCapBar), 1) == kBar && (size == 1 || size == 2 || size == 4) &&
            is_aligned(offset, size) && offset + size <= kBarSize;
  if (!ok) guest_error("virtio-pci: the configuration access capability points at no structure");
  return ok;
}

void VirtioPci::read_through_window() {
  u64 offset, value = 0;
  unsigned size;
  if (window(offset, size)) (void)read(offset, size, value, dma().attrs());
  config().set(u16(window_ + kCapExtra), 4, u32(value));
}

void VirtioPci::write_through_window() {
  u64 offset;
  unsigned size;
  if (!window(offset, size)) return;
  u32 value = config().get(u16(window_ + kCapExtra), 4);
  (void)write(offset, size, value & ones(size * 8), dma().attrs());
}

}  // namespace sluice
