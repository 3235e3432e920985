// devices/iommu/virtio_iommu/device.h: virtio IOMMU device, the half that the driver talks to.
// VIRTIO 1.3, 5.13. Wiring: plugged into a modern virtio transport whose own DMA does not pass this IOMMU;
// `region()` is placed in front of DMA masters or PEs. A legacy transport offers it no feature, and so no
// request. A request that takes access away is used only when nobody has that access any more
// (docs/invalidation.md). The machine opens a CompletionScope around a reset, before it takes the transport's
// lock.
#pragma once
#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>

#include "devices/iommu/virtio_iommu/region.h"
#include "devices/virtio/device.h"

namespace sluice {

class VirtioIommu final : public VirtioDevice {
 public:
  VirtioIommu(InvalidationHub& hub, AddressSpace& downstream, VirtioIommuConfig config = {});
  ~VirtioIommu() override;

  const std::shared_ptr<VirtioIommuRegion>& region() const { return region_; }
  // See VirtioIommuRegion; before the machine runs, or later for hot-plug.
  [[nodiscard]] std::string add_endpoint(u32 id, std::vector<VirtioIommuRegion::Reserved> reserved = {}) {
    return region_->add_endpoint(id, std::move(reserved));
  }
  [[nodiscard]] std::string add_mirrored_endpoint(u32 id, SoftHostIommu& container,
                                                  std::vector<VirtioIommuRegion::Reserved> reserved = {});
  // With the transport's lock held, after the transport's own reset: `bypass` as at boot (5.13.4).
  void system_reset();
  // The same; takes that lock.
  void machine_reset() {
    std::lock_guard lock{transport().lock()};
    system_reset();
  }

  struct Counters {
    u64 requests_ok = 0;        // used with status OK
    u64 requests_refused = 0;   // used with another status
    u64 requests_unparsed = 0;  // used unwritten: no such type, or too short
    u64 faults_reported = 0;
    u64 faults_lost = 0;  // no buffer, or too small a one
  };
  Counters counters() const;
  // For `info iommu`: endpoints, domains, counters.
  std::string report() const;

 protected:
  u64 device_features(bool legacy) const override;
  void driver_ok() override { region_->freeze_page_sizes(); }
  void notify(u16 n) override;
  void reset_device() override;
  void queue_was_reset(u16 n) override;
  void config_written(u32 offset, std::span<const u8> bytes) override;

 private:
  using Status = virtio_iommu::RequestStatus;
  using Outcome = VirtioIommuRegion::Outcome;
  struct Answer {
    Chain chain;
    bool parsed = false;
    Outcome outcome{};
    std::vector<u8> properties{};  // of PROBE, in front of the tail
  };
  struct RequestKind;

  static const RequestKind* find_kind(u8 type);
  Answer serve(Chain&& chain);
  // The request is complete and readable.
  Outcome attach(const u8* request, Answer&);
  Outcome detach(const u8* request, Answer&);
  Outcome map(const u8* request, Answer&);
  Outcome unmap(const u8* request, Answer&);
  Outcome probe(const u8* request, Answer& answer);
  void use(std::vector<Answer>& answers);
  void use(const Answer& answer);
  void report(const VirtioIommuRegion::Fault& fault);
  void deliver_faults();
  bool deliver(const VirtioIommuRegion::Fault& fault, Chain& chain);
  void write_config_fields();

  static constexpr size_t kMaxPendingFaults = 64;

  InvalidationHub& hub_;
  const std::shared_ptr<VirtioIommuRegion> region_;
  std::atomic<u64> ok_{0}, refused_{0}, unparsed_{0}, reported_{0}, lost_{0};
  std::mutex faults_mutex_;
  std::deque<VirtioIommuRegion::Fault> faults_;  // wait for a buffer
};

}  // namespace sluice
