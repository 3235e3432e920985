// Pointer authentication keys (FEAT_PAuth).
#include "cpu/sysreg/rows.h"

namespace sluice::cpu::sysreg {
namespace {

constexpr Row key(std::string_view name, unsigned crm, unsigned op2, Slot slot) {
  return with(stored(name, {3, 0, 2, crm, op2}, kEl1RW, slot), Feature::PAuth);
}

constexpr Row kRows[] = {
    key("APIAKeyLo_EL1", 1, 0, Slot::APIAKeyLo_EL1), key("APIAKeyHi_EL1", 1, 1, Slot::APIAKeyHi_EL1),
    key("APIBKeyLo_EL1", 1, 2, Slot::APIBKeyLo_EL1), key("APIBKeyHi_EL1", 1, 3, Slot::APIBKeyHi_EL1),
    key("APDAKeyLo_EL1", 2, 0, Slot::APDAKeyLo_EL1), key("APDAKeyHi_EL1", 2, 1, Slot::APDAKeyHi_EL1),
    key("APDBKeyLo_EL1", 2, 2, Slot::APDBKeyLo_EL1), key("APDBKeyHi_EL1", 2, 3, Slot::APDBKeyHi_EL1),
    key("APGAKeyLo_EL1", 3, 0, Slot::APGAKeyLo_EL1), key("APGAKeyHi_EL1", 3, 1, Slot::APGAKeyHi_EL1),
};

}  // namespace

std::span<const Row> pointer_authentication_rows() { return kRows; }

}  // namespace sluice::cpu::sysreg
