// devices/virtio/rng.h: virtio entropy device. VIRTIO 1.3, 5.4.
#pragma once
#include <optional>

#include "devices/virtio/device.h"

namespace sluice {

class VirtioRng final : public VirtioDevice {
 public:
  // Without a seed the host's getrandom(2) supplies the bytes; with one they are a fixed sequence (icount).
  explicit VirtioRng(std::optional<u64> seed = {});

 protected:
  u64 device_features(bool) const override { return 0; }
  void notify(u16 n) override;
  void reset_device() override { state_ = seed_.value_or(0); }

 private:
  bool fill(std::span<u8> out);
  const std::optional<u64> seed_;
  u64 state_;
};

}  // namespace sluice
