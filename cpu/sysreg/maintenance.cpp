// System instructions: cache maintenance, address translation, TLB maintenance (Arm DDI 0487, chapter C5, op0
// 1).
#include "cpu/sysreg/rows.h"
#include "tcg/guest_memory.h"

namespace sluice::cpu::sysreg {
namespace {

// Data caches are not modelled: memory is always coherent. Operations by VA still translate, and fault.
void dc_by_va(Pe& pe, const Row&, u64 va) { pe.check_cache_operation(va, Access::Read); }
// Discarding data needs the right to write it.
void dc_ivac(Pe& pe, const Row&, u64 va) { pe.check_cache_operation(va, Access::Write); }
void dc_by_set_way(Pe&, const Row&, u64) {}

void dc_zva(Pe& pe, const Row&, u64 va) { tcg::zero_block(pe.state(), va, kDczBlockSize + 2); }

void ic_iallu(Pe& pe, const Row&, u64) { pe.invalidate_all_instructions(Pe::Shareability::Local); }
void ic_ialluis(Pe& pe, const Row&, u64) { pe.invalidate_all_instructions(Pe::Shareability::Inner); }
void ic_ivau(Pe& pe, const Row&, u64 va) {
  if (pe.check_cache_operation(va, Access::Read)) pe.invalidate_instructions(va);
}

void address_translate(Pe& pe, const Row& row, u64 va) {
  pe.state().sysregs[Slot::PAR_EL1] = pe.mmu().address_translate(row.id, va);
}
void tlbi(Pe& pe, const Row& row, u64 xt) { pe.mmu().tlbi(row.id, xt); }

constexpr Row dc(std::string_view name, SysregId id, Trap trap, Write write,
                 Feature feature = Feature::Base) {
  return with(with(command(name, id, trap == Trap::Never ? kEl1WO : kEl0WO, write), trap), feature);
}
constexpr Row at(std::string_view name, SysregId id, Feature feature = Feature::Base) {
  return with(command(name, id, kEl1WO, address_translate), feature);
}
constexpr Row invalidate(std::string_view name, unsigned crm, unsigned op2, Feature feature = Feature::Base) {
  return ending_block(with(command(name, {1, 0, 8, crm, op2}, kEl1WO, tlbi), feature));
}
// Those that only EL2 and EL3, or EL3, may use: `op1` is 4 or 6. Without these levels nobody can.
constexpr Row invalidate_above(std::string_view name, unsigned op1, unsigned crm, unsigned op2,
                               Feature feature = Feature::EL3) {
  return ending_block(with(command(name, {1, op1, 8, crm, op2}, op1 == 6 ? kEl3WO : kEl2WO, tlbi), feature));
}
// There is no stage 2.
constexpr Row no_stage2(std::string_view name, unsigned crm, unsigned op2, Feature feature = Feature::EL3) {
  return with(command(name, {1, 4, 8, crm, op2}, kEl2WO, ignore_write), feature);
}
constexpr Row at_above(std::string_view name, unsigned op1, unsigned op2) {
  return with(command(name, {1, op1, 7, 8, op2}, op1 == 6 ? kEl3WO : kEl2WO, address_translate),
              Feature::EL3);
}

constexpr Row kRows[] = {
    ending_block(command("IC IALLUIS", {1, 0, 7, 1, 0}, kEl1WO, ic_ialluis)),
    ending_block(command("IC IALLU", {1, 0, 7, 5, 0}, kEl1WO, ic_iallu)),
    dc("IC IVAU", {1, 3, 7, 5, 1}, Trap::Uci, ic_ivau),
    dc("DC IVAC", {1, 0, 7, 6, 1}, Trap::Never, dc_ivac),
    dc("DC ISW", {1, 0, 7, 6, 2}, Trap::Never, dc_by_set_way),
    dc("DC CSW", {1, 0, 7, 10, 2}, Trap::Never, dc_by_set_way),
    dc("DC CISW", {1, 0, 7, 14, 2}, Trap::Never, dc_by_set_way),
    dc("DC ZVA", {1, 3, 7, 4, 1}, Trap::Dze, dc_zva),
    dc("DC CVAC", {1, 3, 7, 10, 1}, Trap::Uci, dc_by_va),
    dc("DC CVAU", {1, 3, 7, 11, 1}, Trap::Uci, dc_by_va),
    dc("DC CVAP", {1, 3, 7, 12, 1}, Trap::Uci, dc_by_va, Feature::DPB),
    dc("DC CVADP", {1, 3, 7, 13, 1}, Trap::Uci, dc_by_va, Feature::DPB2),
    dc("DC CIVAC", {1, 3, 7, 14, 1}, Trap::Uci, dc_by_va),
    at("AT S1E1R", {1, 0, 7, 8, 0}),
    at("AT S1E1W", {1, 0, 7, 8, 1}),
    at("AT S1E0R", {1, 0, 7, 8, 2}),
    at("AT S1E0W", {1, 0, 7, 8, 3}),
    at("AT S1E1RP", {1, 0, 7, 9, 0}, Feature::PAN2),
    at("AT S1E1WP", {1, 0, 7, 9, 1}, Feature::PAN2),
    invalidate("TLBI VMALLE1OS", 1, 0, Feature::TLBIOS),
    invalidate("TLBI VAE1OS", 1, 1, Feature::TLBIOS),
    invalidate("TLBI ASIDE1OS", 1, 2, Feature::TLBIOS),
    invalidate("TLBI VAAE1OS", 1, 3, Feature::TLBIOS),
    invalidate("TLBI VALE1OS", 1, 5, Feature::TLBIOS),
    invalidate("TLBI VAALE1OS", 1, 7, Feature::TLBIOS),
    invalidate("TLBI RVAE1IS", 2, 1, Feature::TLBIRANGE),
    invalidate("TLBI RVAAE1IS", 2, 3, Feature::TLBIRANGE),
    invalidate("TLBI RVALE1IS", 2, 5, Feature::TLBIRANGE),
    invalidate("TLBI RVAALE1IS", 2, 7, Feature::TLBIRANGE),
    invalidate("TLBI VMALLE1IS", 3, 0),
    invalidate("TLBI VAE1IS", 3, 1),
    invalidate("TLBI ASIDE1IS", 3, 2),
    invalidate("TLBI VAAE1IS", 3, 3),
    invalidate("TLBI VALE1IS", 3, 5),
    invalidate("TLBI VAALE1IS", 3, 7),
    invalidate("TLBI RVAE1OS", 5, 1, Feature::TLBIRANGE),
    invalidate("TLBI RVAAE1OS", 5, 3, Feature::TLBIRANGE),
    invalidate("TLBI RVALE1OS", 5, 5, Feature::TLBIRANGE),
    invalidate("TLBI RVAALE1OS", 5, 7, Feature::TLBIRANGE),
    invalidate("TLBI RVAE1", 6, 1, Feature::TLBIRANGE),
    invalidate("TLBI RVAAE1", 6, 3, Feature::TLBIRANGE),
    invalidate("TLBI RVALE1", 6, 5, Feature::TLBIRANGE),
    invalidate("TLBI RVAALE1", 6, 7, Feature::TLBIRANGE),
    invalidate("TLBI VMALLE1", 7, 0),
    invalidate("TLBI VAE1", 7, 1),
    invalidate("TLBI ASIDE1", 7, 2),
    invalidate("TLBI VAAE1", 7, 3),
    invalidate("TLBI VALE1", 7, 5),
    invalidate("TLBI VAALE1", 7, 7),
    at_above("AT S12E1R", 4, 4),
    at_above("AT S12E1W", 4, 5),
    at_above("AT S12E0R", 4, 6),
    at_above("AT S12E0W", 4, 7),
    at_above("AT S1E3R", 6, 0),
    at_above("AT S1E3W", 6, 1),
    no_stage2("TLBI IPAS2E1IS", 0, 1),
    no_stage2("TLBI IPAS2LE1IS", 0, 5),
    no_stage2("TLBI IPAS2E1OS", 4, 0, Feature::TLBIOS),
    no_stage2("TLBI IPAS2E1", 4, 1),
    no_stage2("TLBI IPAS2LE1OS", 4, 4, Feature::TLBIOS),
    no_stage2("TLBI IPAS2LE1", 4, 5),
    invalidate_above("TLBI ALLE1OS", 4, 1, 4, Feature::TLBIOS),
    invalidate_above("TLBI VMALLS12E1OS", 4, 1, 6, Feature::TLBIOS),
    invalidate_above("TLBI ALLE1IS", 4, 3, 4),
    invalidate_above("TLBI VMALLS12E1IS", 4, 3, 6),
    invalidate_above("TLBI ALLE1", 4, 7, 4),
    invalidate_above("TLBI VMALLS12E1", 4, 7, 6),
    invalidate_above("TLBI ALLE3OS", 6, 1, 0, Feature::TLBIOS),
    invalidate_above("TLBI VAE3OS", 6, 1, 1, Feature::TLBIOS),
    invalidate_above("TLBI VALE3OS", 6, 1, 5, Feature::TLBIOS),
    invalidate_above("TLBI RVAE3IS", 6, 2, 1, Feature::TLBIRANGE),
    invalidate_above("TLBI RVALE3IS", 6, 2, 5, Feature::TLBIRANGE),
    invalidate_above("TLBI ALLE3IS", 6, 3, 0),
    invalidate_above("TLBI VAE3IS", 6, 3, 1),
    invalidate_above("TLBI VALE3IS", 6, 3, 5),
    invalidate_above("TLBI RVAE3OS", 6, 5, 1, Feature::TLBIRANGE),
    invalidate_above("TLBI RVALE3OS", 6, 5, 5, Feature::TLBIRANGE),
    invalidate_above("TLBI RVAE3", 6, 6, 1, Feature::TLBIRANGE),
    invalidate_above("TLBI RVALE3", 6, 6, 5, Feature::TLBIRANGE),
    invalidate_above("TLBI ALLE3", 6, 7, 0),
    invalidate_above("TLBI VAE3", 6, 7, 1),
    invalidate_above("TLBI VALE3", 6, 7, 5),
};

}  // namespace

std::span<const Row> maintenance_rows() { return kRows; }

}  // namespace sluice::cpu::sysreg
