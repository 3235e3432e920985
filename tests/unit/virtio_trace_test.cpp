// Trace events of virtio-iommu, and of any virtio device: requests and faults, as lines.
#include <gtest/gtest.h>

#include "tests/support/trace_file.h"
#include "tests/unit/virtio_iommu_rig.h"

namespace sluice {
namespace {

using Lines = std::vector<std::string>;

TEST(VirtioIommuTrace, RequestsFaultsAndNotifications) {
  virtio_test::IommuDriver d{{.endpoints = {8}}};
  test::TraceFile trace{"virtio_iommu_*", "virtio_queue_notify", "-virtio_iommu_request"};
  d.attach(3, 8);
  d.map(3, 0x10000, 0x13fff, 0x40000000);
  d.reads(8, 0x11000);
  d.reads(8, 0x90000);
  d.unmap(3, 0x10000, 0x13fff);
  d.detach(3, 8);
  const std::string notify = "virtio_queue_notify device=23 n=0";
  EXPECT_EQ(
      trace.lines(),
      (Lines{notify, "virtio_iommu_attach domain=3 endpoint=0x8 bypass=0", notify,
             "virtio_iommu_map domain=3 virt_start=0x10000 virt_end=0x13fff phys_start=0x40000000 rights=7 "
             "mmio=0",
             "virtio_iommu_translate_out virt_addr=0x11000 phys_addr=0x40001000 sid=0x8",
             "virtio_iommu_report_fault reason=2 access=1 endpoint=0x8 address=0x90000", notify,
             "virtio_iommu_unmap domain=3 virt_start=0x10000 virt_end=0x13fff",
             "virtio_iommu_unmap_done domain=3 virt_start=0x10000 virt_end=0x13fff mappings=1", notify,
             "virtio_iommu_detach domain=3 endpoint=0x8"}));
}

}  // namespace
}  // namespace sluice
