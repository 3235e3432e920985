#include "devices/iommu/smmuv3/invalidation.h"

namespace sluice::smmuv3 {
namespace {

using Unmaps = ConfigurationCache::Unmaps;

// One command at work.
struct Invalidation {
  const Smmuv3Config& config;
  const Command& command;
  Caches& caches;
  Unmaps& unmaps;
  size_t& removed;

  // 4.4.2: VMIDs are matched only where there is a stage 2.
  u16 vmid() const { return config.stage2() ? command.VMID() : u16{0}; }
  World el2() const { return caches.e2h ? World::El2E2h : World::El2; }

  bool streams(u32 first, u32 last, bool all);
  bool cd(bool all);
  bool asid(World world, u16 vmid);
  bool address(World world, u16 vmid, bool all_asids);
  bool vmid_of(World world, u16 vmid);
  bool world(World world);
};

bool Invalidation::streams(u32 first, u32 last, bool all) {
  if (command.SSec()) return false;
  size_t before = caches.configuration.size();
  if (all) {
    caches.configuration.remove_all(unmaps);
  } else {
    caches.configuration.remove_streams(first, last, unmaps);
  }
  removed += before - caches.configuration.size();
  return true;
}

bool Invalidation::cd(bool all) {
  if (!config.stage1() || command.SSec()) return false;
  if (all) return streams(command.StreamID(), command.StreamID(), false);
  size_t before = caches.configuration.size();
  caches.configuration.remove_cd(command.StreamID(), command.SubstreamID(), unmaps);
  removed += before - caches.configuration.size();
  return true;
}

bool Invalidation::asid(World world, u16 vmid) {
  removed += caches.iotlb.remove_asid(world, vmid, command.ASID());
  caches.configuration.users_of_asid(world, vmid, command.ASID(), false, {}, unmaps);
  return true;
}

bool Invalidation::address(World world, u16 vmid, bool all_asids) {
  AddressScope scope;
  bool ipa = world == World::El1Stage2;
  if (!address_scope(command, ipa, scope)) return false;
  if (all_asids) {
    removed += caches.iotlb.remove_range_all_asids(world, vmid, scope);
    caches.configuration.users_of_vmid(world, vmid, scope.range, unmaps);
    return true;
  }
  u16 asid = world == World::El2 || ipa ? u16{0} : command.ASID();
  removed += caches.iotlb.remove_range(world, vmid, asid, scope);
  caches.configuration.users_of_asid(world, vmid, asid, true, scope.range, unmaps);
  return true;
}

bool Invalidation::vmid_of(World world, u16 vmid) {
  removed += caches.iotlb.remove_vmid(world, vmid);
  caches.configuration.users_of_vmid(world, vmid, {}, unmaps);
  return true;
}

bool Invalidation::world(World world) {
  removed += caches.iotlb.remove_world(world);
  caches.configuration.users_of_world(world, unmaps);
  return true;
}

}  // namespace

bool invalidate(const Smmuv3Config& config, const Command& command, Caches& caches, Unmaps& unmaps,
                size_t& removed) {
  Invalidation i{config, command, caches, unmaps, removed};
  const bool s1 = config.stage1(), s2 = config.stage2(), hyp = config.hypervisor();
  u32 stream = command.StreamID();
  switch (command.opcode()) {
    case Opcode::CMD_CFGI_STE: return i.streams(stream, stream, false);
    case Opcode::CMD_CFGI_STE_RANGE: {
      u32 low = u32(ones(command.Range() + 1));
      return i.streams(stream & ~low, stream | low, command.Range() == 31);
    }
    case Opcode::CMD_CFGI_CD: return i.cd(false);
    case Opcode::CMD_CFGI_CD_ALL: return i.cd(true);
    case Opcode::CMD_TLBI_NH_ALL: return s1 && i.vmid_of(World::El1, i.vmid());
    case Opcode::CMD_TLBI_NH_ASID: return s1 && i.asid(World::El1, i.vmid());
    case Opcode::CMD_TLBI_NH_VA: return s1 && i.address(World::El1, i.vmid(), false);
    case Opcode::CMD_TLBI_NH_VAA: return s1 && i.address(World::El1, i.vmid(), true);
    case Opcode::CMD_TLBI_EL2_ALL: return hyp && i.world(World::El2) && i.world(World::El2E2h);
    case Opcode::CMD_TLBI_EL2_ASID: return hyp && i.asid(World::El2E2h, 0);
    case Opcode::CMD_TLBI_EL2_VA: return hyp && i.address(i.el2(), 0, false);
    case Opcode::CMD_TLBI_EL2_VAA: return hyp && i.address(i.el2(), 0, true);
    case Opcode::CMD_TLBI_S12_VMALL:
      return s2 && i.vmid_of(World::El1, i.vmid()) && i.vmid_of(World::El1Stage2, i.vmid());
    case Opcode::CMD_TLBI_S2_IPA: return s2 && i.address(World::El1Stage2, i.vmid(), false);
    case Opcode::CMD_TLBI_NSNH_ALL: return i.world(World::El1) && i.world(World::El1Stage2);
    default: return false;
  }
}

}  // namespace sluice::smmuv3
