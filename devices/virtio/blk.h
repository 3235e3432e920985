// devices/virtio/blk.h: virtio block device. VIRTIO 1.3, 5.2.
// Disk work is done by one worker thread, so that a notification does not wait for the host; a short read of
// what the host has in its page cache is done inside the notification, and for deterministic runs everything
// is. Guest memory is only touched under the transport's lock and
// only for requests of the present life of the queue: a reset never waits for the disk. Not modelled:
// lifetime, secure erase, zoned; the legacy SCSI and barrier commands.
#pragma once
#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "devices/block/backend.h"
#include "devices/virtio/device.h"

namespace sluice {

struct VirtioBlkOptions {
  std::string serial{};           // at most 20 bytes are shown
  u16 num_queues = 1;             // 1..16
  u16 queue_size = 256;           // a power of two, 4..1024
  u32 logical_block_size = 512;   // a power of two, 512..32768
  u32 physical_block_size = 512;  // a power of two, at least logical_block_size
  bool discard = true;            // offer DISCARD and WRITE_ZEROES
  bool write_cache = true;        // writeback until the driver chooses (CONFIG_WCE)
  bool synchronous = false;       // serve requests inside the notification (icount)
};

class VirtioBlk final : public VirtioDevice {
 public:
  VirtioBlk(std::unique_ptr<BlockBackend> disk, VirtioBlkOptions options = {});
  ~VirtioBlk() override;

  // Waits until the worker has nothing to do. Call it without the lock, with the vCPUs stopped.
  void wait_idle();

 protected:
  u64 device_features(bool legacy) const override;
  void features_changed() override;
  void notify(u16 n) override;
  void reset_device() override;
  void queue_was_reset(u16 n) override;
  void config_written(u32 offset, std::span<const u8> bytes) override;

 private:
  struct Request {
    u16 queue;
    Chain chain;
    u32 type;
    u64 sector;
  };
  struct Outcome {
    u8 status;
    u64 written;  // bytes of data written to the guest, without the status byte
  };
  struct Segment {  // of DISCARD and WRITE_ZEROES, in bytes
    u64 offset, length;
    bool unmap;
  };
  enum class Step : u8 { Done, Stale };  // Stale: the queue was reset meanwhile, drop the request

  void fill_config();
  void update_write_through();
  bool parse(u16 n, Chain&& chain, Request& out);
  void submit(Request&& request);
  bool read_at_hand(Request& request, u64& budget);
  void work();
  void serve(Request& request);
  Step transfer(Request& request, Outcome& out);
  Step move_chunk(Request& request, u64 done, u64 size, Outcome& out);
  bool move_directly(const Request& request, u64 done, u64 size, BlockStatus& status);
  Step read_chunk(Request& request, u64 done, std::span<u8> buffer, Outcome& out);
  Step write_chunk(Request& request, u64 done, std::span<u8> buffer, Outcome& out);
  Step run(Request& request, Outcome& out);
  Step get_id(Request& request, Outcome& out);
  Step change_ranges(Request& request, Outcome& out);
  u8 parse_segments(const Request& request, std::span<const u8> bytes, std::vector<Segment>& segments) const;
  u8 apply(u32 type, const Segment& segment);
  u8 after_write(u8 status);
  void finish(Request& request, const Outcome& outcome);
  u8 check_range(u64 sector, u64 bytes) const;
  // Runs `body` with the transport's lock held, unless the request's queue was reset.
  template <class Body>
  Step with_guest(const Request& request, Body body);

  std::unique_ptr<BlockBackend> disk_;
  const VirtioBlkOptions options_;
  std::unique_ptr<u8[]> bounce_;  // the worker's
  std::atomic<bool> write_through_{false};

  // The worker's in-tray. Its mutex is innermost: taken with or without the transport's lock, never around
  // it.
  std::mutex mutex_;
  std::deque<Request> pending_;
  bool busy_ = false;
  std::atomic<bool> stopping_{false};
  std::condition_variable work_arrived_, idle_;
  std::thread worker_;
};

}  // namespace sluice
