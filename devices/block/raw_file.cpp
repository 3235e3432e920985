// devices/block/raw_file.cpp: a disk whose bytes are a host file or a host block device.
#include "devices/block/raw_file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/bits.h"

namespace sluice {
namespace {

constexpr u64 kSector = 512;
constexpr u64 kZeroChunk = 64 * 1024;
constexpr size_t kVector = 256;  // pieces of one host call

BlockStatus from_errno(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return BlockStatus::NoSpace;
    case EROFS:
    case EBADF: return BlockStatus::ReadOnly;
    case EOPNOTSUPP:
    case ENOSYS:
    case ENOTTY: return BlockStatus::Unsupported;
    default: return BlockStatus::IoError;
  }
}

Failure<std::string> failed(const std::string& path, const std::string& why) {
  return {"cannot open disk image '" + path + "': " + why};
}

// A writer locks the whole file, a reader its first byte, so that readers tolerate each other and nobody
// else.
enum class LockResult : u8 { Taken, Busy };
LockResult lock_file(int fd, RawFile::Mode mode) {
  struct flock range {};
  range.l_type = mode == RawFile::Mode::ReadWrite ? F_WRLCK : F_RDLCK;
  range.l_whence = SEEK_SET;
  range.l_len = mode == RawFile::Mode::ReadWrite ? 0 : 1;
  if (fcntl(fd, F_OFD_SETLK, &range) == 0) return LockResult::Taken;
  // File systems without locks exist; an image there is used unprotected.
  return errno == EAGAIN || errno == EACCES ? LockResult::Busy : LockResult::Taken;
}

// The size in bytes, or 0 with `why` set.
u64 usable_size(int fd, std::string& why) {
  struct stat st {};
  if (fstat(fd, &st) != 0) return why = std::strerror(errno), 0;
  u64 size = 0;
  if (S_ISREG(st.st_mode)) {
    size = u64(st.st_size);
  } else if (S_ISBLK(st.st_mode)) {
    if (ioctl(fd, BLKGETSIZE64, &size) != 0) return why = std::strerror(errno), 0;
  } else {
    return why =
               S_ISDIR(st.st_mode) ? "it is a directory" : "it is neither a regular file nor a block device",
           0;
  }
  if (size == 0) why = "it is empty";
  return size;
}

// Runs pread or pwrite until `size` bytes are done; a short transfer at the end of the file returns what
// there was.
template <class Transfer>
BlockStatus transfer_all(size_t size, size_t& done, Transfer transfer) {
  for (done = 0; done < size;) {
    ssize_t n = transfer(done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return from_errno(errno);
    if (n == 0) break;
    done += size_t(n);
  }
  return BlockStatus::Ok;
}

// False: an error, the end of the file, or, with RWF_NOWAIT, bytes that are not in the host's page cache.
bool read_whole(int fd, u64 offset, BlockBackend::Pieces pieces, int flags) {
  std::array<iovec, kVector> vector;
  size_t size = 0;
  for (size_t i = 0; i < pieces.size(); i++) {
    vector[i] = {pieces[i].data(), pieces[i].size()};
    size += pieces[i].size();
  }
  return ::preadv2(fd, vector.data(), int(pieces.size()), off_t(offset), flags) == ssize_t(size);
}

}  // namespace

Result<std::unique_ptr<RawFile>> RawFile::open(const std::string& path, Mode mode, Locking locking) {
  // O_NONBLOCK: opening a FIFO must fail the check below, not wait for a writer.
  const int flags = (mode == Mode::ReadWrite ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK;
  const int fd = ::open(path.c_str(), flags);
  if (fd < 0) return failed(path, std::strerror(errno));
  std::unique_ptr<RawFile> file{new RawFile(path, mode, fd)};
  std::string why;
  const u64 size = usable_size(fd, why);
  if (!why.empty()) return failed(path, why);
  if (locking == Locking::Exclusive && lock_file(fd, mode) == LockResult::Busy)
    return failed(path, mode == Mode::ReadWrite ? "another process is using it"
                                                : "another process has it open for writing");
  // A last sector that the file does not fill reads as zeroes there.
  file->size_ = align_up(size, kSector);
  return file;
}

RawFile::~RawFile() { ::close(fd_); }

BlockStatus RawFile::read(u64 offset, std::span<u8> out) {
  size_t done = 0;
  BlockStatus status = transfer_all(out.size(), done, [&](size_t at) {
    return ::pread(fd_, out.data() + at, out.size() - at, off_t(offset + at));
  });
  if (status != BlockStatus::Ok) return status;
  // Behind the end: the padding of the last sector, or a file that somebody has shortened meanwhile.
  std::fill(out.begin() + long(done), out.end(), u8{0});
  return BlockStatus::Ok;
}

BlockStatus RawFile::read_pieces(u64 offset, Pieces pieces) {
  while (!pieces.empty()) {
    const Pieces some = pieces.first(std::min(pieces.size(), kVector));
    if (!read_whole(fd_, offset, some, 0)) return BlockBackend::read_pieces(offset, pieces);
    for (std::span<std::byte> piece : some) offset += piece.size();
    pieces = pieces.subspan(some.size());
  }
  return BlockStatus::Ok;
}

bool RawFile::read_at_hand(u64 offset, Pieces pieces) {
  return pieces.size() <= kVector && read_whole(fd_, offset, pieces, RWF_NOWAIT);
}

BlockStatus RawFile::write(u64 offset, std::span<const u8> bytes) {
  if (read_only()) return BlockStatus::ReadOnly;
  size_t done = 0;
  BlockStatus status = transfer_all(bytes.size(), done, [&](size_t at) {
    return ::pwrite(fd_, bytes.data() + at, bytes.size() - at, off_t(offset + at));
  });
  return status == BlockStatus::Ok && done < bytes.size() ? BlockStatus::NoSpace : status;
}

BlockStatus RawFile::flush() {
  if (read_only()) return BlockStatus::Ok;
  return ::fdatasync(fd_) == 0 ? BlockStatus::Ok : from_errno(errno);
}

BlockStatus RawFile::discard(u64 offset, u64 length) {
  if (read_only()) return BlockStatus::ReadOnly;
  if (length == 0) return BlockStatus::Ok;
  int rc = ::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off_t(offset), off_t(length));
  return rc == 0 ? BlockStatus::Ok : from_errno(errno);
}

BlockStatus RawFile::write_zeroes(u64 offset, u64 length, Unmap unmap) {
  if (read_only()) return BlockStatus::ReadOnly;
  if (length == 0) return BlockStatus::Ok;
  // Both modes keep the file's size: what lies behind its end reads as zeroes already.
  const int how = unmap == Unmap::Allow ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
  if (::fallocate(fd_, how | FALLOC_FL_KEEP_SIZE, off_t(offset), off_t(length)) == 0) return BlockStatus::Ok;
  BlockStatus status = from_errno(errno);
  return status == BlockStatus::Unsupported ? write_zeroes_by_hand(offset, length) : status;
}

BlockStatus RawFile::write_zeroes_by_hand(u64 offset, u64 length) {
  const std::vector<u8> zeroes(size_t(std::min(length, kZeroChunk)));
  while (length) {
    const size_t part = size_t(std::min<u64>(length, zeroes.size()));
    if (BlockStatus status = write(offset, {zeroes.data(), part}); status != BlockStatus::Ok) return status;
    offset += part;
    length -= part;
  }
  return BlockStatus::Ok;
}

}  // namespace sluice
