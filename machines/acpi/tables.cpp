// machines/acpi/tables.cpp: see tables.h. Field names and offsets are those of the specifications.
#include "machines/acpi/tables.h"

#include <string>
#include <utility>

namespace sluice {
namespace {

constexpr u32 kSpiBase = 32, kPpiBase = 16;
constexpr size_t kHeader = 36, kChecksumAt = 9, kLengthAt = 4;
constexpr const char* kTablesFile = "etc/acpi/tables";
constexpr const char* kRsdpFile = "etc/acpi/rsdp";
constexpr u8 kGasMemory = 0;

// What the operating system programs in front of PCIe; nullptr: nothing.
const PlacedGate* pci_iommu(const BoardRecord& board) {
  for (const PlacedGate& g : board.gates)
    if (g.path == GatePath::Dma && g.outermost && g.kind != GateKind::TzMpc) return &g;
  return nullptr;
}

// The loader's script: fixed-size commands, run in order.
class Script {
 public:
  enum class Zone : u8 { High = 1, FSegment = 2 };
  void allocate(const char* file, u32 alignment, Zone zone) {
    add(1, TableBytes{}.text(file, kName, '\0').number(alignment, 4).number(u64(zone), 1));
  }
  // `size` bytes at `offset` of `in` are an offset into `to`, and become an address.
  void add_pointer(const char* in, u32 offset, unsigned size, const char* to) {
    add(2, TableBytes{}.text(in, kName, '\0').text(to, kName, '\0').number(offset, 4).number(size, 1));
  }
  void add_checksum(const char* file, size_t at, size_t start, size_t length) {
    add(3, TableBytes{}.text(file, kName, '\0').number(at, 4).number(start, 4).number(length, 4));
  }
  std::vector<u8> take() { return std::move(commands_); }

 private:
  static constexpr size_t kName = 56, kCommand = 128;
  void add(u32 command, const TableBytes& operands) {
    TableBytes entry;
    entry.number(command, 4).append(operands.bytes()).zeros(kCommand - 4 - operands.size());
    commands_.insert(commands_.end(), entry.bytes().begin(), entry.bytes().end());
  }
  std::vector<u8> commands_;
};

class Builder {
 public:
  explicit Builder(const BoardRecord& board) : board_(board) {}

  AcpiFiles build() {
    script_.allocate(kTablesFile, kAlignment, Script::Zone::High);
    script_.allocate(kRsdpFile, 16, Script::Zone::FSegment);
    const u32 dsdt = table("DSDT", 2, TableBytes{}.append(build_dsdt(board_)));
    std::vector<u32> listed{fadt(dsdt), madt(), gtdt(), pptt()};
    if (board_.pcie) listed.push_back(mcfg());
    if (const PlacedPart* uart = console()) listed.push_back(spcr(*uart)), listed.push_back(dbg2(*uart));
    const PlacedGate* iommu = pci_iommu(board_);
    const bool smmu = iommu && iommu->kind == GateKind::Smmuv3;
    if (board_.pcie && (smmu || board_.gic.its)) listed.push_back(iort(smmu ? iommu : nullptr));
    if (board_.pcie && iommu && iommu->devfn) listed.push_back(viot(*iommu->devfn));
    rsdp(xsdt(listed));
    return {tables_.bytes(), rsdp_.bytes(), script_.take()};
  }

 private:
  static constexpr u32 kAlignment = 64;

  // Where it is.
  u32 table(const char* signature, u8 revision, const TableBytes& body) {
    tables_.zeros((kAlignment - tables_.size() % kAlignment) % kAlignment);
    const size_t at = tables_.size(), size = kHeader + body.size();
    tables_.text(signature, 4).number(size, 4).number(revision, 1).number(0, 1);
    tables_.text("SLUICE", 6).text("VIRT", 8).number(1, 4).text("SLCE", 4).number(1, 4);
    tables_.append(body.bytes());
    placed_.push_back({at, size});
    return u32(at);
  }
  void point(u32 at, unsigned size, u32 target) {
    tables_.set(at, target, size);
    script_.add_pointer(kTablesFile, at, size, kTablesFile);
  }

  u32 xsdt(const std::vector<u32>& listed) {
    const u32 at = table("XSDT", 1, TableBytes{}.zeros(8 * listed.size()));
    for (size_t i = 0; i < listed.size(); i++) point(u32(at + kHeader + 8 * i), 8, listed[i]);
    return at;
  }

  void rsdp(u32 xsdt) {
    rsdp_.text("RSD PTR ", 8).number(0, 1).text("SLUICE", 6).number(2, 1).number(0, 4);
    rsdp_.number(36, 4).number(xsdt, 8).number(0, 4);
    script_.add_pointer(kRsdpFile, 24, 8, kTablesFile);
    // Last: the addresses count.
    for (const auto& [at, size] : placed_) script_.add_checksum(kTablesFile, at + kChecksumAt, at, size);
    script_.add_checksum(kRsdpFile, 8, 0, 20);   // of the part that ACPI 1.0 has
    script_.add_checksum(kRsdpFile, 32, 0, 36);  // of all
  }

  // Hardware-reduced: there are no fixed registers.
  u32 fadt(u32 dsdt) {
    constexpr u32 kHardwareReduced = 1 << 20;
    constexpr u16 kPsci = 1, kPsciByHvc = 2;
    u16 boot = 0;
    if (board_.psci != cpu::PsciConduit::None) boot = kPsci;
    if (board_.psci == cpu::PsciConduit::Hvc) boot |= kPsciByHvc;
    TableBytes body;
    body.zeros(112 - kHeader).number(kHardwareReduced, 4).zeros(129 - 116).number(boot, 2);
    body.number(3, 1);  // of 6.3
    body.zeros(268 - 132).text("SLUICE", 8, '\0');
    const u32 at = table("FACP", 6, body);
    constexpr u32 kXDsdt = 140;
    point(at + kXDsdt, 8, dsdt);
    return at;
  }

  u32 madt() {
    const PlacedGic& gic = board_.gic;
    TableBytes b;
    b.number(0, 4).number(0, 4);
    b.number(0x0c, 1).number(24, 1).zeros(2).number(0, 4).number(gic.distributor.first.value, 8).number(0, 4);
    b.number(gic.version, 1).zeros(3);
    for (size_t n = 0; n < board_.pes.size(); n++) {
      b.number(0x0b, 1).number(80, 1).zeros(2).number(n, 4).number(n, 4).number(1, 4).number(0, 4);
      b.number(board_.pmu_ppi ? kPpiBase + *board_.pmu_ppi : 0, 4).number(0, 8);
      b.number(gic.cpu_interface ? gic.cpu_interface->first.value : 0, 8).number(0, 8).number(0, 8);
      b.number(gic.maintenance_ppi ? kPpiBase + *gic.maintenance_ppi : 0, 4).number(0, 8);
      b.number(board_.pes[n].mpidr, 8).number(0, 1).zeros(1).number(0, 2);
    }
    for (PhysRange r : gic.redistributors)
      b.number(0x0e, 1).number(16, 1).zeros(2).number(r.first.value, 8).number(r.size, 4);
    if (gic.its)
      b.number(0x0f, 1).number(20, 1).zeros(2).number(0, 4).number(gic.its->first.value, 8).zeros(4);
    if (gic.v2m_frame)  // which says itself what SPIs it has
      b.number(0x0d, 1).number(24, 1).zeros(2).number(0, 4).number(gic.v2m_frame->first.value, 8).zeros(8);
    return table("APIC", 5, b);
  }

  u32 gtdt() {
    constexpr u32 kLevelAlwaysOn = 4;
    constexpr u64 kNone = ~u64{0};
    const TimerPpis& t = board_.timer;
    TableBytes b;
    b.number(kNone, 8).zeros(4);
    for (u32 ppi : {t.secure_physical, t.physical, t.virtual_, t.hypervisor})
      b.number(kPpiBase + ppi, 4).number(kLevelAlwaysOn, 4);
    b.number(kNone, 8).number(0, 4).number(0, 4);
    b.number(t.hypervisor_virtual ? kPpiBase + *t.hypervisor_virtual : 0, 4);
    b.number(t.hypervisor_virtual ? kLevelAlwaysOn : 0, 4);
    return table("GTDT", 3, b);
  }

  // One package, in which all PEs are, as the device tree's cpu-map has it.
  u32 pptt() {
    constexpr u32 kPackage = 1 << 0, kIdIsValid = 1 << 1, kLeaf = 1 << 3;
    auto node = [](TableBytes& b, u32 flags, u32 parent, size_t id) {
      b.number(0, 1).number(20, 1).zeros(2).number(flags, 4).number(parent, 4).number(id, 4).number(0, 4);
    };
    TableBytes b;
    node(b, kPackage, 0, 0);
    for (size_t n = 0; n < board_.pes.size(); n++) node(b, kIdIsValid | kLeaf, kHeader, n);
    return table("PPTT", 2, b);
  }

  u32 mcfg() {
    const PlacedPcie& p = *board_.pcie;
    TableBytes b;
    b.zeros(8).number(p.ecam.first.value, 8).number(0, 2).number(0, 1).number(p.buses - 1, 1).zeros(4);
    return table("MCFG", 1, b);
  }

  const PlacedPart* console() const {
    for (const PlacedPart& p : board_.parts)
      if (p.part == Part::Pl011 && !p.secure_only) return &p;
    return nullptr;
  }
  static void address(TableBytes& b, u64 at) {
    b.number(kGasMemory, 1).number(32, 1).number(0, 1).number(3, 1).number(at, 8);  // 32-bit accesses
  }

  static constexpr u16 kPl011Type = 3;
  u32 spcr(const PlacedPart& uart) {
    constexpr u8 kGicInterrupt = 1 << 3, kBaud9600 = 3, kOneStopBit = 1, kRtsCts = 2;
    TableBytes b;
    b.number(kPl011Type, 1).zeros(3);
    address(b, uart.window.first.value);
    b.number(kGicInterrupt, 1).number(0, 1).number(kSpiBase + uart.interrupt.number, 4);
    b.number(kBaud9600, 1).number(0, 1).number(kOneStopBit, 1).number(kRtsCts, 1).number(0, 1).zeros(1);
    b.number(0xffff, 2).number(0xffff, 2);  // not a PCI device
    b.zeros(3).number(0, 4).number(0, 1).zeros(4);
    return table("SPCR", 2, b);
  }

  u32 dbg2(const PlacedPart& uart) {
    constexpr u16 kSerial = 0x8000;
    const std::string path = "\\_SB.COM0";
    constexpr u16 kFixed = 22, kSizeAt = kFixed + 12, kPathAt = kSizeAt + 4;
    const u16 length = u16(kPathAt + path.size() + 1);
    TableBytes b;
    b.number(kHeader + 8, 4).number(1, 4);
    b.number(0, 1).number(length, 2).number(1, 1).number(path.size() + 1, 2).number(kPathAt, 2);
    b.number(0, 2).number(0, 2).number(kSerial, 2).number(kPl011Type, 2).zeros(2).number(kFixed, 2);
    b.number(kSizeAt, 2);
    address(b, uart.window.first.value);
    b.number(uart.window.size, 4).text(path, path.size() + 1, '\0');
    return table("DBG2", 0, b);
  }

  // Arm DEN 0049, IO Remapping Table, revision E.b's node formats. Requester IDs are passed on as they are.
  u32 iort(const PlacedGate* smmu) {
    constexpr u32 kFirstNode = 48;
    constexpr u32 kIts = 0, kRootComplex = 2, kSmmuv3 = 4;
    TableBytes nodes;
    u32 count = 0, its_at = 0, smmu_at = 0;
    auto node = [&](u32 type, u32 length, u32 revision, u32 mappings, u32 mapping_offset) {
      const u32 at = u32(kFirstNode + nodes.size());
      nodes.number(type, 1).number(length, 2).number(revision, 1).number(count++, 4);
      nodes.number(mappings, 4).number(mappings ? mapping_offset : 0, 4);
      return at;
    };
    auto mapping = [&](u32 to) {
      nodes.number(0, 4).number(0xffff, 4).number(0, 4).number(to, 4).number(0, 4);
    };
    constexpr u32 kNodeHeader = 16, kMapping = 20;
    const bool its = bool(board_.gic.its);
    if (its) {
      its_at = node(kIts, kNodeHeader + 8, 1, 0, 0);
      nodes.number(1, 4).number(0, 4);
    }
    if (smmu) {
      constexpr u32 kSize = 68, kCoherent = 1;
      smmu_at = node(kSmmuv3, kSize + (its ? kMapping : 0), 4, its, kSize);
      nodes.number(smmu->frame.first.value, 8).number(kCoherent, 4).zeros(4).number(0, 8).number(0, 4);
      // Event, PRI, GERROR, sync.
      for (u32 wire : {0u, 1u, 3u, 2u}) nodes.number(kSpiBase + smmu->first_spi + wire, 4);
      nodes.number(0, 4).number(0, 4);
      if (its) mapping(its_at);
    }
    constexpr u32 kSize = 36, kCoherent = 1, kPathIsCoherent = 3, kAddressBits = 64;
    node(kRootComplex, kSize + kMapping, 3, 1, kSize);
    nodes.number(kCoherent, 4).number(0, 1).zeros(2).number(kPathIsCoherent, 1).number(0, 4).number(0, 4);
    nodes.number(kAddressBits, 1).zeros(3);
    mapping(smmu ? smmu_at : its_at);
    TableBytes b;
    b.number(count, 4).number(kFirstNode, 4).zeros(4).append(nodes.bytes());
    return table("IORT", 3, b);
  }

  // Virtual I/O Translation table (ACPI 6.4, 5.2.33): the function that is the IOMMU, and those behind it.
  u32 viot(u8 devfn) {
    constexpr u32 kRange = 1, kPciIommu = 3, kFirst = 48;
    TableBytes iommu, ranges;
    iommu.number(kPciIommu, 1).zeros(1).number(16, 2).number(0, 2).number(devfn, 2).zeros(8);
    u16 count = 1;
    auto range = [&](u32 first, u32 last) {
      if (first > last) return;
      ranges.number(kRange, 1).zeros(1).number(24, 2).number(first, 4).number(0, 2).number(0, 2);
      ranges.number(first, 2).number(last, 2).number(kFirst, 2).zeros(6);
      count++;
    };
    if (devfn) range(0, devfn - 1u);
    range(devfn + 1u, 0xffff);
    TableBytes b;
    b.number(count, 2).number(kFirst, 2).zeros(8).append(iommu.bytes()).append(ranges.bytes());
    return table("VIOT", 0, b);
  }

  const BoardRecord& board_;
  TableBytes tables_, rsdp_;
  std::vector<std::pair<size_t, size_t>> placed_;  // tables: where, how long
  Script script_;
};

}  // namespace

AcpiFiles build_acpi(const BoardRecord& board) { return Builder{board}.build(); }

}  // namespace sluice
