// devices/virtio/net.h: virtio network device with one queue pair and no offloads. VIRTIO 1.3, 5.1.
// Wiring: a NetBackend. Frames are Ethernet frames without FCS.
#pragma once
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <thread>

#include "devices/virtio/device.h"

namespace sluice {

// The host side of a network card. `send` and `resume` are called with the device's lock held: a back end
// must not hold, while it calls the receiver, a lock that these two need. It may call the receiver from
// inside them.
class NetBackend {
 public:
  // False: no room at present; offer the frame again after `resume`. Any thread.
  using Receiver = std::function<bool(std::span<const u8> frame)>;
  virtual ~NetBackend() = default;
  virtual void send(std::span<const u8> frame) = 0;
  // An empty receiver disconnects; no call of the old one is running when this returns.
  virtual void on_receive(Receiver receiver) = 0;
  virtual void resume() = 0;
};

// Takes every frame and has none.
class NullNet final : public NetBackend {
 public:
  void send(std::span<const u8>) override {}
  void on_receive(Receiver) override {}
  void resume() override {}
};

struct VirtioNetOptions {
  std::array<u8, 6> mac{0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
  u16 mtu = 0;  // 0: do not offer VIRTIO_NET_F_MTU
  u16 queue_size = 256;
};

class VirtioNet final : public VirtioDevice {
 public:
  VirtioNet(std::unique_ptr<NetBackend> backend, VirtioNetOptions options = {});
  ~VirtioNet() override;
  // Takes the lock.
  void set_link(bool up);
  // Frames that could not be delivered to the driver, or that it sent malformed.
  u64 dropped() const { return dropped_.load(std::memory_order_relaxed); }

 protected:
  u64 device_features(bool legacy) const override;
  void connected() override;
  void notify(u16 n) override;
  void driver_ok() override;
  void config_written(u32 offset, std::span<const u8> bytes) override;

 private:
  static constexpr u16 kReceive = 0, kTransmit = 1;
  size_t header_size() const;
  bool receive(std::span<const u8> frame);
  bool receive_locked(std::span<const u8> frame);
  bool gather(u64 wanted, std::vector<Chain>& chains, u64& room);
  void deliver(std::span<const u8> frame, const std::vector<Chain>& chains);
  void transmit(Chain&& chain);
  void resume();

  std::unique_ptr<NetBackend> backend_;
  const VirtioNetOptions options_;
  std::atomic<u64> dropped_{0};
  std::vector<u8> frame_;
  std::atomic<std::thread::id> inside_backend_{};
};

}  // namespace sluice
