// devices/virtio/net.cpp: virtio network device. VIRTIO 1.3, 5.1.6.
#include "devices/virtio/net.h"

#include <algorithm>
#include <cstring>

#include "base/log.h"

namespace sluice {
namespace {

constexpr unsigned kMtu = 3, kMac = 5, kMrgRxbuf = 15, kStatus = 16;  // VIRTIO_NET_F_*
constexpr u16 kLinkUp = 1;                                            // VIRTIO_NET_S_LINK_UP
constexpr size_t kConfigMac = 0, kConfigStatus = 6, kConfigMtu = 10, kConfigSize = 12;
constexpr size_t kMaxFrame = 65550;  // 5.1.6.3: the largest that a driver may ever send or be sent
constexpr size_t kNumBuffersAt = 10;
constexpr size_t kHeader = 12, kLegacyHeader = 10;  // without num_buffers

void put16(std::span<u8> config, size_t at, u16 value) {
  config[at] = u8(value);
  config[at + 1] = u8(value >> 8);
}

}  // namespace

VirtioNet::VirtioNet(std::unique_ptr<NetBackend> backend, VirtioNetOptions options)
    : VirtioDevice(VirtioId::Net, {options.queue_size, options.queue_size}, kConfigSize),
      backend_(std::move(backend)),
      options_(options) {
  std::copy(options.mac.begin(), options.mac.end(), config().begin() + kConfigMac);
  put16(config(), kConfigStatus, kLinkUp);
  put16(config(), 8, 1);  // max_virtqueue_pairs, meaningful with VIRTIO_NET_F_MQ only
  put16(config(), kConfigMtu, options.mtu);
  frame_.reserve(kMaxFrame);
}

void VirtioNet::connected() {
  backend_->on_receive([this](std::span<const u8> frame) { return receive(frame); });
}

VirtioNet::~VirtioNet() { backend_->on_receive({}); }

u64 VirtioNet::device_features(bool) const {
  return 1ull << kMac | 1ull << kMrgRxbuf | 1ull << kStatus | (options_.mtu ? 1ull << kMtu : 0);
}

void VirtioNet::set_link(bool up) {
  enter_device(transport(), [&] {
    put16(config(), kConfigStatus, up ? kLinkUp : 0);
    commit_config();
  });
}

// 5.1.4.2 (legacy): a driver without VIRTIO_NET_F_CTRL_MAC_ADDR sets its address through the configuration
// space.
void VirtioNet::config_written(u32 offset, std::span<const u8> bytes) {
  if (!is_legacy() || offset + bytes.size() > kConfigStatus)
    return VirtioDevice::config_written(offset, bytes);
  std::copy(bytes.begin(), bytes.end(), config().begin() + offset);
}

// 5.1.6.1: num_buffers is always there, except for a legacy driver without VIRTIO_NET_F_MRG_RXBUF.
size_t VirtioNet::header_size() const {
  return is_legacy() && !has_feature(kMrgRxbuf) ? kLegacyHeader : kHeader;
}

void VirtioNet::driver_ok() {
  for (u16 n : {kReceive, kTransmit}) kick(n);
}

void VirtioNet::notify(u16 n) {
  if (n == kReceive) return resume();
  drain(n, [&](Chain&& chain) { return transmit(std::move(chain)), true; });
}

void VirtioNet::resume() {
  queue(kReceive).want_notifications(false);
  inside_backend_ = std::this_thread::get_id();
  backend_->resume();
  inside_backend_ = std::thread::id{};
}

void VirtioNet::transmit(Chain&& chain) {
  const size_t header = header_size();
  u64 size = chain.readable_size();
  if (size <= header || size - header > kMaxFrame) {
    guest_error("virtio-net: frame of %llu bytes", static_cast<unsigned long long>(size));
    dropped_++;
  } else {
    frame_.resize(size_t(size) - header);
    if (!chain.read(header, frame_)) return fail(kTransmit, "frame is not readable");
    inside_backend_ = std::this_thread::get_id();
    backend_->send(frame_);
    inside_backend_ = std::thread::id{};
  }
  complete(kTransmit, chain, 0);
}

bool VirtioNet::receive(std::span<const u8> frame) {
  // The back end answers from inside send() or resume(): this thread already holds the lock.
  if (inside_backend_ == std::this_thread::get_id()) return receive_locked(frame);
  bool taken = false;
  enter_device(transport(), [&] { taken = receive_locked(frame); });
  return taken;
}

// Takes chains until they hold `wanted` bytes. False: there are not enough yet, and none was taken.
bool VirtioNet::gather(u64 wanted, std::vector<Chain>& chains, u64& room) {
  VirtQueue& q = queue(kReceive);
  const bool mergeable = has_feature(kMrgRxbuf);
  room = 0;
  while (room < wanted) {
    std::optional<Chain> chain;
    if (mergeable || chains.empty()) chain = q.pop();
    if (!chain) break;
    room += chain->writable_size();
    chains.push_back(std::move(*chain));
  }
  if (room >= wanted || (!mergeable && !chains.empty())) return true;
  for (auto c = chains.rbegin(); c != chains.rend(); ++c) q.unpop(*c);
  return false;
}

bool VirtioNet::receive_locked(std::span<const u8> frame) {
  // A card without a driver, or without a link, loses what arrives.
  if (!is_live() || !queue(kReceive).usable() || !(config()[kConfigStatus] & kLinkUp) ||
      frame.size() > kMaxFrame) {
    dropped_++;
    return true;
  }
  std::vector<Chain> chains;
  u64 room = 0;
  const u64 wanted = header_size() + frame.size();
  if (!gather(wanted, chains, room)) {
    // Ask to hear of new buffers, then look again: the driver may have added some in between.
    queue(kReceive).want_notifications(true);
    if (!gather(wanted, chains, room)) {
      if (queue(kReceive).usable()) return false;
      fail(kReceive, "receive queue is broken");
      dropped_++;
      return true;
    }
  }
  if (room < wanted) {  // not mergeable, and the driver's buffer is too small for this frame
    queue(kReceive).unpop(chains.front());
    guest_error("virtio-net: receive buffer of %llu bytes", static_cast<unsigned long long>(room));
    dropped_++;
    return true;
  }
  deliver(frame, chains);
  return true;
}

void VirtioNet::deliver(std::span<const u8> frame, const std::vector<Chain>& chains) {
  const size_t header = header_size();
  std::vector<u8> bytes(header + frame.size());
  if (header == kHeader) put16(bytes, kNumBuffersAt, u16(chains.size()));
  std::copy(frame.begin(), frame.end(), bytes.begin() + long(header));
  std::span<const u8> rest{bytes};
  for (const Chain& chain : chains) {
    size_t part = size_t(std::min<u64>(rest.size(), chain.writable_size()));
    if (!chain.write(0, rest.first(part))) return fail(kReceive, "receive buffer is not writable");
    rest = rest.subspan(part);
    complete(kReceive, chain, part);
  }
}

}  // namespace sluice
