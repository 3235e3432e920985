// devices/flash/flash_store.cpp: see flash_store.h.
#include "devices/flash/flash_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "base/bits.h"

namespace sluice {
namespace {

constexpr u64 kChunk = 4096;           // of the file: what is written at once
constexpr u64 kReadChunk = 64 * 1024;  // a chunk of zeros stays untouched memory
constexpr u64 kJournalLimit = 8 << 20, kJournalMost = 2 * kJournalLimit;

// The journal: a head, then records, each with its bytes behind it. A record counts when its check sum is
// right and all records before it count.
struct Head {
  u64 magic = 0x4c46'6563'6975'6c53;  // "SluiceFL"
  u64 size = 0;                       // of the flash
  u64 stamp = 0;                      // of the file when the journal was begun: another file is not ours
};
struct Record {
  enum class Kind : u32 { Bytes, Fill, Checkpoint };  // Checkpoint: from now on the file may be changed
  Kind kind = Kind::Bytes;
  u32 fill = 0;
  u64 offset = 0;
  u64 length = 0;
  u64 check = 0;
};

// FNV-1a, 64 bits: torn records are to be found, not forged ones.
u64 check_sum(u64 sum, std::span<const u8> bytes) {
  for (u8 b : bytes) sum = (sum ^ b) * 0x100000001b3;
  return sum;
}
u64 check_sum(Record record, std::span<const u8> bytes) {
  record.check = 0;
  auto* raw = reinterpret_cast<const u8*>(&record);
  return check_sum(check_sum(0xcbf29ce484222325, {raw, sizeof record}), bytes);
}

bool write_all(int fd, const void* data, size_t size, u64 offset) {
  auto* at = static_cast<const u8*>(data);
  while (size) {
    ssize_t n = pwrite(fd, at, size, off_t(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n, size -= size_t(n), offset += u64(n);
  }
  return true;
}

// Nothing when it cannot be read, or is larger than we ever write.
std::vector<u8> read_journal(int fd) {
  std::vector<u8> all;
  struct stat st {};
  if (fstat(fd, &st) != 0 || u64(st.st_size) > kJournalMost) return all;
  all.resize(size_t(st.st_size));
  if (pread(fd, all.data(), all.size(), 0) != ssize_t(all.size())) all.clear();
  return all;
}

std::string folder_of(const std::string& path) {
  size_t slash = path.rfind('/');
  return slash == path.npos ? "." : path.substr(0, slash + 1);
}

std::string mib(u64 size) {
  return size % (1 << 20) ? std::to_string(size) + " bytes" : std::to_string(size >> 20) + " MiB";
}

}  // namespace

Result<std::unique_ptr<FlashStore>> FlashStore::open(const std::string& path, Mode mode, u64 size) {
  std::unique_ptr<FlashStore> store{new FlashStore(path, mode, size)};
  auto file =
      RawFile::open(path, mode == Mode::ReadWrite ? RawFile::Mode::ReadWrite : RawFile::Mode::ReadOnly);
  if (!file) return Failure{file.error()};
  store->file_ = std::move(*file);
  // RawFile rounds down to whole sectors; a file that is cut off must not look like a good one.
  struct stat st {};
  const bool regular = stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode);
  const u64 has = regular ? u64(st.st_size) : store->file_->size();
  if (has != size)
    return Failure{"flash image '" + path + "' is " + mib(has) + ", and the flash bank is " + mib(size) +
                   ": " +
                   (has > size ? "it does not fit"
                               : "a truncated download? (truncate -s " + std::to_string(size >> 20) +
                                     "M makes a short one fit)")};
  if (mode == Mode::ReadWrite && access(folder_of(path).c_str(), W_OK) != 0)
    return Failure{"flash image '" + path + "': its folder takes no journal: " + std::strerror(errno) +
                   " (readonly=on or snapshot=on need none)"};
  return store;
}

FlashStore::~FlashStore() {
  if (memory_) static_cast<void>(checkpoint());
  if (journal_ >= 0) close(journal_);
}

u64 FlashStore::file_stamp() const {
  struct stat st {};
  if (stat(path_.c_str(), &st) != 0) return 0;
  return u64(st.st_mtim.tv_sec) * 1'000'000'000 + u64(st.st_mtim.tv_nsec);
}

Result<u64> FlashStore::load(u8* memory) {
  memory_ = memory;
  std::vector<u8> chunk(kReadChunk);
  for (u64 at = 0; at < size_; at += chunk.size()) {
    std::span<u8> piece{chunk.data(), size_t(std::min<u64>(chunk.size(), size_ - at))};
    if (file_->read(at, piece) != BlockStatus::Ok)
      return Failure{"flash image '" + path_ + "' cannot be read"};
    if (std::any_of(piece.begin(), piece.end(), [](u8 b) { return b != 0; }))
      std::memcpy(memory + at, piece.data(), piece.size());
  }
  replay();
  if (mode_ == Mode::ReadWrite && !dirty_.empty() && checkpoint() != BlockStatus::Ok)
    return Failure{"flash image '" + path_ + "': what " + journal_path() + " holds cannot be written to it"};
  return size_;
}

// A journal that is left is that of a run that did not end in order.
void FlashStore::replay() {
  const bool ours = mode_ == Mode::ReadWrite;
  int fd = ::open(journal_path().c_str(), (ours ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  if (fd < 0) return;
  std::vector<Change> changes;
  std::vector<u8> all = read_journal(fd);
  u64 end = 0;
  if (all.size() >= sizeof(Head)) end = read_records(all, changes);
  for (const Change& c : changes) apply(c);
  // It stays what the file can be mended with until the file has everything.
  if (ours && !changes.empty())
    journal_ = fd, journal_size_ = end;
  else
    close(fd);
}

// Up to where the journal is good; what it holds, when it is one of this file.
u64 FlashStore::read_records(std::span<const u8> all, std::vector<Change>& changes) const {
  Head head;
  std::memcpy(&head, all.data(), sizeof head);
  if (head.magic != Head{}.magic || head.size != size_) return 0;
  bool same_file = head.stamp == file_stamp();
  size_t at = sizeof head;
  while (all.size() - at >= sizeof(Record)) {
    Record r;
    std::memcpy(&r, &all[at], sizeof r);
    const size_t behind = r.kind == Record::Kind::Bytes ? r.length : 0;
    if (behind > all.size() - at - sizeof r || r.offset > size_ || r.length > size_ - r.offset) break;
    std::span<const u8> bytes = all.subspan(at + sizeof r, behind);
    if (check_sum(r, bytes) != r.check) break;
    at += sizeof r + behind;
    if (r.kind == Record::Kind::Checkpoint)
      same_file = true;
    else
      changes.push_back({r.offset, r.length, bytes, u8(r.fill)});
  }
  if (!same_file) {
    std::fprintf(stderr, "sluice: warning: %s is not a journal of %s as it is now: ignored\n",
                 journal_path().c_str(), path_.c_str());
    changes.clear();
  }
  return at;
}

void FlashStore::apply(u8* memory, const Change& c) {
  if (c.bytes.empty())
    std::memset(memory + c.offset, c.fill, c.length);
  else
    std::memcpy(memory + c.offset, c.bytes.data(), c.length);
}

void FlashStore::apply(const Change& c) {
  apply(memory_, c);
  for (u64 chunk = c.offset / kChunk; c.length && chunk <= (c.offset + c.length - 1) / kChunk; chunk++)
    dirty_.insert(chunk);
}

BlockStatus FlashStore::change(const Change& c) {
  if (mode_ == Mode::ReadOnly) return BlockStatus::ReadOnly;
  if (mode_ == Mode::ReadWrite) {
    BlockStatus status = append(c);
    if (status != BlockStatus::Ok) {
      if (!std::exchange(warned_, true))
        std::fprintf(stderr, "sluice: %s cannot be written: %s; the guest's flash reports errors\n",
                     journal_path().c_str(), std::strerror(errno));
      return status;
    }
  }
  apply(c);
  return BlockStatus::Ok;
}

BlockStatus FlashStore::begin_journal() {
  journal_ = ::open(journal_path().c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (journal_ < 0) return BlockStatus::IoError;
  Head head{.size = size_, .stamp = file_stamp()};
  journal_size_ = sizeof head;
  if (write_all(journal_, &head, sizeof head, 0)) return BlockStatus::Ok;
  const int error = errno;
  close(std::exchange(journal_, -1));
  unlink(journal_path().c_str());
  errno = error;
  return error == ENOSPC ? BlockStatus::NoSpace : BlockStatus::IoError;
}

BlockStatus FlashStore::append(const Change& c) {
  if (journal_size_ > kJournalLimit)
    if (BlockStatus s = checkpoint(); s != BlockStatus::Ok) return s;
  if (journal_ < 0)
    if (BlockStatus s = begin_journal(); s != BlockStatus::Ok) return s;
  Record record{.kind = c.bytes.empty() ? Record::Kind::Fill : Record::Kind::Bytes,
                .fill = c.fill,
                .offset = c.offset,
                .length = c.length};
  record.check = check_sum(record, c.bytes);
  // In one piece: half a record can only be the last one.
  auto* head = reinterpret_cast<const u8*>(&record);
  std::vector<u8> raw(head, head + sizeof record);
  raw.insert(raw.end(), c.bytes.begin(), c.bytes.end());
  if (write_all(journal_, raw.data(), raw.size(), journal_size_)) {
    journal_size_ += raw.size();
    return BlockStatus::Ok;
  }
  const int error = errno;
  (void)!ftruncate(journal_, off_t(journal_size_));
  errno = error;
  return error == ENOSPC ? BlockStatus::NoSpace : BlockStatus::IoError;
}

// The journal reaches the disk before the file is touched, and the file before the journal goes.
BlockStatus FlashStore::checkpoint() {
  const BlockStatus status = write_file();
  if (status != BlockStatus::Ok)
    std::fprintf(stderr,
                 "sluice: warning: flash image '%s' cannot be written now; %s has what the guest changed\n",
                 path_.c_str(), journal_path().c_str());
  return status;
}

BlockStatus FlashStore::write_file() {
  if (mode_ != Mode::ReadWrite || dirty_.empty()) return BlockStatus::Ok;
  if (journal_ >= 0) {
    Record mark{.kind = Record::Kind::Checkpoint};
    mark.check = check_sum(mark, {});
    if (!write_all(journal_, &mark, sizeof mark, journal_size_)) return BlockStatus::IoError;
    journal_size_ += sizeof mark;
    if (fdatasync(journal_) != 0) return BlockStatus::IoError;
  }
  for (auto chunk = dirty_.begin(); chunk != dirty_.end();) {
    u64 first = *chunk, end = first;
    while (chunk != dirty_.end() && *chunk == end) ++chunk, ++end;
    const u64 from = first * kChunk, to = std::min(end * kChunk, size_);
    BlockStatus status = file_->write(from, {memory_ + from, size_t(to - from)});
    if (status != BlockStatus::Ok) return status;
  }
  if (BlockStatus status = file_->flush(); status != BlockStatus::Ok) return status;
  dirty_.clear();
  if (journal_ >= 0) close(std::exchange(journal_, -1));
  unlink(journal_path().c_str());
  journal_size_ = 0;
  return BlockStatus::Ok;
}

}  // namespace sluice
