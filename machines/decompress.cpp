// machines/decompress.cpp: compressed kernels: gzip (RFC 1952), Zstandard (RFC 8878), and the EFI zboot
// wrapper of Linux (a PE file whose header carries "zimg" and the place of the payload).
#include <zlib.h>
#include <zstd.h>

#include <cstring>
#include <memory>
#include <span>

#include "machines/config_error.h"
#include "machines/loader.h"

namespace sluice {
namespace {

constexpr size_t kChunk = 1 << 20;

std::string too_big(u64 limit) {
  return "unpacks to more than the " + std::to_string(limit >> 20) + " MiB of RAM";
}

bool is_gzip(std::span<const u8> d) { return d.size() >= 2 && d[0] == 0x1f && d[1] == 0x8b; }
bool is_zstd(std::span<const u8> d) {
  return d.size() >= 4 && d[0] == 0x28 && d[1] == 0xb5 && d[2] == 0x2f && d[3] == 0xfd;
}
bool is_zboot(std::span<const u8> d) {
  return d.size() >= 64 && std::memcmp(d.data(), "MZ", 2) == 0 && std::memcmp(&d[4], "zimg", 4) == 0;
}

std::vector<u8> unpack_gzip(const std::string& name, std::span<const u8> packed, u64 limit) {
  z_stream stream{};
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  if (inflateInit2(&stream, kGzipOnly) != Z_OK)
    throw ConfigError::file(name, "cannot start the gzip decoder");
  std::unique_ptr<z_stream, int (*)(z_stream*)> closer{&stream, inflateEnd};
  std::vector<u8> out;
  size_t fed = 0;
  for (;;) {
    if (stream.avail_in == 0 && fed < packed.size()) {
      size_t n = std::min(kChunk, packed.size() - fed);
      stream.next_in = const_cast<Bytef*>(packed.data() + fed);
      stream.avail_in = uInt(n);
      fed += n;
    }
    size_t done = out.size();
    out.resize(done + kChunk);
    stream.next_out = out.data() + done;
    stream.avail_out = uInt(kChunk);
    int status = inflate(&stream, Z_NO_FLUSH);
    out.resize(done + kChunk - stream.avail_out);
    if (out.size() > limit) throw ConfigError::file(name, too_big(limit));
    if (status == Z_STREAM_END) return out;
    bool starved = stream.avail_in == 0 && fed == packed.size() && stream.avail_out != 0;
    if (starved || status == Z_BUF_ERROR) throw ConfigError::file(name, "truncated gzip data");
    if (status != Z_OK) throw ConfigError::file(name, "corrupt gzip data");
  }
}

std::vector<u8> unpack_zstd(const std::string& name, std::span<const u8> packed, u64 limit) {
  std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream{ZSTD_createDStream(), ZSTD_freeDStream};
  if (!stream) throw ConfigError::file(name, "cannot start the zstd decoder");
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  std::vector<u8> out;
  for (;;) {
    size_t done = out.size();
    out.resize(done + kChunk);
    ZSTD_outBuffer piece{out.data() + done, kChunk, 0};
    size_t left = ZSTD_decompressStream(stream.get(), &piece, &in);
    out.resize(done + piece.pos);
    if (ZSTD_isError(left))
      throw ConfigError::file(name, std::string("corrupt zstd data: ") + ZSTD_getErrorName(left));
    if (out.size() > limit) throw ConfigError::file(name, too_big(limit));
    if (left == 0) return out;  // end of the frame; what follows is padding
    if (in.pos == in.size && piece.pos < kChunk) throw ConfigError::file(name, "truncated zstd data");
  }
}

u32 le32(std::span<const u8> d, size_t at) {
  return u32(d[at]) | u32(d[at + 1]) << 8 | u32(d[at + 2]) << 16 | u32(d[at + 3]) << 24;
}

// The header: "MZ", 2 bytes, "zimg", payload offset, payload size, 8 reserved bytes, name of the compression.
std::span<const u8> zboot_payload(const std::string& name, std::span<const u8> file) {
  u64 offset = le32(file, 8), size = le32(file, 12);
  if (offset + size > file.size())
    throw ConfigError::file(name, "truncated: the EFI zboot payload is cut off");
  std::string kind(reinterpret_cast<const char*>(&file[24]),
                   strnlen(reinterpret_cast<const char*>(&file[24]), 32));
  auto payload = file.subspan(offset, size);
  if (!is_gzip(payload) && !is_zstd(payload))
    throw ConfigError::file(
        name, "EFI zboot payload is compressed with \"" + kind + "\"; gzip and zstd are understood");
  return payload;
}

}  // namespace

FileBytes decompress_kernel(const std::string& name, FileBytes file, u64 limit) {
  std::span<const u8> packed = file.view();
  if (is_zboot(packed)) packed = zboot_payload(name, packed);
  if (is_gzip(packed)) return unpack_gzip(name, packed, limit);
  if (is_zstd(packed)) return unpack_zstd(name, packed, limit);
  return file;
}

}  // namespace sluice
