// devices/virtio/console.cpp: virtio console device. VIRTIO 1.3, 5.3.6.
#include "devices/virtio/console.h"

#include <algorithm>
#include <array>

#include "base/log.h"

namespace sluice {
namespace {

constexpr unsigned kSize = 0, kMultiport = 1, kEmergencyWrite = 2;  // VIRTIO_CONSOLE_F_*
constexpr size_t kAtColumns = 0, kAtRows = 2, kAtMaxPorts = 4, kAtEmergencyWrite = 8, kConfigSize = 12;
constexpr u16 kQueueSize = 128;
constexpr u64 kChunk = 4096;
constexpr u64 kTransmitBudget = 256 * 1024;  // bytes that one notification may move before others get a turn
constexpr u16 kDefaultColumns = 80, kDefaultRows = 25;

// VIRTIO_CONSOLE_*: control events. PORT_ADD is called DEVICE_ADD in the specification.
enum Event : u16 { DeviceReady, PortAdd, PortRemove, PortReady, ConsolePort, Resize, PortOpen, PortName };
constexpr size_t kControlSize = 8;  // le32 id, le16 event, le16 value
// The order in which what is pending for a port is sent: what a port is comes before its being open.
constexpr std::array kSendOrder{PortAdd, ConsolePort, Resize, PortName, PortOpen};

u16 get16(const u8* p) { return u16(p[0] | p[1] << 8); }
void put16(u8* p, u16 value) { p[0] = u8(value), p[1] = u8(value >> 8); }
void put32(u8* p, u32 value) { put16(p, u16(value)), put16(p + 2, u16(value >> 16)); }

}  // namespace

VirtioConsole::VirtioConsole(u32 max_ports)
    : VirtioDevice(VirtioId::Console,
                   std::vector<u16>(2 * (std::clamp(max_ports, u32{1}, kMaxPorts) + 1), kQueueSize),
                   kConfigSize),
      max_ports_(std::clamp(max_ports, u32{1}, kMaxPorts)),
      ports_(max_ports_) {
  put16(&config()[kAtColumns], kDefaultColumns);
  put16(&config()[kAtRows], kDefaultRows);
  put32(&config()[kAtMaxPorts], max_ports_);
}

VirtioConsole::~VirtioConsole() {
  for (auto& state : ports_)
    if (state && state->port.stream && is_connected())
      state->port.stream->on_receive([](std::span<const u8>) { return size_t{0}; });
}

std::optional<u32> VirtioConsole::add_port(Port port, std::optional<u32> number) {
  const u32 lowest = port.kind == PortKind::Console ? 0 : 1;
  for (u32 n = lowest; !number && n < max_ports_; n++)
    if (!ports_[n]) number = n;
  if (!number || *number < lowest || *number >= max_ports_ || ports_[*number]) return {};
  auto state = std::make_unique<PortState>();
  state->number = *number;
  state->host_open = port.stream != nullptr;
  state->port = std::move(port);
  PortState& added = *(ports_[*number] = std::move(state));
  if (is_connected()) listen(added);
  return number;
}

void VirtioConsole::connected() {
  for (auto& state : ports_)
    if (state) listen(*state);
}

void VirtioConsole::listen(PortState& state) {
  if (state.port.stream)
    state.port.stream->on_receive(
        [this, &state](std::span<const u8> bytes) { return receive(state, bytes); });
}

u64 VirtioConsole::device_features(bool) const {
  return 1ull << kSize | 1ull << kMultiport | 1ull << kEmergencyWrite;
}

bool VirtioConsole::multiport() const { return has_feature(kMultiport); }

VirtioConsole::PortState* VirtioConsole::find(u32 number) {
  return number < ports_.size() ? ports_[number].get() : nullptr;
}

void VirtioConsole::set_host_open(u32 number, bool open) {
  enter_device(transport(), [&] {
    PortState* state = find(number);
    if (!state || state->host_open == open) return;
    state->host_open = open;
    if (state->driver_ready) post(*state, 1u << PortOpen);
  });
}

void VirtioConsole::set_size(u32 number, u16 columns, u16 rows) {
  enter_device(transport(), [&] {
    PortState* state = find(number);
    if (!state) return;
    state->columns = columns;
    state->rows = rows;
    if (number == 0) {
      put16(&config()[kAtColumns], columns);
      put16(&config()[kAtRows], rows);
      if (!multiport()) commit_config();
    }
    if (state->driver_ready && state->port.kind == PortKind::Console) post(*state, 1u << Resize);
  });
}

void VirtioConsole::reset_device() {
  for (auto& state : ports_) {
    if (!state) continue;
    state->driver_ready = state->guest_open = false;
    state->pending = 0;
    state->sending.reset();
  }
}

void VirtioConsole::queue_was_reset(u16 n) {
  PortState* state = find(port_of(n));
  if (state && n == transmit_queue(state->number)) state->sending.reset();
}

// 5.3.4: emerg_wr works in every state of the device.
void VirtioConsole::config_written(u32 offset, std::span<const u8> bytes) {
  if (offset != kAtEmergencyWrite) return VirtioDevice::config_written(offset, bytes);
  if (PortState* state = find(0)) emit(*state, bytes.first(1));
}

void VirtioConsole::driver_ok() {
  if (multiport()) return;
  if (PortState* state = find(0)) resume(*state);
}

void VirtioConsole::notify(u16 n) {
  if (n == kControlReceive) return send_control();
  if (n == kControlTransmit) return serve_control();
  PortState* state = find(port_of(n));
  if (!state) {
    guest_error("virtio-console: port %u does not exist", port_of(n));
  } else if (n == transmit_queue(state->number)) {
    transmit(*state);
  } else {
    resume(*state);
  }
}

// ---- host to guest ----

bool VirtioConsole::accepts_input(const PortState& state) const {
  if (!is_live()) return false;
  return multiport() ? state.guest_open : state.number == 0;
}

size_t VirtioConsole::receive(PortState& state, std::span<const u8> bytes) {
  // The stream answers from inside transmit() or resume(): this thread already holds the lock.
  if (inside_stream_ == std::this_thread::get_id()) return receive_locked(state, bytes);
  size_t taken = 0;
  enter_device(transport(), [&] { taken = receive_locked(state, bytes); });
  return taken;
}

std::optional<Chain> VirtioConsole::next_buffer(u16 n) {
  VirtQueue& q = queue(n);
  if (std::optional<Chain> chain = q.pop()) return chain;
  q.want_notifications(true);
  return q.pop();
}

size_t VirtioConsole::receive_locked(PortState& state, std::span<const u8> bytes) {
  if (!accepts_input(state)) return 0;
  const u16 n = receive_queue(state.number);
  size_t taken = 0;
  while (taken < bytes.size()) {
    std::optional<Chain> chain = next_buffer(n);
    if (!chain) break;
    const size_t part = size_t(std::min<u64>(bytes.size() - taken, chain->writable_size()));
    if (part == 0 || !chain->write(0, bytes.subspan(taken, part))) {
      fail(n, "console input buffer is not writable");
      break;
    }
    complete(n, *chain, part);
    taken += part;
  }
  return taken;
}

void VirtioConsole::resume(PortState& state) {
  if (!state.port.stream || inside_stream_ == std::this_thread::get_id()) return;
  inside_stream_ = std::this_thread::get_id();
  state.port.stream->resume();
  inside_stream_ = std::thread::id{};
}

// ---- guest to host ----

void VirtioConsole::emit(PortState& state, std::span<const u8> bytes) {
  if (!state.port.stream || !state.host_open) return;
  inside_stream_ = std::this_thread::get_id();
  state.port.stream->transmit(bytes);
  inside_stream_ = std::thread::id{};
}

void VirtioConsole::transmit(PortState& state) {
  const u16 n = transmit_queue(state.number);
  VirtQueue& q = queue(n);
  u64 budget = kTransmitBudget;
  do {
    q.want_notifications(false);
    for (;;) {
      if (!state.sending) {
        state.sending = q.pop();
        state.sent = 0;
        if (!state.sending) break;
      }
      if (budget == 0) return transport().defer(n);
      if (!send_chunk(state, budget)) return;
    }
    q.want_notifications(true);
  } while (q.usable() && q.has_available());
}

// Moves a piece of the present chain; an empty chain costs budget, too. False: the queue is broken.
bool VirtioConsole::send_chunk(PortState& state, u64& budget) {
  const u16 n = transmit_queue(state.number);
  std::array<u8, kChunk> bytes;
  const u64 left = state.sending->readable_size() - state.sent;
  std::span<u8> part{bytes.data(), size_t(std::min(left, kChunk))};
  if (!state.sending->read(state.sent, part)) return fail(n, "console output buffer is not readable"), false;
  emit(state, part);
  if (!state.sending) return false;
  state.sent += part.size();
  budget -= std::min(budget, std::max<u64>(part.size(), 256));
  if (part.size() < left) return true;
  Chain done = std::move(*state.sending);
  state.sending.reset();
  complete(n, done, 0);
  return true;
}

// ---- control queues ----

void VirtioConsole::serve_control() {
  drain(kControlTransmit, [&](Chain&& chain) {
    std::array<u8, kControlSize> message;
    if (chain.read(0, message))
      control_message(get16(&message[0]) | u32{get16(&message[2])} << 16, get16(&message[4]),
                      get16(&message[6]));
    else
      guest_error("virtio-console: short control message");
    complete(kControlTransmit, chain, 0);
    return true;
  });
}

void VirtioConsole::control_message(u32 id, u16 event, u16 value) {
  if (event == DeviceReady) {
    if (value != 1) return guest_error("virtio-console: the driver could not start");
    for (auto& state : ports_)
      if (state) state->pending |= 1u << PortAdd;
    return send_control();
  }
  PortState* state = find(id);
  if (!state) return guest_error("virtio-console: control message for port %u, which does not exist", id);
  if (event == PortReady) {
    if (value != 1) return guest_error("virtio-console: the driver could not add port %u", id);
    state->driver_ready = true;
    u32 messages = 0;
    if (state->port.kind == PortKind::Console)
      messages |= 1u << ConsolePort | (state->columns ? 1u << Resize : 0);
    if (!state->port.name.empty()) messages |= 1u << PortName;
    if (state->host_open) messages |= 1u << PortOpen;
    post(*state, messages);
  } else if (event == PortOpen) {
    state->guest_open = value != 0;
    if (state->guest_open) resume(*state);
  } else {
    guest_error("virtio-console: control event %u from the driver", event);
  }
}

void VirtioConsole::post(PortState& state, u32 messages) {
  state.pending |= messages;
  send_control();
}

void VirtioConsole::send_control() {
  if (!multiport() || !is_live()) return;
  for (auto& state : ports_) {
    if (!state) continue;
    for (Event event : kSendOrder)
      if ((state->pending >> event & 1) && !send_message(*state, event)) return;
  }
}

// False: no buffer for it at present; it stays pending.
bool VirtioConsole::send_message(PortState& state, unsigned event) {
  std::optional<Chain> chain = next_buffer(kControlReceive);
  if (!chain) return false;
  std::vector<u8> message(kControlSize);
  put32(&message[0], state.number);
  put16(&message[4], u16(event));
  put16(&message[6], event == PortOpen ? state.host_open : 1);
  if (event == Resize) {
    message.resize(kControlSize + 4);
    put16(&message[kControlSize], state.columns);
    put16(&message[kControlSize + 2], state.rows);
  } else if (event == PortName) {
    message.insert(message.end(), state.port.name.begin(), state.port.name.end());
  }
  if (!chain->write(0, message))
    return fail(kControlReceive, "control buffer is too small or not writable"), false;
  state.pending &= ~(1u << event);
  complete(kControlReceive, *chain, message.size());
  return true;
}

}  // namespace sluice
