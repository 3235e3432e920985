// devices/virtio/device.h: what all virtio devices share, whatever bus they are on. VIRTIO 1.3, chapters 2
// and 3. Every member function is called with the transport's lock held, except where it says otherwise.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "devices/virtio/queue.h"

namespace sluice {

// VIRTIO 1.3, 5: device types.
enum class VirtioId : u32 { None = 0, Net = 1, Block = 2, Console = 3, Entropy = 4, Iommu = 23 };

// 6: reserved feature bits.
inline constexpr u64 kVirtioAnyLayout = 1ull << 27;  // legacy interface only
inline constexpr u64 kVirtioIndirectDesc = 1ull << 28;
inline constexpr u64 kVirtioEventIdx = 1ull << 29;
inline constexpr u64 kVirtioVersion1 = 1ull << 32;
inline constexpr u64 kVirtioAccessPlatform = 1ull << 33;
inline constexpr u64 kVirtioRingReset = 1ull << 40;

// 2.1: device status field.
struct VirtioStatus {
  static constexpr u8 kAcknowledge = 1, kDriver = 2, kDriverOk = 4, kFeaturesOk = 8, kNeedsReset = 64,
                      kFailed = 128;
};

// The bus side: what a device needs from virtio-mmio or virtio-pci.
class VirtioTransport {
 public:
  virtual ~VirtioTransport() = default;
  // Protects the transport and its device. The MMIO region holds it around register accesses; every other
  // thread that calls into the device takes it.
  virtual std::mutex& lock() = 0;
  virtual DmaPort& dma() = 0;
  virtual bool is_legacy() const = 0;
  // Feature bits that belong to the bus: VERSION_1, ACCESS_PLATFORM, RING_RESET.
  virtual u64 bus_features() const = 0;
  // Used buffer notification for `queue`; configuration change notification.
  virtual void queue_interrupt(u16 queue) = 0;
  virtual void config_interrupt() = 0;
  // Calls the device's `kick(queue)` again soon from the timer context: a queue's budget was spent.
  virtual void defer(u16 queue) = 0;
};

// Runs `body` on a device from a worker, a timer or a console: MmioRegion::enter.
bool enter_device(VirtioTransport& transport, const std::function<void()>& body);

class VirtioDevice {
 public:
  VirtioDevice(VirtioId id, std::vector<u16> queue_sizes, size_t config_size);
  virtual ~VirtioDevice() = default;
  VirtioDevice(const VirtioDevice&) = delete;
  VirtioDevice& operator=(const VirtioDevice&) = delete;

  // ---- the transport's side ----
  // Once, when the device is plugged into its transport, which outlives it.
  void connect(VirtioTransport& transport) {
    transport_ = &transport;
    connected();
  }
  VirtioId id() const { return id_; }
  u64 offered_features() const;
  u64 driver_features() const { return driver_features_; }
  // Word 0 or 1 of the driver's features. Ignored once they are agreed on.
  void write_driver_features(u32 word, u32 value);
  u8 status() const { return status_; }
  // The driver writes the status field: 0 resets, FEATURES_OK may be refused.
  void write_status(u8 value);
  void reset();
  size_t config_size() const { return config_.size(); }
  // Little-endian, 1, 2 or 4 bytes; bytes past the end read as 0.
  u32 read_config(u64 offset, unsigned size) const;
  void write_config(u64 offset, unsigned size, u32 value);
  u32 config_generation() const { return config_generation_; }
  u16 queue_count() const { return u16(queues_.size()); }
  VirtQueue& queue(u16 n) { return queues_[n]; }
  // Enables queue `n` as its registers say; what is wrong with them breaks the device.
  void enable_queue(u16 n);
  void reset_queue(u16 n);
  // The driver notified queue `n` (any value).
  void kick(u32 n);

 protected:
  // ---- what a device type supplies ----
  // There is a transport from now on. Called without the lock.
  virtual void connected() {}
  // Offered features of the type; `legacy` selects between the two interfaces.
  virtual u64 device_features(bool legacy) const = 0;
  // False refuses FEATURES_OK. Called again whenever the driver proposes a set.
  virtual bool accept_features(u64) { return true; }
  // The features are agreed on (modern: FEATURES_OK was accepted; legacy: the driver wrote them).
  virtual void features_changed() {}
  virtual void driver_ok() {}
  // Queue `n` is live and was notified.
  virtual void notify(u16 n) = 0;
  // Everything of the type returns to its reset state. All queues are already reset.
  virtual void reset_device() {}
  // Queue `n` alone is being reset; its chains are already stale.
  virtual void queue_was_reset(u16) {}
  // The driver wrote `bytes` at `offset`, inside the configuration space. The default refuses.
  virtual void config_written(u32 offset, std::span<const u8> bytes);

  // ---- what a device type uses ----
  bool has_feature(unsigned bit) const { return (driver_features_ >> bit) & 1; }
  bool is_connected() const { return transport_ != nullptr; }
  bool is_legacy() const { return transport_ && transport_->is_legacy(); }
  bool is_live() const;
  VirtioTransport& transport() { return *transport_; }
  // The bytes that the driver reads; `commit_config` after changing them at run time tells the driver.
  std::span<u8> config() { return config_; }
  void commit_config();
  // Returns a chain to the driver and interrupts if it wants that. Nothing happens to a stale chain.
  void complete(u16 n, const Chain& chain, u64 written);
  // Around several uses of queue `n` in a row: its rings are found once, and the driver hears of everything
  // that is completed meanwhile by one interrupt at the end. Only the outermost one of a queue counts.
  class Batch {
   public:
    Batch(VirtioDevice& device, u16 n);
    ~Batch();
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;

   private:
    friend VirtioDevice;
    VirtioDevice& device_;
    const u16 n_;
    const bool outermost_;
    bool completed_ = false;
    VirtQueue::Batch rings_;
  };
  // The driver broke a rule on queue `n`: DEVICE_NEEDS_RESET, or for a legacy driver the queue just stops.
  void fail(u16 n, const char* why);
  // Hands at most one queue size of chains to `serve(Chain&&)` -> bool (false: stop, the chain was kept or
  // put back); then re-enables notifications. When the driver adds faster than that, the rest is deferred.
  template <class Serve>
  void drain(u16 n, Serve serve);

 private:
  void check_queue(u16 n);
  void interrupt_if_wanted(u16 n);
  bool negotiate();

  const VirtioId id_;
  VirtioTransport* transport_ = nullptr;
  std::vector<VirtQueue> queues_;
  std::vector<Batch*> batches_;  // the outermost one of each queue
  std::vector<u8> config_;
  u64 driver_features_ = 0;
  u32 config_generation_ = 0;
  u8 status_ = 0;
};

template <class Serve>
void VirtioDevice::drain(u16 n, Serve serve) {
  VirtQueue& q = queues_[n];
  Batch batch(*this, n);
  unsigned budget = q.max_size();
  do {
    q.want_notifications(false);
    for (;;) {
      if (budget-- == 0) return transport_->defer(n);
      std::optional<Chain> chain = q.pop();
      if (!chain) break;
      if (!serve(std::move(*chain))) return q.want_notifications(true), check_queue(n);
    }
    q.want_notifications(true);
  } while (q.usable() && q.has_available());
  check_queue(n);
}

}  // namespace sluice
