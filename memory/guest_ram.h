// memory/guest_ram.h: host memory behind guest RAM and ROM, mapped lazily: untouched pages cost nothing.
#pragma once
#include <memory>
#include <string>

#include "base/result.h"
#include "base/subscription.h"
#include "base/types.h"

namespace sluice {

class GuestRam;

// Somebody other than translated code (a device, a loader, a debugger) wrote bytes of a page that has code.
struct CodeWritten {
  GuestRam* ram;
  u64 offset, length;
};

class GuestRam : public std::enable_shared_from_this<GuestRam> {
 public:
  static constexpr u64 kPage = 4096;  // granule of the code bitmap, whatever the guest's own page size
  static constexpr u64 kMaxSize = u64{255} << 30;

  static Result<std::shared_ptr<GuestRam>> create(std::string name, u64 size);
  ~GuestRam();
  GuestRam(const GuestRam&) = delete;
  GuestRam& operator=(const GuestRam&) = delete;

  const std::string& name() const { return name_; }
  u64 size() const { return size_; }
  u8* host() { return host_; }
  const u8* host() const { return host_; }
  bool contains(u64 offset, u64 length) const { return offset <= size_ && length <= size_ - offset; }

  // One bit per page: translated code was made from this page. Any thread. Whoever translates marks the page
  // *before* it reads the instructions; whoever writes calls `note_write` *after* it has written: so one of
  // the two always sees the other.
  void mark_code(u64 page);  // page = offset / kPage
  void clear_code(u64 page);
  bool has_code(u64 offset) const;
  bool has_code(u64 offset, u64 length) const;

  // Tells the listeners (one per PE) when a page in the range has code. Every writer that is not translated
  // code calls it.
  void note_write(u64 offset, u64 length);
  Publisher<CodeWritten>& code_written() { return code_written_; }

 private:
  GuestRam(std::string name, u64 size, u8* host, u64* code)
      : name_(std::move(name)), size_(size), host_(host), code_(code) {}
  const std::string name_;
  const u64 size_;
  u8* const host_;
  u64* const code_;
  Publisher<CodeWritten> code_written_;
};

}  // namespace sluice
