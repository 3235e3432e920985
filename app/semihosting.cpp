// app/semihosting.cpp: see semihosting.h. Parameter blocks hold 64-bit fields.
#include "app/semihosting.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <vector>

#include "base/log.h"

namespace sluice {
namespace {

enum Operation : u32 {
  kOpen = 0x01,
  kClose = 0x02,
  kWriteC = 0x03,
  kWrite0 = 0x04,
  kWrite = 0x05,
  kRead = 0x06,
  kReadC = 0x07,
  kIsError = 0x08,
  kIsTty = 0x09,
  kSeek = 0x0a,
  kFlen = 0x0c,
  kTmpNam = 0x0d,
  kRemove = 0x0e,
  kRename = 0x0f,
  kClock = 0x10,
  kTime = 0x11,
  kSystem = 0x12,
  kErrno = 0x13,
  kGetCmdline = 0x15,
  kHeapInfo = 0x16,
  kExit = 0x18,
  kExitExtended = 0x20,
  kElapsed = 0x30,
  kTickFreq = 0x31,
};

constexpr u64 kFailed = ~u64{0};
constexpr u64 kApplicationExit = 0x20026;  // ADP_Stopped_ApplicationExit
constexpr u64 kLongestName = 4096;
constexpr u64 kLongestString = 1 << 20;  // of SYS_WRITE0
constexpr size_t kMostFiles = 256;
constexpr size_t kChunk = 65536;
constexpr u64 kTicksPerSecond = 1'000'000'000;

// ":semihosting-features": magic, then SH_EXT_EXIT_EXTENDED and SH_EXT_STDOUT_STDERR.
constexpr std::array<u8, 5> kFeatures{'S', 'H', 'F', 'B', 0x03};

// SYS_OPEN modes 0..11 are those of fopen: r rb r+ r+b w wb w+ w+b a ab a+ a+b.
constexpr int kOpenFlags[12] = {O_RDONLY,
                                O_RDONLY,
                                O_RDWR,
                                O_RDWR,
                                O_WRONLY | O_CREAT | O_TRUNC,
                                O_WRONLY | O_CREAT | O_TRUNC,
                                O_RDWR | O_CREAT | O_TRUNC,
                                O_RDWR | O_CREAT | O_TRUNC,
                                O_WRONLY | O_CREAT | O_APPEND,
                                O_WRONLY | O_CREAT | O_APPEND,
                                O_RDWR | O_CREAT | O_APPEND,
                                O_RDWR | O_CREAT | O_APPEND};

}  // namespace

SemihostingConsole::SemihostingConsole(ByteStream& terminal) : terminal_(terminal) {
  terminal_.on_receive([this](std::span<const u8> bytes) { return receive(bytes); });
}

SemihostingConsole::~SemihostingConsole() { terminal_.on_receive({}); }

void SemihostingConsole::on_receive(Receiver receiver) {
  {
    std::lock_guard lock{mutex_};
    port_ = receiver ? std::make_shared<Receiver>(std::move(receiver)) : nullptr;
  }
  terminal_.resume();
}

size_t SemihostingConsole::receive(std::span<const u8> bytes) {
  std::shared_ptr<Receiver> port;
  {
    std::lock_guard lock{mutex_};
    if (readers_ > 0 || comes_again_) {
      bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
      arrived_.notify_all();
      return bytes.size();
    }
    port = port_;
  }
  return port ? (*port)(bytes) : 0;
}

std::optional<size_t> SemihostingConsole::read(std::span<u8> into) {
  std::unique_lock lock{mutex_};
  readers_++;
  comes_again_ = false;
  if (bytes_.empty() && !at_end_) {
    // What the serial port has not taken may be ours.
    lock.unlock();
    terminal_.resume();
    lock.lock();
  }
  arrived_.wait(lock, [this] { return !bytes_.empty() || at_end_ || interrupted_; });
  readers_--;
  if (bytes_.empty() && !at_end_) {
    comes_again_ = true;
    return std::nullopt;
  }
  size_t n = std::min(into.size(), bytes_.size());
  std::copy_n(bytes_.begin(), n, into.begin());
  bytes_.erase(bytes_.begin(), bytes_.begin() + ptrdiff_t(n));
  return n;
}

void SemihostingConsole::end_of_input() {
  std::lock_guard lock{mutex_};
  at_end_ = true;
  arrived_.notify_all();
}

void SemihostingConsole::interrupt_reads() {
  std::lock_guard lock{mutex_};
  interrupted_ = true;
  arrived_.notify_all();
}

void SemihostingConsole::allow_reads() {
  std::lock_guard lock{mutex_};
  interrupted_ = false;
}

void SemihostingConsole::forget_reads() {
  std::lock_guard lock{mutex_};
  comes_again_ = false;
}

// An open handle: a file of the host, the console, or the features file.
struct Semihosting::File {
  enum class Kind : u8 { Host, ConsoleIn, ConsoleOut, Features } kind;
  int fd = -1;
  u64 position = 0;  // Features
  ~File() {
    if (fd >= 0) close(fd);
  }
};

// One call: the parameter block and what the operations need.
class Semihosting::Call {
 public:
  Call(Semihosting& host, u64 block, GuestMemory& memory) : host_(host), block_(block), memory_(memory) {}
  u64 run(u32 operation);

 private:
  u64 fail(int error) {
    std::lock_guard lock{host_.mutex_};
    host_.errno_ = error;
    return kFailed;
  }
  std::optional<u64> word(unsigned n) {
    std::array<u8, 8> bytes{};
    if (!memory_.read(block_ + n * 8, bytes)) return std::nullopt;
    u64 value;
    std::memcpy(&value, bytes.data(), 8);
    return value;
  }
  bool put_word(u64 va, u64 value) {
    std::array<u8, 8> bytes;
    std::memcpy(bytes.data(), &value, 8);
    return memory_.write(va, bytes);
  }
  // A string of known length, without a NUL inside.
  std::optional<std::string> name(unsigned pointer_word, unsigned length_word) {
    auto va = word(pointer_word), length = word(length_word);
    if (!va || !length || *length > kLongestName) return std::nullopt;
    std::vector<u8> bytes(*length);
    if (!bytes.empty() && !memory_.read(*va, bytes)) return std::nullopt;
    std::string text(bytes.begin(), bytes.end());
    return text.find('\0') == text.npos ? std::optional{text} : std::nullopt;
  }
  std::shared_ptr<File> file() {
    auto handle = word(0);
    std::lock_guard lock{host_.mutex_};
    auto found = handle ? host_.files_.find(*handle) : host_.files_.end();
    return found == host_.files_.end() ? nullptr : found->second;
  }
  u64 open_file();
  u64 close_file();
  u64 write_character();
  u64 write_string();
  u64 write_file();
  u64 read_file();
  u64 read_character();
  u64 is_tty();
  u64 seek();
  u64 file_length();
  u64 temporary_name();
  u64 remove_file();
  u64 rename_file();
  u64 command_line();
  u64 heap_info();
  u64 exit();
  std::optional<size_t> read_some(File& file, std::span<u8> into);

  Semihosting& host_;
  const u64 block_;
  GuestMemory& memory_;
};

u64 Semihosting::Call::run(u32 operation) {
  switch (operation) {
    case kOpen: return open_file();
    case kClose: return close_file();
    case kWriteC: return write_character();
    case kWrite0: return write_string();
    case kWrite: return write_file();
    case kRead: return read_file();
    case kReadC: return read_character();
    case kIsError: return i64(word(0).value_or(kFailed)) < 0;
    case kIsTty: return is_tty();
    case kSeek: return seek();
    case kFlen: return file_length();
    case kTmpNam: return temporary_name();
    case kRemove: return remove_file();
    case kRename: return rename_file();
    case kClock: return host_.clock_.now_ns() / 10'000'000;  // centiseconds
    case kTime: return host_.config_.start_seconds + host_.clock_.now_ns() / 1'000'000'000;
    case kErrno: {
      std::lock_guard lock{host_.mutex_};
      return u64(host_.errno_);
    }
    case kGetCmdline: return command_line();
    case kHeapInfo: return heap_info();
    case kExit:
    case kExitExtended: return exit();
    case kElapsed: return put_word(block_, host_.clock_.now_ns()) ? 0 : fail(EFAULT);
    case kTickFreq: return kTicksPerSecond;
    case kSystem:
      // DEVIATION: a guest never gets to run commands on the host.
      guest_error("semihosting: SYS_SYSTEM is refused");
      return fail(EPERM);
    default: guest_error("semihosting: unknown operation 0x%x", operation); return fail(ENOSYS);
  }
}

u64 Semihosting::Call::open_file() {
  auto path = name(0, 2);
  auto mode = word(1);
  if (!path || !mode || *mode > 11) return fail(EINVAL);
  auto opened = std::make_shared<File>();
  if (*path == ":tt") {
    // Modes r are standard input, w standard output, a standard error (SH_EXT_STDOUT_STDERR).
    opened->kind = *mode < 4 ? File::Kind::ConsoleIn : File::Kind::ConsoleOut;
  } else if (*path == ":semihosting-features") {
    if (*mode > 1) return fail(EACCES);
    opened->kind = File::Kind::Features;
  } else {
    opened->kind = File::Kind::Host;
    // Not blocking for ever on a FIFO that the guest names.
    opened->fd = open(path->c_str(), kOpenFlags[*mode] | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
    if (opened->fd < 0) return fail(errno);
  }
  std::lock_guard lock{host_.mutex_};
  if (host_.files_.size() == kMostFiles) {
    host_.errno_ = EMFILE;
    return kFailed;
  }
  host_.files_[host_.next_handle_] = opened;
  return host_.next_handle_++;
}

u64 Semihosting::Call::close_file() {
  auto handle = word(0);
  std::lock_guard lock{host_.mutex_};
  if (handle && host_.files_.erase(*handle)) return 0;
  host_.errno_ = EBADF;
  return kFailed;
}

u64 Semihosting::Call::write_character() {
  u8 c;
  if (!memory_.read(block_, {&c, 1})) return fail(EFAULT);
  host_.console_.transmit({&c, 1});
  return 0;
}

u64 Semihosting::Call::write_string() {
  std::array<u8, 256> piece;
  for (u64 va = block_, end = block_ + kLongestString; va != end;) {
    // Never over the end of a page: what follows the string may not be readable.
    size_t n = std::min<size_t>(piece.size(), 4096 - va % 4096);
    std::span<u8> bytes{piece.data(), std::min<size_t>(n, end - va)};
    if (!memory_.read(va, bytes)) return fail(EFAULT);
    auto nul = std::find(bytes.begin(), bytes.end(), u8{0});
    host_.console_.transmit({bytes.data(), size_t(nul - bytes.begin())});
    if (nul != bytes.end()) return 0;
    va += bytes.size();
  }
  guest_error("semihosting: SYS_WRITE0 of a string without an end");
  return fail(E2BIG);
}

// Returns how many bytes were not written.
u64 Semihosting::Call::write_file() {
  auto target = file();
  auto va = word(1), length = word(2);
  if (!va || !length) return fail(EFAULT);
  if (!target || target->kind == File::Kind::ConsoleIn || target->kind == File::Kind::Features)
    return fail(EBADF), *length;
  std::vector<u8> bytes;
  u64 left = *length;
  while (left > 0) {
    bytes.resize(std::min<u64>(left, kChunk));
    if (!memory_.read(*va + (*length - left), bytes)) return fail(EFAULT), left;
    size_t done = bytes.size();
    if (target->kind == File::Kind::ConsoleOut) {
      host_.console_.transmit(bytes);
    } else {
      ssize_t n = ::write(target->fd, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail(errno), left;
      done = size_t(n);
    }
    left -= done;
  }
  return 0;
}

std::optional<size_t> Semihosting::Call::read_some(File& f, std::span<u8> into) {
  switch (f.kind) {
    case File::Kind::ConsoleIn: return host_.console_.read(into);
    case File::Kind::ConsoleOut: return 0;
    case File::Kind::Features: {
      std::lock_guard lock{host_.mutex_};
      size_t at = std::min<u64>(f.position, kFeatures.size()),
             n = std::min(into.size(), kFeatures.size() - at);
      std::copy_n(kFeatures.begin() + at, n, into.begin());
      f.position = at + n;
      return n;
    }
    case File::Kind::Host: break;
  }
  ssize_t n;
  do n = ::read(f.fd, into.data(), into.size());
  while (n < 0 && errno == EINTR);
  if (n < 0) fail(errno);
  return size_t(std::max<ssize_t>(n, 0));
}

// Returns how many bytes were not read: all of them at the end of the file.
u64 Semihosting::Call::read_file() {
  auto source = file();
  auto va = word(1), length = word(2);
  if (!va || !length) return fail(EFAULT);
  if (!source) return fail(EBADF), *length;
  std::vector<u8> bytes(std::min<u64>(*length, kChunk));
  u64 left = *length;
  while (left > 0) {
    std::span<u8> piece{bytes.data(), size_t(std::min<u64>(left, bytes.size()))};
    std::optional<size_t> n = read_some(*source, piece);
    if (!n) return kTryAgain;  // the console: nothing has been read yet
    if (*n == 0) break;
    if (!memory_.write(*va + (*length - left), piece.first(*n))) return fail(EFAULT), left;
    left -= *n;
    if (source->kind == File::Kind::ConsoleIn) break;  // what a terminal has, not all that was asked for
  }
  return left;
}

u64 Semihosting::Call::read_character() {
  u8 c;
  std::optional<size_t> n = host_.console_.read({&c, 1});
  if (!n) return kTryAgain;
  return *n == 1 ? c : kFailed;
}

u64 Semihosting::Call::is_tty() {
  auto f = file();
  if (!f) return fail(EBADF);
  if (f->kind == File::Kind::Host) return u64(isatty(f->fd));
  return f->kind != File::Kind::Features;
}

u64 Semihosting::Call::seek() {
  auto f = file();
  auto position = word(1);
  if (!f || !position) return fail(EBADF);
  if (f->kind == File::Kind::Features) {
    std::lock_guard lock{host_.mutex_};
    f->position = std::min<u64>(*position, kFeatures.size());
    return 0;
  }
  if (f->kind != File::Kind::Host) return fail(ESPIPE);
  if (i64(*position) < 0) return fail(EINVAL);
  return lseek(f->fd, off_t(*position), SEEK_SET) < 0 ? fail(errno) : 0;
}

u64 Semihosting::Call::file_length() {
  auto f = file();
  if (!f) return fail(EBADF);
  if (f->kind == File::Kind::Features) return kFeatures.size();
  struct stat info;
  if (f->kind != File::Kind::Host || fstat(f->fd, &info) != 0 || !S_ISREG(info.st_mode)) return fail(EINVAL);
  return u64(info.st_size);
}

u64 Semihosting::Call::temporary_name() {
  auto buffer = word(0), id = word(1), length = word(2);
  if (!buffer || !id || !length || *id > 255) return fail(EINVAL);
  std::string name = "/tmp/sluice-" + std::to_string(getpid()) + "-" + std::to_string(*id);
  if (name.size() + 1 > *length) return fail(ENAMETOOLONG);
  return memory_.write(*buffer, {reinterpret_cast<const u8*>(name.c_str()), name.size() + 1}) ? 0
                                                                                              : fail(EFAULT);
}

u64 Semihosting::Call::remove_file() {
  auto path = name(0, 1);
  if (!path) return fail(EINVAL);
  return unlink(path->c_str()) == 0 ? 0 : fail(errno);
}

u64 Semihosting::Call::rename_file() {
  auto from = name(0, 1), to = name(2, 3);
  if (!from || !to) return fail(EINVAL);
  return rename(from->c_str(), to->c_str()) == 0 ? 0 : fail(errno);
}

u64 Semihosting::Call::command_line() {
  auto buffer = word(0), length = word(1);
  const std::string& text = host_.config_.command_line;
  if (!buffer || !length) return fail(EFAULT);
  if (text.size() + 1 > *length) return fail(E2BIG);
  bool written = memory_.write(*buffer, {reinterpret_cast<const u8*>(text.c_str()), text.size() + 1}) &&
                 put_word(block_ + 8, text.size());
  return written ? 0 : fail(EFAULT);
}

// The block: heap base, heap limit, stack base (its top), stack limit.
u64 Semihosting::Call::heap_info() {
  auto at = word(0);
  if (!at) return fail(EFAULT);
  u64 base = host_.config_.heap_base, limit = host_.config_.heap_limit;
  const u64 values[] = {base, limit, limit, base};
  for (unsigned n = 0; n < 4; n++)
    if (!put_word(*at + n * 8, values[n])) return fail(EFAULT);
  return 0;
}

u64 Semihosting::Call::exit() {
  auto reason = word(0), code = word(1);
  bool application = reason && code && *reason == kApplicationExit;
  if (host_.config_.exit) host_.config_.exit(application ? *code : 1);
  return 0;
}

Semihosting::Semihosting(Clock& clock, SemihostingConsole& console, SemihostingConfig config)
    : clock_(clock), console_(console), config_(std::move(config)) {}

Semihosting::~Semihosting() = default;

u64 Semihosting::call(u32 operation, u64 parameter, GuestMemory& memory) {
  return Call{*this, parameter, memory}.run(operation);
}

}  // namespace sluice
