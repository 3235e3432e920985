// The virtio block device, driven through its rings. VIRTIO 1.3, 5.2.
#include <random>

#include "devices/virtio/blk.h"
#include "tests/unit/virtio_rig.h"

namespace sluice::virtio_test {
namespace {

enum Type : u32 { In = 0, Out = 1, Flush = 4, GetId = 8, Discard = 11, WriteZeroes = 13 };
constexpr u8 kOk = 0, kIoErr = 1, kUnsupported = 2;
constexpr u64 kBlkSize = 1ull << 6, kFlush = 1ull << 9, kWce = 1ull << 11, kMq = 1ull << 12,
              kDiscard = 1ull << 13, kZeroes = 1ull << 14, kRo = 1ull << 5;

// What the disk was asked to do, and the bytes.
struct DiskState {
  explicit DiskState(size_t sectors) : bytes(sectors * 512) {
    for (size_t i = 0; i < bytes.size(); i++) bytes[i] = u8(i / 512 * 7 + i);
  }
  Bytes bytes;
  std::mutex mutex;
  int flushes = 0, writes = 0, discards = 0, zeroes = 0;
  bool read_only = false;
  BlockStatus fail = BlockStatus::Ok;
  bool at_hand = false;
  std::atomic<int> reads{0}, reads_at_hand{0};
  std::atomic<bool> block{false};
  std::atomic<int> blocked{0};
};
class FakeDisk final : public BlockBackend {
 public:
  explicit FakeDisk(DiskState& s) : s_(s) {}
  u64 size() const override { return s_.bytes.size(); }
  bool read_only() const override { return s_.read_only; }
  std::string name() const override { return "fake"; }
  BlockStatus read(u64 offset, std::span<u8> out) override {
    wait();
    s_.reads++;
    std::lock_guard lock{s_.mutex};
    if (s_.fail != BlockStatus::Ok) return s_.fail;
    std::memcpy(out.data(), &s_.bytes[offset], out.size());
    return BlockStatus::Ok;
  }
  bool read_at_hand(u64 offset, Pieces pieces) override {
    if (!s_.at_hand) return false;
    s_.reads_at_hand++;
    for (std::span<std::byte> piece : pieces) {
      std::memcpy(piece.data(), &s_.bytes[offset], piece.size());
      offset += piece.size();
    }
    return true;
  }
  BlockStatus write(u64 offset, std::span<const u8> bytes) override {
    wait();
    std::lock_guard lock{s_.mutex};
    s_.writes++;
    if (s_.fail != BlockStatus::Ok) return s_.fail;
    std::memcpy(&s_.bytes[offset], bytes.data(), bytes.size());
    return BlockStatus::Ok;
  }
  BlockStatus flush() override { return s_.flushes++, s_.fail; }
  BlockStatus discard(u64, u64) override { return s_.discards++, s_.fail; }
  BlockStatus write_zeroes(u64 offset, u64 length, Unmap) override {
    s_.zeroes++;
    std::memset(&s_.bytes[offset], 0, length);
    return s_.fail;
  }

 private:
  void wait() {
    s_.blocked++;
    while (s_.block) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    s_.blocked--;
  }
  DiskState& s_;
};

struct Reply {
  u8 status;
  u32 used;
  Bytes data;
};

class VirtioBlkRequests : public testing::TestWithParam<bool> {
 protected:
  explicit VirtioBlkRequests(bool legacy = false) : d(legacy) {}
  VirtioBlk& plug(VirtioBlkOptions options = {}) {
    options.synchronous = GetParam();
    return d.plug<VirtioBlk>(std::make_unique<FakeDisk>(disk), options);
  }
  u64 put_header(u32 type, u64 sector) {
    u64 header = d.memory.allocate(16);
    d.memory.put<u32>(header, type);
    d.memory.put<u32>(header + 4, 0);
    d.memory.put<u64>(header + 8, sector);
    return header;
  }
  // One request; `out` goes to the device, `in_size` bytes are expected back. The status byte starts as 0xff.
  Reply request(u32 type, u64 sector, const Bytes& out, u32 in_size = 0, u16 queue = 0) {
    u64 header = put_header(type, sector), data = d.memory.allocate(out.size() + in_size + 1);
    std::vector<Buffer> buffers{{header, 16, false}};
    if (!out.empty()) d.memory.put_bytes(data, out), buffers.push_back({data, u32(out.size()), false});
    if (in_size) std::memset(d.memory.at(data), 0xee, in_size), buffers.push_back({data, in_size, true});
    u64 status = data + out.size() + in_size;
    d.memory.put<u8>(status, 0xff);
    buffers.push_back({status, 1, true});
    u16 head = d.add(queue, buffers);
    d.kick(queue);
    auto used = d.wait_used(queue);
    EXPECT_TRUE(used);
    if (!used) return {0xfe, 0, {}};
    EXPECT_EQ(used->id, head);
    return {d.memory.get<u8>(status), used->length, d.memory.get_bytes(data, in_size)};
  }
  Bytes on_disk(u64 sector, size_t count) {
    std::lock_guard lock{disk.mutex};
    return {disk.bytes.begin() + long(sector * 512), disk.bytes.begin() + long((sector + count) * 512)};
  }
  static Bytes segment(u64 sector, u32 count, u32 flags) {
    Bytes b(16);
    std::memcpy(&b[0], &sector, 8), std::memcpy(&b[8], &count, 4), std::memcpy(&b[12], &flags, 4);
    return b;
  }

  DiskState disk{4096};
  Driver d;
};
INSTANTIATE_TEST_SUITE_P(SynchronousAndWorker, VirtioBlkRequests, testing::Bool());

// A notification takes up to 128 KiB from the host's page cache, and leaves the rest to the worker.
TEST(VirtioBlk, ShortReadsOfWhatIsAtHandAreDoneInsideTheNotification) {
  DiskState disk{4096};
  disk.at_hand = true;
  Driver d;
  d.plug<VirtioBlk>(std::make_unique<FakeDisk>(disk));
  d.start(0, 1);
  const u64 header = d.memory.allocate(16), data = d.memory.allocate(1 << 20), status = d.memory.allocate(8);
  auto read = [&](u32 sector, u32 bytes) {
    d.memory.put<u32>(header, In);
    d.memory.put<u64>(header + 8, sector);
    d.memory.put<u8>(status, 0xff);
    d.add(
        0,
        {{header, 16, false}, {data, bytes / 2, true}, {data + 0x80000, bytes / 2, true}, {status, 1, true}});
    d.kick(0);
  };
  read(3, 4096);
  auto used = d.next_used(0);
  ASSERT_TRUE(used);
  EXPECT_EQ(used->length, 4097u);
  EXPECT_EQ(d.memory.get<u8>(status), kOk);
  EXPECT_EQ(d.memory.get_bytes(data, 2048), Bytes(disk.bytes.begin() + 1536, disk.bytes.begin() + 3584));
  EXPECT_EQ(d.memory.get_bytes(data + 0x80000, 2048),
            Bytes(disk.bytes.begin() + 3584, disk.bytes.begin() + 5632));
  EXPECT_TRUE(d.line());
  EXPECT_EQ(disk.reads_at_hand, 1);
  EXPECT_EQ(disk.reads, 0);

  read(0, 256 * 1024);
  ASSERT_TRUE(d.wait_used(0));
  EXPECT_EQ(disk.reads_at_hand, 1);
  disk.at_hand = false;
  read(0, 512);
  ASSERT_TRUE(d.wait_used(0));
  EXPECT_EQ(disk.reads, 4);  // two pieces each
}

TEST(VirtioBlk, RequestsOfOneNotificationAreToldByOneInterrupt) {
  DiskState disk{4096};
  disk.at_hand = true;
  Driver d;
  d.plug<VirtioBlk>(std::make_unique<FakeDisk>(disk));
  d.start(0, 1);
  const u64 header = d.memory.allocate(16), data = d.memory.allocate(4096), status = d.memory.allocate(8);
  d.memory.put<u32>(header, In);
  d.memory.put<u64>(header + 8, 0);
  for (int i = 0; i < 3; i++) d.add(0, {{header, 16, false}, {data, 512, true}, {status, 1, true}});
  const u64 before = d.interrupts();
  d.kick(0);
  EXPECT_EQ(d.interrupts() - before, 1u);
  for (int i = 0; i < 3; i++) EXPECT_TRUE(d.next_used(0));
}

TEST_P(VirtioBlkRequests, DescribesItself) {
  plug({.serial = "S",
        .num_queues = 3,
        .queue_size = 64,
        .logical_block_size = 512,
        .physical_block_size = 4096});
  EXPECT_EQ(d.read(0x008), 2u);
  EXPECT_EQ(d.config64(0), 4096u);       // capacity
  EXPECT_EQ(d.read(0x100 + 12), 62u);    // seg_max
  EXPECT_EQ(d.read(0x100 + 20), 512u);   // blk_size
  EXPECT_EQ(d.read(0x100 + 24, 1), 3u);  // physical_block_exp
  EXPECT_EQ(d.read(0x100 + 26, 2), 8u);  // min_io_size
  EXPECT_EQ(d.read(0x100 + 34, 2), 3u);  // num_queues
  EXPECT_EQ(d.offered() & (kMq | kRo | kFlush | kDiscard | kZeroes | kWce | kBlkSize),
            kMq | kFlush | kDiscard | kZeroes | kWce | kBlkSize);
}

TEST_P(VirtioBlkRequests, ReadsAndWrites) {
  plug();
  d.start(kFlush, 1);
  Reply r = request(In, 5, {}, 1024);
  EXPECT_EQ(r.status, kOk);
  EXPECT_EQ(r.used, 1025u);
  EXPECT_EQ(r.data, on_disk(5, 2));
  Bytes data(1536, 0x5a);
  r = request(Out, 7, data);
  EXPECT_EQ(r.status, kOk);
  EXPECT_EQ(r.used, 1u);
  EXPECT_EQ(on_disk(7, 3), data);
  EXPECT_EQ(request(Flush, 0, {}).status, kOk);
  EXPECT_EQ(disk.flushes, 1);
  EXPECT_EQ(request(In, 4095, {}, 512).status, kOk);  // the last sector
}

// Larger than the bounce buffer: done in pieces.
TEST_P(VirtioBlkRequests, LargeTransfers) {
  plug();
  d.start(kFlush, 1);
  Reply r = request(In, 1, {}, 3000 * 512);
  EXPECT_EQ(r.status, kOk);
  EXPECT_EQ(r.used, 3000u * 512 + 1);
  EXPECT_EQ(r.data, on_disk(1, 3000));
  Bytes data(2500 * 512);
  for (size_t i = 0; i < data.size(); i++) data[i] = u8(i * 13 >> 4);
  EXPECT_EQ(request(Out, 11, data).status, kOk);
  EXPECT_EQ(on_disk(11, 2500), data);
}

TEST_P(VirtioBlkRequests, HeaderDataAndStatusMayBeCutAnywhere) {
  plug();
  d.start(kFlush, 1);
  u64 header = put_header(In, 9), data = d.memory.allocate(513);
  d.add(0, {{header, 3, false},
            {header + 3, 0, false},
            {header + 3, 13, false},
            {data, 100, true},
            {data + 100, 413, true}});
  d.kick(0);
  auto used = d.wait_used(0);
  ASSERT_TRUE(used);
  EXPECT_EQ(used->length, 513u);
  EXPECT_EQ(d.memory.get_bytes(data, 512), on_disk(9, 1));
  EXPECT_EQ(d.memory.get<u8>(data + 512), kOk);
}

TEST_P(VirtioBlkRequests, RefusesWhatDoesNotFit) {
  plug();
  d.start(kFlush, 1);
  const Bytes before = disk.bytes;
  EXPECT_EQ(request(In, 4096, {}, 512).status, kIoErr);
  EXPECT_EQ(request(In, 4095, {}, 1024).status, kIoErr);
  EXPECT_EQ(request(In, ~u64{0}, {}, 512).status, kIoErr);
  EXPECT_EQ(request(In, ~u64{0} / 512, {}, 512).status, kIoErr);
  EXPECT_EQ(request(In, 0, {}, 511).status, kIoErr);
  EXPECT_EQ(request(Out, 4095, Bytes(1024)).status, kIoErr);
  EXPECT_EQ(request(Out, 0, Bytes(100)).status, kIoErr);
  Reply r = request(In, 4096, {}, 512);
  EXPECT_EQ(r.used, 0u);  // nothing was written from the start of the buffer
  EXPECT_EQ(r.data, Bytes(512, 0xee));
  EXPECT_EQ(disk.bytes, before);
  EXPECT_FALSE(d.needs_reset());
}

TEST_P(VirtioBlkRequests, UnknownRequestsAreUnsupported) {
  plug();
  d.start(kFlush, 1);
  for (u32 type : {2u, 3u, 5u, 10u, 14u, 0x80000000u, ~0u})
    EXPECT_EQ(request(type, 0, {}).status, kUnsupported);
  EXPECT_EQ(request(Discard, 0, segment(0, 1, 0)).status, kUnsupported);  // not negotiated
}

TEST_P(VirtioBlkRequests, DiskErrorsBecomeIoErr) {
  plug();
  d.start(kFlush, 1);
  for (BlockStatus s : {BlockStatus::IoError, BlockStatus::NoSpace, BlockStatus::ReadOnly}) {
    disk.fail = s;
    EXPECT_EQ(request(In, 0, {}, 512).status, kIoErr);
    EXPECT_EQ(request(Out, 0, Bytes(512)).status, kIoErr);
    EXPECT_EQ(request(Flush, 0, {}).status, kIoErr);
  }
}

TEST_P(VirtioBlkRequests, AReadOnlyDiskIsNeverWritten) {
  disk.read_only = true;
  plug();
  d.start(kFlush | kDiscard | kZeroes, 1);
  EXPECT_EQ(d.offered() & (kRo | kDiscard | kZeroes), kRo);
  EXPECT_EQ(request(Out, 0, Bytes(512)).status, kIoErr);
  EXPECT_NE(request(WriteZeroes, 0, segment(0, 1, 0)).status, kOk);
  EXPECT_EQ(disk.writes, 0);
  EXPECT_EQ(request(In, 0, {}, 512).status, kOk);
}

TEST_P(VirtioBlkRequests, GetId) {
  plug({.serial = "SLUICE-0001"});
  d.start(kFlush, 1);
  Reply r = request(GetId, 0, {}, 20);
  EXPECT_EQ(r.status, kOk);
  EXPECT_EQ(r.used, 21u);
  Bytes expected{'S', 'L', 'U', 'I', 'C', 'E', '-', '0', '0', '0', '1'};
  expected.resize(20);
  EXPECT_EQ(r.data, expected);
}

TEST_P(VirtioBlkRequests, DiscardAndWriteZeroes) {
  plug();
  d.start(kFlush | kDiscard | kZeroes, 1);
  Bytes two = segment(10, 2, 1), second = segment(20, 1, 0);
  two.insert(two.end(), second.begin(), second.end());
  EXPECT_EQ(request(WriteZeroes, 0, two).status, kOk);
  EXPECT_EQ(disk.zeroes, 2);
  EXPECT_EQ(on_disk(10, 2), Bytes(1024));
  EXPECT_EQ(on_disk(20, 1), Bytes(512));
  EXPECT_EQ(request(Discard, 0, segment(30, 4, 0)).status, kOk);
  EXPECT_EQ(disk.discards, 1);
  EXPECT_EQ(request(Discard, 0, segment(30, 4, 1)).status, kUnsupported);
  EXPECT_EQ(request(WriteZeroes, 0, segment(30, 4, 2)).status, kUnsupported);
  EXPECT_EQ(request(WriteZeroes, 0, segment(4095, 2, 0)).status, kIoErr);
  EXPECT_EQ(request(WriteZeroes, 0, Bytes(15)).status, kIoErr);
  EXPECT_EQ(request(WriteZeroes, 0, Bytes(16 * 33)).status, kIoErr);
  // One bad segment: none is carried out.
  Bytes mixed = segment(40, 1, 0), bad = segment(5000, 1, 0);
  mixed.insert(mixed.end(), bad.begin(), bad.end());
  Bytes before = on_disk(40, 1);
  EXPECT_EQ(request(WriteZeroes, 0, mixed).status, kIoErr);
  EXPECT_EQ(on_disk(40, 1), before);
  disk.fail = BlockStatus::Unsupported;  // a host that cannot discard: a hint, no error
  EXPECT_EQ(request(Discard, 0, segment(30, 4, 0)).status, kOk);
}

// 5.2.5.2: without FLUSH and CONFIG_WCE every completed write is stable.
TEST_P(VirtioBlkRequests, WithoutFlushWritesGoThrough) {
  plug();
  d.start(0, 1);
  EXPECT_EQ(request(Out, 0, Bytes(512)).status, kOk);
  EXPECT_EQ(disk.flushes, 1);
}

TEST_P(VirtioBlkRequests, TheDriverMayTurnTheCacheOff) {
  plug();
  d.start(kFlush | kWce, 1);
  EXPECT_EQ(d.read(0x120, 1), 1u);
  EXPECT_EQ(request(Out, 0, Bytes(512)).status, kOk);
  EXPECT_EQ(disk.flushes, 0);
  d.write(0x120, 0, 1);
  EXPECT_EQ(request(Out, 0, Bytes(512)).status, kOk);
  EXPECT_EQ(disk.flushes, 1);
  d.write(0x70, 0);
  EXPECT_EQ(d.read(0x120, 1), 1u);
}

TEST_P(VirtioBlkRequests, BlockSizeIsTheSmallestUnit) {
  plug({.logical_block_size = 4096, .physical_block_size = 4096});
  d.start(kFlush | kBlkSize, 1);
  EXPECT_EQ(request(In, 8, {}, 4096).status, kOk);
  EXPECT_EQ(request(In, 1, {}, 4096).status, kIoErr);
  EXPECT_EQ(request(In, 8, {}, 512).status, kIoErr);
}

TEST_P(VirtioBlkRequests, BadBuffersAreIoErr) {
  plug();
  d.start(kFlush, 1);
  for (u32 type : {In, Out}) {
    u64 header = put_header(type, 0), status = d.memory.allocate(1);
    d.memory.put<u8>(status, 0xff);
    d.add(0, {{header, 16, false}, {kNowhere, 512, type == In}, {status, 1, true}});
    d.kick(0);
    ASSERT_TRUE(d.wait_used(0));
    EXPECT_EQ(d.memory.get<u8>(status), kIoErr);
  }
  EXPECT_FALSE(d.needs_reset());
}

TEST_P(VirtioBlkRequests, WithoutHeaderOrStatusTheDeviceNeedsReset) {
  for (int variant = 0; variant < 3; variant++) {
    Driver own;
    VirtioBlkOptions options;
    options.synchronous = GetParam();
    own.plug<VirtioBlk>(std::make_unique<FakeDisk>(disk), options);
    own.start(kFlush, 1);
    u64 b = own.memory.allocate(32);
    if (variant == 0) own.add(0, {{b, 16, false}});
    if (variant == 1) own.add(0, {{b, 15, false}, {b + 16, 1, true}});
    if (variant == 2) own.add(0, {{b, 16, true}});
    own.kick(0);
    EXPECT_TRUE(own.needs_reset()) << variant;
  }
}

TEST_P(VirtioBlkRequests, SeveralQueues) {
  plug({.num_queues = 4});
  d.start(kFlush | kMq, 4);
  for (u16 n = 0; n < 4; n++) EXPECT_EQ(request(In, n, {}, 512, n).data, on_disk(n, 1));
}

TEST_P(VirtioBlkRequests, WaitIdleReturns) {
  VirtioBlk& device = plug();
  d.start(kFlush, 1);
  for (int i = 0; i < 8; i++) {
    u64 header = put_header(In, u64(i)), data = d.memory.allocate(513);
    d.add(0, {{header, 16, false}, {data, 513, true}});
    d.rings[0].free = u16((i + 1) * 2 % 16);
  }
  d.kick(0);
  device.wait_idle();
  EXPECT_EQ(d.used_index(0), 8);
}

class VirtioBlkLegacy : public VirtioBlkRequests {
 protected:
  VirtioBlkLegacy() : VirtioBlkRequests(true) {}
};
INSTANTIATE_TEST_SUITE_P(SynchronousAndWorker, VirtioBlkLegacy, testing::Bool());

TEST_P(VirtioBlkLegacy, ReadsAndWrites) {
  plug();
  d.start(kFlush, 1);
  EXPECT_EQ(request(In, 3, {}, 512).data, on_disk(3, 1));
  EXPECT_EQ(request(Out, 3, Bytes(512, 9)).status, kOk);
  EXPECT_EQ(on_disk(3, 1), Bytes(512, 9));
}

// The worker sits in the disk, with guest memory in its hands, while the driver resets: the store that resets
// retires when the transfer has ended, and nothing of the old life reaches guest memory after it.
TEST(VirtioBlkWorker, AResetWaitsForTheTransferThatIsUnderWay) {
  DiskState disk{64};
  Driver d;
  d.plug<VirtioBlk>(std::make_unique<FakeDisk>(disk));
  d.start(kFlush, 1);
  disk.block = true;
  u64 header = d.memory.allocate(16), data = d.memory.allocate(513);
  std::memset(d.memory.at(header), 0, 16);
  for (int i = 0; i < 4; i++) d.add(0, {{header, 16, false}, {data, 513, true}});
  d.kick(0);
  while (disk.blocked == 0) std::this_thread::yield();
  std::atomic<bool> retired{false};
  std::thread driver{[&] {
    d.write(0x70, 0);
    retired = true;
    std::memset(d.memory.at(data), 0xee, 513);
  }};
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_FALSE(retired);
  disk.block = false;
  driver.join();
  d.start(kFlush, 1);
  static_cast<VirtioBlk*>(d.slot().device())->wait_idle();
  EXPECT_EQ(d.memory.get_bytes(data, 513), Bytes(513, 0xee));
  EXPECT_EQ(d.used_index(0), 0);
  d.add(0, {{header, 16, false}, {data, 513, true}});
  d.kick(0);
  EXPECT_TRUE(d.wait_used(0));
}

TEST(VirtioBlkWorker, GoesAwayWithWorkInFlight) {
  DiskState disk{64};
  Driver d;
  d.plug<VirtioBlk>(std::make_unique<FakeDisk>(disk));
  d.start(kFlush, 1);
  u64 header = d.memory.allocate(16), data = d.memory.allocate(513);
  std::memset(d.memory.at(header), 0, 16);
  for (int i = 0; i < 8; i++) d.add(0, {{header, 16, false}, {data, 513, true}});
  d.kick(0);
}

// Random requests in random shapes; the disk against a model, used lengths against the prefix rule.
TEST_P(VirtioBlkRequests, RandomRequestsMatchAModel) {
  constexpr unsigned kSeed = 77;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 random{kSeed};
  plug();
  d.start(kFlush | kZeroes, 1);
  Bytes model = disk.bytes;
  for (int i = 0; i < 600; i++) {
    u64 sector = random() % 4200;
    u32 count = random() % 12, size = count * 512 + (random() % 10 == 0 ? random() % 511 : 0);
    bool good = size % 512 == 0 && sector + count <= 4096;
    if (random() % 2) {
      Bytes data(size);
      for (u8& b : data) b = u8(random());
      Reply r = request(Out, sector, data);
      ASSERT_EQ(r.status, good ? kOk : kIoErr);
      ASSERT_EQ(r.used, 1u);
      if (good) std::copy(data.begin(), data.end(), model.begin() + long(sector * 512));
    } else {
      Reply r = request(In, sector, {}, size);
      ASSERT_EQ(r.status, good ? kOk : kIoErr);
      ASSERT_EQ(r.used, good || size == 0 ? size + 1 : 0);
      if (good) {
        ASSERT_TRUE(std::equal(r.data.begin(), r.data.end(), model.begin() + long(sector * 512)));
      }
    }
  }
  EXPECT_EQ(disk.bytes, model);
}

}  // namespace
}  // namespace sluice::virtio_test
