// base/wire.h: what devices are soldered with.
#pragma once
#include <functional>
#include <span>

#include "base/types.h"

namespace sluice {

// A level-sensitive line, active high. Call it with the new level; repeating a level is allowed and harmless.
// The receiver takes its own lock, so any thread may drive it. A default-made line goes nowhere.
class IrqLine {
 public:
  IrqLine() = default;
  IrqLine(std::function<void(bool)> sink) : sink_(std::move(sink)) {}
  void operator()(bool level) const {
    if (sink_) sink_(level);
  }
  explicit operator bool() const { return bool(sink_); }

 private:
  std::function<void(bool)> sink_;
};

// The host side of a serial device: bytes leave through `transmit`, and arrive through the function that the
// device gives to `on_receive`. Receiving returns how many bytes the device took; the stream keeps the rest
// and offers it again after `resume` is called by the device.
class ByteStream {
 public:
  using Receiver = std::function<size_t(std::span<const u8>)>;
  virtual ~ByteStream() = default;
  virtual void transmit(std::span<const u8> bytes) = 0;
  virtual void on_receive(Receiver receiver) = 0;
  virtual void resume() = 0;
};

}  // namespace sluice
