// Loader: arm64 boot protocol, ELF64, compressed kernels, placement and every refusal.
#include "machines/loader.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cstring>
#include <fstream>

#include "machines/config_error.h"

namespace sluice {
namespace {

constexpr u64 kMiB = 1 << 20;
constexpr PhysRange kRam{{0x40000000}, 256 * kMiB};

using Bytes = std::vector<u8>;

template <class T>
void put(Bytes& bytes, size_t at, T value) {
  if (bytes.size() < at + sizeof value) bytes.resize(at + sizeof value);
  std::memcpy(&bytes[at], &value, sizeof value);
}

Bytes image(u64 text_offset, u64 image_size, u64 flags, size_t length) {
  Bytes b(length);
  put<u32>(b, 0, 0x14000000);
  put(b, 8, text_offset);
  put(b, 16, image_size);
  put(b, 24, flags);
  std::memcpy(&b[56], "ARM\x64", 4);
  return b;
}

Bytes bytes_of(const LoadSegment& s) {
  auto view = s.bytes.view();
  return {view.begin(), view.end()};
}

struct Segment {
  u64 vaddr, paddr, filesz, memsz;
};
Bytes elf(u64 entry, const std::vector<Segment>& segments, u16 machine = EM_AARCH64) {
  Bytes b(sizeof(Elf64_Ehdr) + segments.size() * sizeof(Elf64_Phdr));
  Elf64_Ehdr h{};
  std::memcpy(h.e_ident, ELFMAG, SELFMAG);
  h.e_ident[EI_CLASS] = ELFCLASS64;
  h.e_ident[EI_DATA] = ELFDATA2LSB;
  h.e_type = ET_EXEC;
  h.e_machine = machine;
  h.e_entry = entry;
  h.e_phoff = sizeof h;
  h.e_phentsize = sizeof(Elf64_Phdr);
  h.e_phnum = u16(segments.size());
  std::memcpy(b.data(), &h, sizeof h);
  for (size_t i = 0; i < segments.size(); i++) {
    Elf64_Phdr p{};
    p.p_type = PT_LOAD;
    p.p_flags = PF_X | PF_R;
    p.p_offset = b.size();
    p.p_vaddr = segments[i].vaddr;
    p.p_paddr = segments[i].paddr;
    p.p_filesz = segments[i].filesz;
    p.p_memsz = segments[i].memsz;
    b.resize(b.size() + segments[i].filesz, u8(0xa0 + i));
    std::memcpy(&b[sizeof h + i * sizeof p], &p, sizeof p);
  }
  return b;
}

Bytes gzip(const Bytes& in) {
  z_stream s{};
  deflateInit2(&s, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
  Bytes out(deflateBound(&s, in.size()) + 64);
  s.next_in = const_cast<u8*>(in.data());
  s.avail_in = uInt(in.size());
  s.next_out = out.data();
  s.avail_out = uInt(out.size());
  deflate(&s, Z_FINISH);
  out.resize(s.total_out);
  deflateEnd(&s);
  return out;
}

Bytes zstd(const Bytes& in) {
  Bytes out(ZSTD_compressBound(in.size()));
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  out.resize(ZSTD_compress2(context, out.data(), out.size(), in.data(), in.size()));
  ZSTD_freeCCtx(context);
  return out;
}

// The message of the ConfigError, or "" when there is none.
template <class F>
std::string refusal(F&& f) {
  try {
    f();
  } catch (const ConfigError& e) {
    EXPECT_EQ(int(e.kind()), int(ConfigError::Kind::File));
    return e.what();
  }
  return "";
}
std::string refusal_of(Bytes kernel, PhysRange ram = kRam) {
  return refusal([&] { Loader{ram}.load_kernel_image("k", std::move(kernel)); });
}
bool has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

class TempFile {
 public:
  explicit TempFile(const Bytes& bytes) {
    char name[] = "/tmp/loader_test_XXXXXX";
    close(mkstemp(name));
    path = name;
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), long(bytes.size()));
  }
  ~TempFile() { unlink(path.c_str()); }
  std::string path;
};

TEST(Loader, ImageGoesToTextOffsetFromA2MiBBoundary) {
  Loader l{kRam};
  l.load_kernel_image("k", image(0x80000, 0x10000, 0xa, 0x4000));
  EXPECT_EQ(l.boot().entry.value, 0x40080000u);
  ASSERT_EQ(l.segments().size(), 1u);
  EXPECT_EQ(l.segments()[0].size, 0x10000u);
  EXPECT_EQ(l.segments()[0].bytes.size(), 0x4000u);
}

TEST(Loader, ImageWithoutTextOffsetLeavesTheFirst2MiBFree) {
  Loader l{kRam};
  l.load_kernel_image("k", image(0, 0x10000, 0xa, 0x4000));
  EXPECT_EQ(l.boot().entry.value, 0x40200000u);
}

TEST(Loader, ImageOfAnOldKernelWithoutSizeGoesTo0x80000) {
  Loader l{kRam};
  l.load_kernel_image("k", image(0x1234, 0, 0, 0x4000));
  EXPECT_EQ(l.boot().entry.value, 0x40080000u);
}

TEST(Loader, DeviceTreeFollowsTheInitrdAndItsAddressIsInX0) {
  TempFile initrd{Bytes(0x300001, 7)};
  Loader l{kRam};
  l.load_kernel_image("k", image(0, 0x2000000, 0xa, 0x4000));
  l.load_initrd(initrd.path);
  ASSERT_TRUE(l.initrd());
  EXPECT_EQ(l.initrd()->first.value, 0x48000000u);  // 128 MiB above the base
  EXPECT_EQ(l.initrd()->size, 0x300001u);
  l.place_device_tree(Bytes(1000, 1));
  EXPECT_EQ(l.boot().x[0], 0x48400000u);  // the next 2 MiB boundary
  EXPECT_EQ(l.boot().x[1] | l.boot().x[2] | l.boot().x[3], 0u);
}

TEST(Loader, InitrdInSmallRamStartsInItsMiddle) {
  TempFile initrd{Bytes(0x1000, 7)};
  Loader l{{{0x40000000}, 64 * kMiB}};
  l.load_kernel_image("k", image(0, 0x800000, 0xa, 0x4000));
  l.load_initrd(initrd.path);
  EXPECT_EQ(l.initrd()->first.value, 0x42000000u);
}

TEST(Loader, InitrdGoesBehindAKernelThatReachesItsPlace) {
  TempFile initrd{Bytes(0x1000, 7)};
  Loader l{{{0x40000000}, 64 * kMiB}};
  l.load_kernel_image("k", image(0, 0x2800123, 0xa, 0x4000));
  l.load_initrd(initrd.path);
  EXPECT_EQ(l.initrd()->first.value, 0x42a01000u);
}

TEST(Loader, WithoutInitrdTheDeviceTreeGoesWhereItWouldBe) {
  Loader l{kRam};
  l.load_kernel_image("k", image(0, 0x10000, 0xa, 0x4000));
  l.place_device_tree(Bytes(1000, 1));
  EXPECT_EQ(l.boot().x[0], 0x48000000u);
}

TEST(Loader, RawBinaryStartsAt0x80000WithTheDeviceTreeInX0) {
  Loader l{kRam};
  l.load_kernel_image("k", Bytes(100, 0x1f));
  l.place_device_tree(Bytes(10));
  EXPECT_EQ(int(l.format()), int(KernelFormat::Raw));
  EXPECT_EQ(l.boot().entry.value, 0x40080000u);
  EXPECT_EQ(l.boot().x[0], 0x48000000u);
}

TEST(Loader, ElfSegmentsGoToTheirPhysicalAddresses) {
  Loader l{kRam};
  l.load_kernel_image(
      "k", elf(0x40100010, {{0x40100000, 0x40100000, 0x100, 0x100}, {0x40200000, 0x40200000, 0x10, 0x5000}}));
  EXPECT_EQ(l.boot().entry.value, 0x40100010u);
  ASSERT_EQ(l.segments().size(), 2u);
  EXPECT_EQ(l.segments()[1].address.value, 0x40200000u);
  EXPECT_EQ(l.segments()[1].size, 0x5000u);
  EXPECT_EQ(bytes_of(l.segments()[1]), Bytes(0x10, 0xa1));
}

TEST(Loader, ElfEntryFollowsASegmentThatIsLoadedElsewhere) {
  Loader l{kRam};
  l.load_kernel_image("k", elf(0xffff000000001004, {{0xffff000000001000, 0x40300000, 0x100, 0x100}}));
  EXPECT_EQ(l.boot().entry.value, 0x40300004u);
}

TEST(Loader, ElfGetsTheDeviceTreeAtTheStartOfRamAndNothingInX0) {
  Loader l{kRam};
  l.load_kernel_image("k", elf(0x40100000, {{0x40100000, 0x40100000, 0x100, 0x100}}));
  l.place_device_tree(Bytes(0x1000, 1));
  EXPECT_EQ(l.segments().back().address.value, 0x40000000u);
  EXPECT_EQ(l.boot().x[0], 0u);
}

TEST(Loader, ElfAtTheStartOfRamDoesWithoutADeviceTree) {
  Loader l{kRam};
  l.load_kernel_image("k", elf(0x40000000, {{0x40000000, 0x40000000, 0x100, 0x100}}));
  EXPECT_FALSE(l.device_tree_address());
  l.place_device_tree(Bytes(0x1000, 1));
  EXPECT_EQ(l.segments().size(), 1u);
}

TEST(Loader, ElfSegmentsMayBeInSecureRamWhereThereIsSome) {
  constexpr PhysRange kSecureRam{{0x0e000000}, 0x01000000};
  Bytes firmware = elf(0x0e000010, {{0x0e000000, 0x0e000000, 0x100, 0x100}});
  EXPECT_TRUE(has(refusal_of(firmware), "does not fit into RAM"));
  Loader loader{kRam, kSecureRam};
  loader.load_kernel_image("firmware", firmware);
  EXPECT_EQ(loader.boot().entry.value, 0x0e000010u);
  EXPECT_EQ(loader.device_tree_address()->value, kRam.first.value);
  EXPECT_EQ(loader.free_ram().first.value, kRam.first.value);
  EXPECT_EQ(loader.free_ram().size, kRam.size);
}

TEST(Loader, CompressedKernelsAreUnpacked) {
  Bytes plain = image(0x80000, 0x300000, 0xa, 0x280000);
  for (size_t i = 64; i < plain.size(); i++) plain[i] = u8(i * 7 + i / 251);
  for (const Bytes& packed : {gzip(plain), zstd(plain)}) {
    Loader l{kRam};
    l.load_kernel_image("k", packed);
    EXPECT_EQ(bytes_of(l.segments()[0]), plain);
  }
}

TEST(Loader, EfiZbootPayloadIsUnpacked) {
  Bytes plain = image(0x80000, 0x10000, 0xa, 0x4000), packed = gzip(plain);
  Bytes z(64);
  std::memcpy(&z[0], "MZ\0\0zimg", 8);
  put<u32>(z, 8, 64);
  put<u32>(z, 12, u32(packed.size()));
  std::memcpy(&z[24], "gzip", 5);
  z.insert(z.end(), packed.begin(), packed.end());
  Loader l{kRam};
  l.load_kernel_image("k", z);
  EXPECT_EQ(bytes_of(l.segments()[0]), plain);
  z.resize(z.size() - 1);
  EXPECT_TRUE(has(refusal_of(z), "truncated"));
  put<u32>(z, 8, 0);
  put<u32>(z, 12, 16);
  std::memcpy(&z[24], "lzma", 5);
  EXPECT_TRUE(has(refusal_of(z), "lzma"));
}

TEST(Loader, DamagedCompressedKernelsAreRefused) {
  Bytes plain(100000);
  for (size_t i = 0; i < plain.size(); i++) plain[i] = u8(i * i >> 3);
  for (Bytes packed : {gzip(plain), zstd(plain)}) {
    Bytes cut(packed.begin(), packed.begin() + long(packed.size() / 2));
    EXPECT_TRUE(has(refusal_of(cut), "truncated")) << refusal_of(cut);
    for (size_t i = packed.size() / 3; i < packed.size() / 3 + 40; i++) packed[i] ^= 0x5a;
    EXPECT_TRUE(has(refusal_of(packed), "corrupt") || has(refusal_of(packed), "truncated"))
        << refusal_of(packed);
  }
}

TEST(Loader, DecompressionStopsAtTheSizeOfRam) {
  EXPECT_TRUE(has(refusal_of(gzip(Bytes(20 * kMiB)), {{0x40000000}, 16 * kMiB}), "unpacks to more"));
  EXPECT_TRUE(has(refusal_of(zstd(Bytes(20 * kMiB)), {{0x40000000}, 16 * kMiB}), "unpacks to more"));
}

TEST(Loader, RefusalsNameTheReason) {
  EXPECT_TRUE(has(refusal_of({}), "is empty"));
  EXPECT_TRUE(has(refusal_of(elf(0x40000000, {{0, 0x40000000, 4, 4}}, EM_X86_64)),
                  "wrong architecture: an ELF for x86-64"));
  EXPECT_TRUE(has(refusal_of(image(0, 0x10000, 1, 0x4000)), "big-endian"));
  EXPECT_TRUE(has(refusal_of(elf(0, {{0, 0, 0x100, 0x100}})), "does not fit into RAM"));
  EXPECT_TRUE(has(refusal_of(elf(0x1000, {{0x40000000, 0x40000000, 0x100, 0x100}})),
                  "entry point 0x1000 is not in RAM"));
  EXPECT_TRUE(has(refusal_of(elf(0x40000000, {})), "no program headers"));
  EXPECT_TRUE(
      has(refusal_of(elf(0x40000000, {{0x40000000, 0x40000000, 0x100, 0x100}, {0, 0x40000080, 4, 4}})),
          "overlaps"));
  EXPECT_TRUE(has(refusal_of(elf(0x40000000, {{0x40000000, 0x40000000, 0x100, ~u64{0}}})), "does not fit"));
  EXPECT_TRUE(has(refusal_of(image(0, 512 * kMiB, 0, 0x4000)), "does not fit into RAM"));
  EXPECT_TRUE(has(refusal([] { Loader{kRam}.load_kernel("/nonexistent/Image"); }),
                  "/nonexistent/Image: No such file"));
}

TEST(Loader, TruncatedElfIsRefusedAtEveryLength) {
  Bytes whole = elf(0x40000000, {{0x40000000, 0x40000000, 0x20, 0x20}});
  for (size_t n = 4; n < whole.size(); n++)
    EXPECT_NE(refusal_of(Bytes(whole.begin(), whole.begin() + long(n))), "") << n;
  EXPECT_EQ(refusal_of(whole), "");
}

TEST(Loader, TruncatedEfiImageIsRefused) {
  Bytes b = image(0, 0x10000, 0xa, 0x4000);
  b[0] = 'M', b[1] = 'Z';
  put<u32>(b, 60, 0x40);
  std::memcpy(&b[0x40], "PE\0\0", 4);
  put<u16>(b, 0x40 + 6, 1);      // one section
  put<u16>(b, 0x40 + 20, 0xa0);  // optional header
  size_t row = 0x40 + 24 + 0xa0;
  put<u32>(b, row + 16, 0x3000);  // SizeOfRawData
  put<u32>(b, row + 20, 0x1000);  // PointerToRawData
  EXPECT_EQ(refusal_of(b), "");
  b.pop_back();
  EXPECT_TRUE(has(refusal_of(b), "truncated"));
}

TEST(Loader, DeviceTreeThatDoesNotFitIsRefused) {
  Loader l{{{0x40000000}, 8 * kMiB}};
  l.load_kernel_image("k", image(0, 0x10000, 0xa, 0x4000));
  EXPECT_TRUE(has(refusal([&] { l.place_device_tree(Bytes(5 * kMiB)); }), "do not fit"));
}

TEST(Loader, FreeRamIsTheLargestGap) {
  Loader l{kRam};
  l.load_kernel_image("k", elf(0x40100000, {{0x40100000, 0x40100000, 0x10, 0x1001}}));
  PhysRange free = l.free_ram();
  EXPECT_EQ(free.first.value, 0x40102000u);
  EXPECT_EQ(free.first.value + free.size, 0x50000000u);
}

TEST(Loader, KernelsOfOtherMachinesAreNamedAndRefused) {
  struct {
    size_t offset;
    std::string magic, expected;
  } cases[] = {{56, "RSC\x05", "RISC-V"},
               {0x202, "HdrS", "x86"},
               {36, "\x18\x28\x6f\x01", "zImage"},
               {0, std::string("\x27\x05\x19\x56"), "uImage"},
               {0, "MZ", "EFI"},
               {0, "070701", "cpio"},
               {257, "ustar", "tar"},
               {0, "!<arch>\n", "archive"},
               {0, "\xfd\x37zXZ", "xz"},
               {0, "#!/bin/sh", "script"}};
  for (const auto& c : cases) {
    Bytes file(1024);
    std::copy(c.magic.begin(), c.magic.end(), file.begin() + long(c.offset));
    Loader loader{kRam};
    try {
      loader.load_kernel_image("file", file);
      ADD_FAILURE() << c.expected;
    } catch (const ConfigError& error) {
      EXPECT_EQ(error.kind(), ConfigError::Kind::File);
      EXPECT_NE(std::string{error.what()}.find(c.expected), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace sluice
