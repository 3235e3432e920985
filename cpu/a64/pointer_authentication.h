// cpu/a64/pointer_authentication.h: the pseudocode's AddPACxx and AuthXX as IR.
#pragma once
#include "cpu/emit.h"
#include "cpu/pauth.h"

namespace sluice::cpu::a64 {

// SCTLR_ELx.{EnIA, EnIB, EnDA, EnDB}. A key that is not enabled leaves pointers as they are.
inline bool key_enabled(Emitter& e, pauth::KeyName key) {
  bool enabled = e.mode.get<Mode::PacEnabled>() >> unsigned(key) & 1;
  e.authenticates |= enabled;
  return enabled;
}
inline Value add_pac(Emitter& e, pauth::KeyName key, Value pointer, Value modifier) {
  if (!key_enabled(e, key)) return pointer;
  return e.ir.call(pauth::kAddPac,
                   {pointer, modifier, e.ir.i64(pauth::operand_of(e.mode, e.features, key).pack())});
}
inline Value authenticate(Emitter& e, pauth::KeyName key, Value pointer, Value modifier) {
  if (!key_enabled(e, key)) return pointer;
  return e.ir.call(pauth::kAuthenticate,
                   {pointer, modifier, e.ir.i64(pauth::operand_of(e.mode, e.features, key).pack())});
}

}  // namespace sluice::cpu::a64
