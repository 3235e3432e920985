// devices/register_block.h: a device as a table of its 32-bit registers.
// From the rows come dispatch, reset, `info regs` and compile-time checks. A device derives from
// RegisterDevice<D> and defines `static constexpr const char* kName` and `static RegisterTable<D>
// registers()`.
//
// Locking: a RegisterDevice owns its lock. Every hook runs with it held; an input from another thread (a
// line, a timer, a host stream) takes `lock()` first. An IrqLine may be driven with it held (device, then
// interrupt controller); a host stream may not be called with it held.
//
// Sub-word accesses: a read returns the bytes asked for. A write to a `stored` register keeps its other
// bytes; for `command` and `port` registers the other bytes are written as 0, so that no read side effect is
// provoked. A debugger never provokes a side effect: it sees `port` registers as 0.
#pragma once
#include <array>
#include <cstdio>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "base/log.h"
#include "memory/mmio.h"

namespace sluice {

// A guest write as a hook sees it: the register's new value (read-only bits as they were) and what toggled.
struct RegWrite {
  u32 value, changed;
};

// What an access to a register does. Data, not code, so that others can look at it. The flags are separate
// because comparing a null pointer to member in a constant expression is not portable.
template <class D>
struct Behaviour {
  bool is_stored = false, is_constant = false, reads = false, writes = false, is_port = false,
       is_indexed = false;
  u32 D::*store = nullptr;
  u32 (D::*read)() = nullptr;
  void (D::*write)(RegWrite) = nullptr;
  u32 (D::*read_word)(u32) = nullptr;
  void (D::*write_word)(u32, u32) = nullptr;
};

// Reads as the reset column.
struct Constant {
  template <class D>
  constexpr operator Behaviour<D>() const {
    return {.is_constant = true};
  }
};
consteval Constant constant() { return {}; }
// Keeps what is written; `then` runs after a write.
template <class D>
consteval Behaviour<D> stored(u32 D::*at) {
  return {.is_stored = true, .store = at};
}
template <class D>
consteval Behaviour<D> stored(u32 D::*at, void (D::*then)(RegWrite)) {
  return {.is_stored = true, .writes = true, .store = at, .write = then};
}
// Computed when read, without side effects; read-only.
template <class D>
consteval Behaviour<D> computed(u32 (D::*read)()) {
  return {.reads = true, .read = read};
}
// Computed when read, without side effects; writes act.
template <class D>
consteval Behaviour<D> computed(u32 (D::*read)(), void (D::*write)(RegWrite)) {
  return {.reads = true, .writes = true, .read = read, .write = write};
}
// Write-only: a write acts, a read returns 0.
template <class D>
consteval Behaviour<D> command(void (D::*write)(RegWrite)) {
  return {.writes = true, .write = write};
}
// Reads and writes both act (a FIFO).
template <class D>
consteval Behaviour<D> port(u32 (D::*read)(), void (D::*write)(RegWrite)) {
  return {.reads = true, .writes = true, .is_port = true, .read = read, .write = write};
}
// A row of several words: the hooks get the index of the word. Reads are without side effects.
template <class D>
consteval Behaviour<D> indexed(u32 (D::*read)(u32), void (D::*write)(u32, u32)) {
  return {.reads = true, .writes = true, .is_indexed = true, .read_word = read, .write_word = write};
}

template <class D>
struct Register {
  std::string_view name;  // as the manual spells it
  u32 offset, reset;
  u32 writable;  // bits that a guest write can change; the others are RES0, RAZ/WI or read-only
  Behaviour<D> does;
  std::string_view section;  // of the manual named at the top of the device file
  u32 words = 1;             // of an `indexed` row
  u32 not_modelled = 0;      // writable bits that keep their value and do nothing: reported when set
};

inline constexpr size_t kRegisterBlockWords = 1024;  // 4 KiB
inline constexpr u8 kNoRegister = 0xff;

template <class D>
struct RegisterTable {
  std::span<const Register<D>> rows;
  std::span<const u8, kRegisterBlockWords> index;  // word -> row
};

template <class D, size_t N>
struct RegisterRows {
  std::array<Register<D>, N> rows;
  std::array<u8, kRegisterBlockWords> index;
  constexpr RegisterTable<D> table() const { return {rows, index}; }
};

template <class D, size_t N>
consteval RegisterRows<D, N> register_table(const Register<D> (&rows)[N]) {
  static_assert(N < kNoRegister, "too many rows");
  RegisterRows<D, N> t{std::to_array(rows), {}};
  t.index.fill(kNoRegister);
  for (size_t i = 0; i < N; i++) {
    const Register<D>& r = rows[i];
    const Behaviour<D>& b = r.does;
    if (r.offset % 4) throw "register offset is not word aligned";
    if (i && r.offset < rows[i - 1].offset + rows[i - 1].words * 4) throw "rows must ascend and not overlap";
    if (r.offset / 4 + r.words > kRegisterBlockWords) throw "register lies outside the 4 KiB block";
    if (r.words == 0 || (r.words > 1 && !b.is_indexed)) throw "only an indexed row has several words";
    if (b.is_constant + b.is_stored + b.reads + (b.writes && !b.is_stored && !b.reads) != 1)
      throw "one behaviour";
    if (r.writable && !b.is_stored && !b.writes) throw "writable bits go nowhere";
    if (b.writes && !r.writable) throw "write hook can never run";
    if (r.not_modelled & ~r.writable) throw "bits that are not writable cannot be set";
    for (size_t w = 0; w < r.words; w++) t.index[r.offset / 4 + w] = u8(i);
  }
  return t;
}

template <class D>
class RegisterDevice : public MmioDevice {
 public:
  AccessRules access_rules() const override { return {.impl_min = 1, .impl_max = 4}; }
  bool locks_itself() const override { return true; }

  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override {
    auto guard = lock();
    value = read_locked(offset, size, attrs);
    return MemTxResult::ok();
  }
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs) override {
    auto guard = lock();
    write_locked(offset, size, value);
    return MemTxResult::ok();
  }

  // One line per register that can be read without a side effect.
  std::string describe() {
    auto guard = lock();
    std::string text;
    for (const Register<D>& r : D::registers().rows) {
      if (r.does.is_port || r.does.is_indexed || (r.does.writes && !r.does.is_stored && !r.does.reads))
        continue;
      char line[96];
      std::snprintf(line, sizeof line, "  %-14.*s = 0x%08x  (%.*s)\n", int(r.name.size()), r.name.data(),
                    read_row(r, r.offset), int(r.section.size()), r.section.data());
      text += line;
    }
    return text;
  }

 protected:
  [[nodiscard]] std::unique_lock<std::mutex> lock() { return std::unique_lock{mutex_}; }
  u64 read_locked(u64 offset, unsigned size, MemTxAttrs attrs) {
    u32 word = 0;
    if (const Register<D>* r = find(offset)) {
      bool peek = attrs.initiator.kind == Initiator::Kind::Debugger;
      if (!r->does.is_port || !peek) word = read_row(*r, offset);
    } else {
      guest_error("%s: read of unknown register at offset 0x%llx", D::kName, offset_arg(offset));
    }
    return (word >> byte_shift(offset)) & size_mask(size);
  }
  void write_locked(u64 offset, unsigned size, u64 value) {
    const Register<D>* r = find(offset);
    if (!r) {
      guest_error("%s: write to unknown register at offset 0x%llx", D::kName, offset_arg(offset));
    } else if (!r->writable) {
      guest_error("%s: write to read-only register %.*s", D::kName, int(r->name.size()), r->name.data());
    } else {
      u32 lanes = size_mask(size) << byte_shift(offset);
      write_row(*r, offset, u32(value) << byte_shift(offset) & lanes, lanes);
    }
  }
  // With the lock held (or in the constructor).
  void reset_registers() {
    for (const Register<D>& r : D::registers().rows)
      if (r.does.is_stored) self().*r.does.store = r.reset;
  }

 private:
  D& self() { return static_cast<D&>(*this); }
  static unsigned byte_shift(u64 offset) { return unsigned(offset & 3) * 8; }
  static u32 size_mask(unsigned size) { return size >= 4 ? ~u32{0} : (u32{1} << size * 8) - 1; }
  static unsigned long long offset_arg(u64 offset) { return offset; }

  const Register<D>* find(u64 offset) const {
    if (offset / 4 >= kRegisterBlockWords) return nullptr;
    RegisterTable<D> t = D::registers();
    u8 row = t.index[offset / 4];
    return row == kNoRegister ? nullptr : &t.rows[row];
  }
  u32 read_row(const Register<D>& r, u64 offset) {
    if (r.does.is_constant) return r.reset;
    if (r.does.is_stored) return self().*r.does.store;
    if (r.does.is_indexed) return (self().*r.does.read_word)(u32(offset - r.offset) / 4);
    return r.does.reads ? (self().*r.does.read)() : 0;
  }
  void write_row(const Register<D>& r, u64 offset, u32 value, u32 lanes) {
    if (value & r.not_modelled)
      unimplemented("%s: %.*s bits 0x%x", D::kName, int(r.name.size()), r.name.data(),
                    value & r.not_modelled);
    if (r.does.is_indexed) {
      (self().*r.does.write_word)(u32(offset - r.offset) / 4, value & r.writable);
      return;
    }
    u32 mask = r.writable & (r.does.is_stored ? lanes : ~u32{0});
    u32 old = r.does.is_stored ? self().*r.does.store : 0;
    u32 now = (old & ~mask) | (value & mask);
    if (r.does.is_stored) self().*r.does.store = now;
    if (r.does.writes) (self().*r.does.write)({now, old ^ now});
  }

  std::mutex mutex_;
};

}  // namespace sluice
