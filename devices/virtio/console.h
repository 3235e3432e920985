// devices/virtio/console.h: virtio console device with multiple ports. VIRTIO 1.3, 5.3.
// Wiring: each port has a ByteStream. Its receiver may be called from any thread that does not hold the
// transport's lock; `transmit` and `resume` are called with that lock held, so a stream must not hold, while
// it calls the receiver, a lock that these two need. A stream may call the receiver from inside them.
#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/wire.h"
#include "devices/virtio/device.h"

namespace sluice {

class VirtioConsole final : public VirtioDevice {
 public:
  static constexpr u32 kMaxPorts = 31;
  enum class PortKind : u8 { Console, Serial };
  struct Port {
    PortKind kind = PortKind::Console;
    std::string name;              // PORT_NAME; may be empty
    ByteStream* stream = nullptr;  // outlives the device
  };

  // `max_ports` is what the device offers, 1..31. Port 0 is the one a driver without MULTIPORT uses.
  explicit VirtioConsole(u32 max_ports = kMaxPorts);
  ~VirtioConsole() override;

  // Before the machine runs: gives the port its number, or the lowest free one. A console may have number 0;
  // a serial port gets 1 and up. Nothing when the number is taken or out of range.
  std::optional<u32> add_port(Port port, std::optional<u32> number = {});
  // The host side of a port was opened or closed, or its window has a new size. Takes the lock.
  void set_host_open(u32 number, bool open);
  void set_size(u32 number, u16 columns, u16 rows);

 protected:
  u64 device_features(bool legacy) const override;
  void connected() override;
  void notify(u16 n) override;
  void driver_ok() override;
  void reset_device() override;
  void queue_was_reset(u16 n) override;
  void config_written(u32 offset, std::span<const u8> bytes) override;

 private:
  static constexpr u16 kControlReceive = 2, kControlTransmit = 3;
  struct PortState {
    u32 number = 0;
    Port port;
    bool driver_ready = false, guest_open = false, host_open = false;
    u16 columns = 0, rows = 0;
    u32 pending = 0;  // control messages to send, one bit per event: a port never has two of a kind waiting
    std::optional<Chain> sending;  // what the driver transmits, `sent` bytes of it done
    u64 sent = 0;
  };
  static u16 receive_queue(u32 port) { return u16(port ? 2 + 2 * port : 0); }
  static u16 transmit_queue(u32 port) { return u16(receive_queue(port) + 1); }
  static u32 port_of(u16 queue) { return queue < 2 ? 0 : u32(queue - 2) / 2; }
  bool multiport() const;
  PortState* find(u32 number);
  void listen(PortState& state);
  bool accepts_input(const PortState& state) const;
  size_t receive(PortState& state, std::span<const u8> bytes);
  size_t receive_locked(PortState& state, std::span<const u8> bytes);
  // Pops a chain of a queue that the device fills; asks for a notification when there is none.
  std::optional<Chain> next_buffer(u16 n);
  void resume(PortState& state);
  void transmit(PortState& state);
  bool send_chunk(PortState& state, u64& budget);
  void emit(PortState& state, std::span<const u8> bytes);
  void serve_control();
  void control_message(u32 id, u16 event, u16 value);
  void post(PortState& state, u32 messages);
  void send_control();
  bool send_message(PortState& state, unsigned event);

  const u32 max_ports_;
  std::vector<std::unique_ptr<PortState>> ports_;  // by number; may be null
  std::atomic<std::thread::id> inside_stream_{};   // who is in `transmit` or `resume`, with the lock held
};

}  // namespace sluice
