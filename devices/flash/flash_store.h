// devices/flash/flash_store.h: the host file behind a flash bank. The bank itself is in memory; what the
// guest changes goes to a journal next to the file (FILE.journal), whole operations only, and from there into
// the file. So the file is one state of the flash after the other and never something between two of them,
// whatever ends the process: whoever opens it next brings what is in the journal into it first.
#pragma once
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "devices/block/raw_file.h"

namespace sluice {

class FlashStore {
 public:
  enum class Mode : u8 {
    ReadOnly,
    ReadWrite,
    Volatile,  // the guest may write, and the file is not changed
  };
  // A program or erase operation: the new contents of a range.
  struct Change {
    u64 offset = 0, length = 0;   // in bytes, inside of the flash
    std::span<const u8> bytes{};  // `length` of them; empty: `fill` everywhere
    u8 fill = 0xff;
  };

  // `size`: what the file must have, in bytes. The error says what is wrong with which file.
  static Result<std::unique_ptr<FlashStore>> open(const std::string& path, Mode mode, u64 size);
  // Brings the file up to date.
  ~FlashStore();
  FlashStore(const FlashStore&) = delete;
  FlashStore& operator=(const FlashStore&) = delete;

  bool read_only() const { return mode_ == Mode::ReadOnly; }
  const std::string& path() const { return path_; }

  // The contents, to zeroed memory of `size` bytes, which then is the bank: it outlives the store. Once,
  // before anything else. The error is a text to print.
  Result<u64> load(u8* memory);
  // Makes the change in memory, and keeps it. When the result is not Ok nothing has changed.
  BlockStatus change(const Change& change);
  // The change in a memory that no store keeps.
  static void apply(u8* memory, const Change& change);
  // What is in the journal goes into the file. Where it cannot, stderr says so and the journal stays.
  BlockStatus checkpoint();

 private:
  FlashStore(std::string path, Mode mode, u64 size) : path_(std::move(path)), mode_(mode), size_(size) {}
  std::string journal_path() const { return path_ + ".journal"; }
  BlockStatus write_file();
  BlockStatus append(const Change& change);
  BlockStatus begin_journal();
  void replay();
  u64 read_records(std::span<const u8> journal, std::vector<Change>& changes) const;
  void apply(const Change& change);
  u64 file_stamp() const;

  const std::string path_;
  const Mode mode_;
  const u64 size_;
  std::unique_ptr<RawFile> file_;
  u8* memory_ = nullptr;
  int journal_ = -1;
  u64 journal_size_ = 0;
  bool warned_ = false;
  std::set<u64> dirty_;  // numbers of the chunks that differ from the file
};

}  // namespace sluice
