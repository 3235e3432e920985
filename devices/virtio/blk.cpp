// devices/virtio/blk.cpp: virtio block requests. VIRTIO 1.3, 5.2.6.
#include "devices/virtio/blk.h"

#include <algorithm>
#include <cstring>

#include "base/log.h"

namespace sluice {
namespace {

// VIRTIO_BLK_F_*
constexpr unsigned kSegMax = 2, kGeometry = 4, kReadOnly = 5, kBlkSize = 6, kFlush = 9, kTopology = 10,
                   kConfigWce = 11, kMultiQueue = 12, kDiscard = 13, kWriteZeroes = 14;
// VIRTIO_BLK_T_*
constexpr u32 kTypeIn = 0, kTypeOut = 1, kTypeFlush = 4, kTypeGetId = 8, kTypeDiscard = 11,
              kTypeWriteZeroes = 13;
// VIRTIO_BLK_S_*
constexpr u8 kOk = 0, kIoErr = 1, kUnsupported = 2;

// struct virtio_blk_config
constexpr size_t kAtCapacity = 0, kAtSegMax = 12, kAtCylinders = 16, kAtHeads = 18, kAtSectors = 19,
                 kAtBlkSize = 20, kAtPhysicalExp = 24, kAtMinIo = 26, kAtOptIo = 28, kAtWriteback = 32,
                 kAtNumQueues = 34, kAtMaxDiscardSectors = 36, kAtMaxDiscardSeg = 40, kAtDiscardAlign = 44,
                 kAtMaxZeroSectors = 48, kAtMaxZeroSeg = 52, kAtZeroMayUnmap = 56, kConfigSize = 60;

constexpr u64 kSector = 512, kHeaderSize = 16, kSegmentSize = 16, kIdSize = 20;
constexpr u64 kBounceSize = 256 * 1024;     // guest memory and disk are never held at the same time for more
constexpr u64 kAtHand = 128 * 1024;         // what one notification copies itself
constexpr u64 kMaxRequest = u64{1} << 30;   // larger transfers are refused
constexpr u32 kMaxRangeSectors = 0x3fffff;  // of one DISCARD or WRITE_ZEROES segment: just under 2 GiB
constexpr u32 kMaxRangeSegments = 32;

template <class T>
void put(std::span<u8> config, size_t at, T value) {
  for (size_t i = 0; i < sizeof(T); i++) config[at + i] = u8(u64(value) >> (8 * i));
}
u32 get32(const u8* p) { return u32{p[0]} | u32{p[1]} << 8 | u32{p[2]} << 16 | u32{p[3]} << 24; }
u64 get64(const u8* p) { return get32(p) | u64{get32(p + 4)} << 32; }

u8 to_status(BlockStatus s) {
  return s == BlockStatus::Ok ? kOk : s == BlockStatus::Unsupported ? kUnsupported : kIoErr;
}
u64 data_to_guest(const Chain& chain) { return chain.writable_size() - 1; }
u64 data_from_guest(const Chain& chain) { return chain.readable_size() - kHeaderSize; }

}  // namespace

VirtioBlk::VirtioBlk(std::unique_ptr<BlockBackend> disk, VirtioBlkOptions options)
    : VirtioDevice(VirtioId::Block, std::vector<u16>(options.num_queues, options.queue_size), kConfigSize),
      disk_(std::move(disk)),
      options_(std::move(options)),
      bounce_(std::make_unique<u8[]>(kBounceSize)) {
  fill_config();
  if (!options_.synchronous) worker_ = std::thread{[this] { work(); }};
}

VirtioBlk::~VirtioBlk() {
  if (!worker_.joinable()) return;
  {
    std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  work_arrived_.notify_one();
  worker_.join();
}

void VirtioBlk::fill_config() {
  std::span<u8> c = config();
  const u64 sectors = disk_->size() / kSector;
  const u32 block = options_.logical_block_size, physical = std::max(block, options_.physical_block_size);
  put<u64>(c, kAtCapacity, sectors);
  put<u32>(c, kAtSegMax, u32(options_.queue_size) - 2);  // header and status take two descriptors
  put<u16>(c, kAtCylinders, u16(std::min<u64>(sectors / (16 * 63), 16383)));
  put<u8>(c, kAtHeads, 16);
  put<u8>(c, kAtSectors, 63);
  put<u32>(c, kAtBlkSize, block);
  u8 exponent = 0;
  while ((block << exponent) < physical) exponent++;
  put<u8>(c, kAtPhysicalExp, exponent);
  put<u16>(c, kAtMinIo, u16(physical / block));
  put<u32>(c, kAtOptIo, 0);
  put<u8>(c, kAtWriteback, options_.write_cache);
  put<u16>(c, kAtNumQueues, options_.num_queues);
  put<u32>(c, kAtMaxDiscardSectors, kMaxRangeSectors);
  put<u32>(c, kAtMaxDiscardSeg, kMaxRangeSegments);
  put<u32>(c, kAtDiscardAlign, u32(block / kSector));
  put<u32>(c, kAtMaxZeroSectors, kMaxRangeSectors);
  put<u32>(c, kAtMaxZeroSeg, kMaxRangeSegments);
  put<u8>(c, kAtZeroMayUnmap, 1);
}

u64 VirtioBlk::device_features(bool) const {
  u64 bits = 1ull << kSegMax | 1ull << kGeometry | 1ull << kBlkSize | 1ull << kFlush | 1ull << kTopology |
             1ull << kConfigWce;
  if (options_.num_queues > 1) bits |= 1ull << kMultiQueue;
  if (disk_->read_only())
    bits |= 1ull << kReadOnly;
  else if (options_.discard)
    bits |= 1ull << kDiscard | 1ull << kWriteZeroes;
  return bits;
}

// 5.2.5.2: without a way to flush, the driver may assume that what is complete is stable.
void VirtioBlk::features_changed() { update_write_through(); }

void VirtioBlk::update_write_through() {
  bool cached =
      has_feature(kConfigWce) ? config()[kAtWriteback] != 0 : has_feature(kFlush) && options_.write_cache;
  write_through_.store(!cached, std::memory_order_relaxed);
}

void VirtioBlk::config_written(u32 offset, std::span<const u8> bytes) {
  if (offset != kAtWriteback || bytes.size() != 1 || !has_feature(kConfigWce))
    return VirtioDevice::config_written(offset, bytes);
  config()[kAtWriteback] = bytes[0] & 1;
  update_write_through();
}

void VirtioBlk::reset_device() {
  config()[kAtWriteback] = options_.write_cache;
  std::lock_guard lock{mutex_};
  pending_.clear();
}

void VirtioBlk::queue_was_reset(u16 n) {
  std::lock_guard lock{mutex_};
  std::erase_if(pending_, [n](const Request& r) { return r.queue == n; });
}

void VirtioBlk::notify(u16 n) {
  u64 budget = kAtHand;
  drain(n, [&](Chain&& chain) {
    Request request;
    if (!parse(n, std::move(chain), request)) return false;
    if (!read_at_hand(request, budget)) submit(std::move(request));
    return true;
  });
}

// Waking the worker, and the PE when it is done, takes longer than such a read. False: not done.
bool VirtioBlk::read_at_hand(Request& request, u64& budget) {
  const u64 size = data_to_guest(request.chain);
  if (options_.synchronous || request.type != kTypeIn || size == 0 || size > budget) return false;
  if (check_range(request.sector, size) != kOk) return false;
  {
    DmaMapping mapping = request.chain.map_writable(0, size);
    DmaMapping::Pin pin = mapping.pin();
    if (!pin || !disk_->read_at_hand(request.sector * kSector, pin.spans())) return false;
    pin.note_write(0, size);
  }
  budget -= size;
  finish(request, {kOk, size});
  return true;
}

bool VirtioBlk::parse(u16 n, Chain&& chain, Request& out) {
  std::array<u8, kHeaderSize> header;
  if (chain.writable_size() == 0) return fail(n, "block request without a status byte"), false;
  if (!chain.read(0, header)) return fail(n, "block request without a readable header"), false;
  out = {n, std::move(chain), get32(&header[0]), get64(&header[8])};
  return true;
}

void VirtioBlk::submit(Request&& request) {
  if (options_.synchronous) return serve(request);
  {
    std::lock_guard lock{mutex_};
    pending_.push_back(std::move(request));
  }
  work_arrived_.notify_one();
}

void VirtioBlk::work() {
  std::unique_lock lock{mutex_};
  for (;;) {
    work_arrived_.wait(lock, [this] { return stopping_ || !pending_.empty(); });
    if (stopping_) return;
    Request request = std::move(pending_.front());
    pending_.pop_front();
    busy_ = true;
    lock.unlock();
    serve(request);
    lock.lock();
    busy_ = false;
    if (pending_.empty()) idle_.notify_all();
  }
}

void VirtioBlk::wait_idle() {
  std::unique_lock lock{mutex_};
  idle_.wait(lock, [this] { return pending_.empty() && !busy_; });
}

template <class Body>
VirtioBlk::Step VirtioBlk::with_guest(const Request& request, Body body) {
  Step step = Step::Stale;
  auto guarded = [&] {
    if (queue(request.queue).is_stale(request.chain) || stopping_) return;
    body();
    step = Step::Done;
  };
  if (options_.synchronous)
    guarded();
  else
    enter_device(transport(), guarded);
  return step;
}

void VirtioBlk::serve(Request& request) {
  Outcome outcome{kIoErr, 0};
  if (run(request, outcome) == Step::Stale) return;
  static_cast<void>(with_guest(request, [&] { finish(request, outcome); }));
}

VirtioBlk::Step VirtioBlk::run(Request& request, Outcome& out) {
  switch (request.type) {
    case kTypeIn:
    case kTypeOut: return transfer(request, out);
    case kTypeFlush: out.status = to_status(disk_->flush()); return Step::Done;
    case kTypeGetId: return get_id(request, out);
    case kTypeDiscard:
    case kTypeWriteZeroes: return change_ranges(request, out);
    default: out.status = kUnsupported; return Step::Done;
  }
}

u8 VirtioBlk::check_range(u64 sector, u64 bytes) const {
  const u64 sectors = disk_->size() / kSector, block_sectors = options_.logical_block_size / kSector;
  if (bytes % options_.logical_block_size || sector % block_sectors) return kIoErr;
  return sector <= sectors && bytes / kSector <= sectors - sector ? kOk : kIoErr;
}

VirtioBlk::Step VirtioBlk::transfer(Request& request, Outcome& out) {
  const bool in = request.type == kTypeIn;
  const u64 size = in ? data_to_guest(request.chain) : data_from_guest(request.chain);
  if (size > kMaxRequest || check_range(request.sector, size) != kOk || (!in && disk_->read_only())) {
    guest_error("virtio-blk: %s of %llu bytes at sector %llu refused", in ? "read" : "write",
                static_cast<unsigned long long>(size), static_cast<unsigned long long>(request.sector));
    return Step::Done;
  }
  out.status = kOk;
  for (u64 done = 0; done < size && out.status == kOk; done += kBounceSize) {
    if (move_chunk(request, done, std::min(kBounceSize, size - done), out) == Step::Stale) return Step::Stale;
  }
  if (!in) out.status = after_write(out.status);
  return Step::Done;
}

// Between the disk and guest memory without a copy, where that is plain memory. False: not done.
bool VirtioBlk::move_directly(const Request& request, u64 done, u64 size, BlockStatus& status) {
  const bool in = request.type == kTypeIn;
  DmaMapping mapping =
      in ? request.chain.map_writable(done, size) : request.chain.map_readable(kHeaderSize + done, size);
  DmaMapping::Pin pin = mapping.pin();
  if (!pin) return false;
  u64 at = request.sector * kSector + done;
  if (in) {
    status = disk_->read_pieces(at, pin.spans());
    pin.note_write(0, size);
    return true;
  }
  for (std::span<std::byte> piece : pin.spans()) {
    status = disk_->write(at, {reinterpret_cast<const u8*>(piece.data()), piece.size()});
    if (status != BlockStatus::Ok) break;
    at += piece.size();
  }
  return true;
}

VirtioBlk::Step VirtioBlk::move_chunk(Request& request, u64 done, u64 size, Outcome& out) {
  // No lock: a reset closes the queue's mapper, which ends new pins and waits for those that are held.
  BlockStatus status = BlockStatus::Ok;
  if (!move_directly(request, done, size, status)) {
    std::span<u8> buffer{bounce_.get(), size_t(size)};
    return request.type == kTypeIn ? read_chunk(request, done, buffer, out)
                                   : write_chunk(request, done, buffer, out);
  }
  out.status = to_status(status);
  if (request.type == kTypeIn && out.status == kOk) out.written += size;
  return Step::Done;
}

VirtioBlk::Step VirtioBlk::read_chunk(Request& request, u64 done, std::span<u8> buffer, Outcome& out) {
  out.status = to_status(disk_->read(request.sector * kSector + done, buffer));
  if (out.status != kOk) return Step::Done;
  return with_guest(request, [&] {
    if (request.chain.write(done, buffer))
      out.written += buffer.size();
    else
      out.status = kIoErr;
  });
}

VirtioBlk::Step VirtioBlk::write_chunk(Request& request, u64 done, std::span<u8> buffer, Outcome& out) {
  Step step = with_guest(request,
                         [&] { out.status = request.chain.read(kHeaderSize + done, buffer) ? kOk : kIoErr; });
  if (step == Step::Done && out.status == kOk)
    out.status = to_status(disk_->write(request.sector * kSector + done, buffer));
  return step;
}

u8 VirtioBlk::after_write(u8 status) {
  if (status != kOk || !write_through_.load(std::memory_order_relaxed)) return status;
  return to_status(disk_->flush());
}

VirtioBlk::Step VirtioBlk::get_id(Request& request, Outcome& out) {
  std::array<u8, kIdSize> id{};
  std::memcpy(id.data(), options_.serial.data(), std::min<size_t>(options_.serial.size(), kIdSize));
  size_t size = size_t(std::min<u64>(kIdSize, data_to_guest(request.chain)));
  return with_guest(request, [&] {
    if (!request.chain.write(0, {id.data(), size})) return;
    out = {kOk, size};
  });
}

// All segments are checked before any is carried out.
VirtioBlk::Step VirtioBlk::change_ranges(Request& request, Outcome& out) {
  const u64 size = data_from_guest(request.chain);
  const unsigned feature = request.type == kTypeDiscard ? kDiscard : kWriteZeroes;
  std::vector<u8> bytes;
  Step step = with_guest(request, [&] {
    if (disk_->read_only())
      out.status = kIoErr;
    else if (!has_feature(feature))
      out.status = kUnsupported;
    else if (size == 0 || size % kSegmentSize || size / kSegmentSize > kMaxRangeSegments)
      out.status = kIoErr;
    else {
      bytes.resize(size_t(size));
      out.status = request.chain.read(kHeaderSize, bytes) ? kOk : kIoErr;
    }
  });
  if (step == Step::Stale || out.status != kOk) return step;
  std::vector<Segment> segments;
  out.status = parse_segments(request, bytes, segments);
  for (const Segment& s : segments)
    if (out.status == kOk) out.status = apply(request.type, s);
  out.status = after_write(out.status);
  return Step::Done;
}

// struct virtio_blk_discard_write_zeroes: le64 sector; le32 num_sectors; le32 flags (bit 0: unmap).
u8 VirtioBlk::parse_segments(const Request& request, std::span<const u8> bytes,
                             std::vector<Segment>& segments) const {
  for (size_t at = 0; at < bytes.size(); at += kSegmentSize) {
    const u64 sector = get64(&bytes[at]);
    const u32 count = get32(&bytes[at + 8]), flags = get32(&bytes[at + 12]);
    if (flags & (request.type == kTypeDiscard ? ~u32{0} : ~u32{1})) return kUnsupported;
    if (count > kMaxRangeSectors || check_range(sector, count * kSector) != kOk) return kIoErr;
    if (count) segments.push_back({sector * kSector, count * kSector, (flags & 1) != 0});
  }
  return kOk;
}

u8 VirtioBlk::apply(u32 type, const Segment& s) {
  using Unmap = BlockBackend::Unmap;
  if (type == kTypeDiscard) {
    // A host file system that cannot punch holes just keeps the bytes: a discard is a hint.
    BlockStatus status = disk_->discard(s.offset, s.length);
    return status == BlockStatus::Unsupported ? kOk : to_status(status);
  }
  return to_status(disk_->write_zeroes(s.offset, s.length, s.unmap ? Unmap::Allow : Unmap::Keep));
}

// The status byte is the last writable one. The used length counts what was written from the start without a
// gap (2.7.8.2), so the status byte counts only behind a complete data part.
void VirtioBlk::finish(Request& request, const Outcome& outcome) {
  const u64 status_at = data_to_guest(request.chain);
  if (!request.chain.write(status_at, {&outcome.status, 1}))
    return fail(request.queue, "status byte is not writable");
  complete(request.queue, request.chain, outcome.written == status_at ? status_at + 1 : outcome.written);
}

}  // namespace sluice
