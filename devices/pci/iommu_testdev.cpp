// devices/pci/iommu_testdev.cpp: see iommu_testdev.h.
#include "devices/pci/iommu_testdev.h"

#include <algorithm>
#include <cstring>

#include "base/bits.h"

namespace sluice {

// The function's lock covers them: DMA from a read must not meet a second lock.
class IommuTestdev::Registers final : public RegisterDevice<Registers> {
 public:
  static constexpr const char* kName = "iommu-testdev";
  explicit Registers(IommuTestdev& device) : device_(device) { reset(); }

  AccessRules access_rules() const override { return {.valid_min = 4, .valid_max = 4}; }
  bool locks_itself() const override { return false; }
  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override {
    value = read_locked(offset, size, attrs);
    return MemTxResult::ok();
  }
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs) override {
    write_locked(offset, size, value);
    return MemTxResult::ok();
  }
  void reset() {
    reset_registers();
    armed_ = false;
  }
  static RegisterTable<Registers> registers();

 private:
  u32 read_triggering() {
    if (std::exchange(armed_, false))
      result_ = device_.run(attrs_, u64{gva_hi_} << 32 | gva_lo_, u64{gpa_hi_} << 32 | gpa_lo_, len_);
    else
      result_ = kNotArmed;
    return 0;
  }
  void write_triggering(RegWrite) {}
  void write_doorbell(RegWrite w) {
    armed_ = w.value & 1;
    result_ = armed_ ? kBusy : kIdle;
  }

  IommuTestdev& device_;
  u32 gva_lo_ = 0, gva_hi_ = 0, len_ = 0, result_ = 0, attrs_ = 0, gpa_lo_ = 0, gpa_hi_ = 0;
  bool armed_ = false;
};

RegisterTable<IommuTestdev::Registers> IommuTestdev::Registers::registers() {
  using R = Registers;
  static constexpr auto kTable = register_table<R>({
      // name           offset reset       writable
      {"DMA_TRIGGERING", 0x00, 0, ~0u, port(&R::read_triggering, &R::write_triggering), "BAR0"},
      {"DMA_GVA_LO", 0x04, 0, ~0u, stored(&R::gva_lo_), "BAR0"},
      {"DMA_GVA_HI", 0x08, 0, ~0u, stored(&R::gva_hi_), "BAR0"},
      {"DMA_LEN", 0x0c, 0, ~0u, stored(&R::len_), "BAR0"},
      {"DMA_RESULT", 0x10, kIdle, ~0u, stored(&R::result_), "BAR0"},
      {"DMA_DBELL", 0x14, 0, ~0u, command(&R::write_doorbell), "BAR0"},
      {"DMA_ATTRS", 0x18, 1 << 1, ~0u, stored(&R::attrs_), "BAR0"},
      {"DMA_GPA_LO", 0x1c, 0, ~0u, stored(&R::gpa_lo_), "BAR0"},
      {"DMA_GPA_HI", 0x20, 0, ~0u, stored(&R::gpa_hi_), "BAR0"},
  });
  return kTable.table();
}

IommuTestdev::IommuTestdev(PciWiring wiring, const AddressSpace& system)
    : PciFunction("iommu-testdev",
                  {.vendor = pci::kVendorRedHat,
                   .device = 0x0005,
                   .revision = 0,
                   .class_code = 0x00ff00,
                   .interrupt_pin = false},
                  wiring),
      system_(system, wiring.attrs),
      registers_(std::make_unique<Registers>(*this)) {
  add_bar(0, BarKind::Memory32, 0x1000, *registers_);
}

IommuTestdev::~IommuTestdev() = default;

void IommuTestdev::reset_device() { registers_->reset(); }

namespace {

// DMA_ATTRS: [0] Secure, [2:1] space as the Arm architecture numbers them, [3] the space is valid. Nothing:
// [0] contradicts the space.
std::optional<PaSpace> space_of(u32 attributes) {
  constexpr PaSpace kSpaces[] = {PaSpace::Secure, PaSpace::NonSecure, PaSpace::Root, PaSpace::Realm};
  bool secure = attributes & 1;
  if (!bit(attributes, 3)) return PaSpace::NonSecure;
  PaSpace space = kSpaces[extract(attributes, 1, 2)];
  bool has_secure_bit = space == PaSpace::Secure || space == PaSpace::NonSecure;
  if (has_secure_bit && secure != (space == PaSpace::Secure)) return {};
  return space;
}

}  // namespace

// DEVIATION: more than kMaxLength bytes are refused: the access that triggers them waits for the end.
u32 IommuTestdev::run(u32 attributes, u64 iova, u64 physical, u32 length) {
  if (length == 0 || length > kMaxLength) return kBadLength;
  std::optional<PaSpace> space = space_of(attributes);
  if (!space) return kBadAttributes;
  MemTxAttrs attrs = dma_port().attrs();
  attrs.space = *space;
  std::vector<std::byte> pattern(length), found(length);
  for (u32 i = 0; i < length; i++) pattern[i] = std::byte(kPattern >> i % 4 * 8);
  if (!dma_port().with_attrs(attrs).write(iova, pattern).is_ok()) return kWriteFailed;
  if (!system_.with_attrs(attrs).read(physical, found).is_ok()) return kReadFailed;
  return found == pattern ? 0 : kMismatch;
}

}  // namespace sluice
