// Semihosting: A64 calls over a fake guest memory and a fake terminal.
#include "app/semihosting.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <thread>
#include <vector>

namespace sluice {
namespace {

constexpr u64 kBase = 0x10000, kFailed = ~u64{0};

class Memory final : public GuestMemory {
 public:
  bool read(u64 va, std::span<u8> into) override {
    if (!inside(va, into.size())) return false;
    std::memcpy(into.data(), &bytes[va - kBase], into.size());
    return true;
  }
  bool write(u64 va, std::span<const u8> from) override {
    if (!inside(va, from.size())) return false;
    std::memcpy(&bytes[va - kBase], from.data(), from.size());
    return true;
  }
  bool inside(u64 va, u64 n) const {
    return va >= kBase && va - kBase <= bytes.size() && n <= bytes.size() - (va - kBase);
  }
  std::vector<u8> bytes = std::vector<u8>(0x4000);
};

class Stream final : public ByteStream {
 public:
  void transmit(std::span<const u8> b) override { shown.append(b.begin(), b.end()); }
  void on_receive(Receiver r) override { receiver = std::move(r); }
  void resume() override { resumes++; }
  size_t type(const std::string& text) {
    return receiver({reinterpret_cast<const u8*>(text.data()), text.size()});
  }
  std::string shown;
  Receiver receiver;
  std::atomic<int> resumes{0};
};

struct Rig {
  Clock clock{Clock::Mode::Icount};
  Stream terminal;
  SemihostingConsole console{terminal};
  std::vector<u64> exits;
  Semihosting host{clock, console, config()};
  Memory memory;

  SemihostingConfig config() {
    SemihostingConfig c;
    c.command_line = "prog one";
    c.heap_base = 0x40100000;
    c.heap_limit = 0x48000000;
    c.start_seconds = 1000;
    c.exit = [this](u64 code) { exits.push_back(code); };
    return c;
  }
  // With a parameter block of these words at kBase.
  u64 call(u32 operation, std::vector<u64> words = {}) {
    if (!words.empty()) std::memcpy(memory.bytes.data(), words.data(), words.size() * 8);
    return host.call(operation, kBase, memory);
  }
  u64 put(u64 offset, const std::string& text) {
    std::memcpy(&memory.bytes[offset], text.c_str(), text.size() + 1);
    return kBase + offset;
  }
  u64 open(const std::string& name, u64 mode) { return call(0x01, {put(0x100, name), mode, name.size()}); }
  u64 word(u64 offset) {
    u64 v;
    std::memcpy(&v, &memory.bytes[offset], 8);
    return v;
  }
  std::string text(u64 offset, size_t n) {
    return std::string(memory.bytes.begin() + long(offset), memory.bytes.begin() + long(offset + n));
  }
};

TEST(Semihosting, ConsoleOutput) {
  Rig r;
  r.put(0x200, "hello\n");
  EXPECT_EQ(r.host.call(0x04, kBase + 0x200, r.memory), 0u);
  EXPECT_EQ(r.host.call(0x03, kBase + 0x200, r.memory), 0u);
  u64 out = r.open(":tt", 4);
  EXPECT_EQ(r.call(0x05, {out, kBase + 0x200, 5}), 0u);
  EXPECT_EQ(r.terminal.shown, "hello\nhhello");
  EXPECT_EQ(r.call(0x09, {out}), 1u);
}

TEST(Semihosting, StringWithoutEndStopsAtUnreadableMemory) {
  Rig r;
  std::fill(r.memory.bytes.begin(), r.memory.bytes.end(), 'x');
  EXPECT_EQ(r.host.call(0x04, kBase, r.memory), kFailed);
}

TEST(Semihosting, StringThatEndsAtTheEndOfMemoryIsWhole) {
  Rig r;
  u64 at = 0x4000 - 4;
  std::memcpy(&r.memory.bytes[at], "end", 4);
  EXPECT_EQ(r.host.call(0x04, kBase + at, r.memory), 0u);
  EXPECT_EQ(r.terminal.shown, "end");
}

TEST(Semihosting, FilesAreWrittenReadAndRemoved) {
  Rig r;
  EXPECT_EQ(r.call(0x0d, {kBase + 0x300, 7, 100}), 0u);  // TMPNAM
  std::string name(reinterpret_cast<char*>(&r.memory.bytes[0x300]));
  u64 f = r.open(name, 6);  // w+
  ASSERT_NE(f, kFailed);
  r.put(0x400, "0123456789");
  EXPECT_EQ(r.call(0x05, {f, kBase + 0x400, 10}), 0u);
  EXPECT_EQ(r.call(0x0c, {f}), 10u);
  EXPECT_EQ(r.call(0x0a, {f, 4}), 0u);
  EXPECT_EQ(r.call(0x06, {f, kBase + 0x500, 4}), 0u);
  EXPECT_EQ(r.text(0x500, 4), "4567");
  EXPECT_EQ(r.call(0x06, {f, kBase + 0x500, 4}), 2u);  // two bytes short
  EXPECT_EQ(r.call(0x06, {f, kBase + 0x500, 4}), 4u);  // end of file
  EXPECT_EQ(r.call(0x09, {f}), 0u);
  EXPECT_EQ(r.call(0x02, {f}), 0u);
  EXPECT_EQ(r.call(0x02, {f}), kFailed);
  std::string other = name + "-b";
  EXPECT_EQ(r.call(0x0f, {r.put(0x600, name), name.size(), r.put(0x700, other), other.size()}), 0u);
  EXPECT_EQ(r.open(name, 0), kFailed);
  EXPECT_EQ(r.call(0x13), u64(ENOENT));
  EXPECT_EQ(r.call(0x0e, {r.put(0x700, other), other.size()}), 0u);
}

TEST(Semihosting, FeaturesFile) {
  Rig r;
  u64 f = r.open(":semihosting-features", 0);
  EXPECT_EQ(r.call(0x0c, {f}), 5u);
  EXPECT_EQ(r.call(0x06, {f, kBase + 0x500, 5}), 0u);
  EXPECT_EQ(r.text(0x500, 5), "SHFB\x03");
}

TEST(Semihosting, BadHandlesAndBlocks) {
  Rig r;
  EXPECT_EQ(r.call(0x05, {77, kBase, 5}), 5u);  // nothing written
  EXPECT_EQ(r.call(0x06, {77, kBase, 5}), 5u);
  EXPECT_EQ(r.call(0x0c, {77}), kFailed);
  EXPECT_EQ(r.host.call(0x01, 0, r.memory), kFailed);
  EXPECT_EQ(r.open("x", 12), kFailed);
  EXPECT_EQ(r.call(0x01, {kBase, 0, 1 << 20}), kFailed);  // name too long
  EXPECT_EQ(r.call(0x99), kFailed);
}

TEST(Semihosting, OpenFilesAreLimited) {
  Rig r;
  u64 last = 0;
  for (int i = 0; i < 300; i++) last = r.open(":tt", 4);
  EXPECT_EQ(last, kFailed);
  EXPECT_EQ(r.call(0x13), u64(EMFILE));
}

TEST(Semihosting, SystemIsRefused) {
  Rig r;
  EXPECT_EQ(r.call(0x12, {r.put(0x100, "true"), 4}), kFailed);
}

TEST(Semihosting, TimeFollowsTheMachine) {
  Rig r;
  r.clock.advance_to(2'340'000'000);
  EXPECT_EQ(r.call(0x10), 234u);
  EXPECT_EQ(r.call(0x11), 1002u);
  EXPECT_EQ(r.call(0x30), 0u);
  EXPECT_EQ(r.word(0), 2'340'000'000u);
  EXPECT_EQ(r.call(0x31), 1'000'000'000u);
}

TEST(Semihosting, CommandLineAndHeap) {
  Rig r;
  EXPECT_EQ(r.call(0x15, {kBase + 0x300, 9}), 0u);
  EXPECT_EQ(r.text(0x300, 9), std::string("prog one\0", 9));
  EXPECT_EQ(r.word(8), 8u);
  EXPECT_EQ(r.call(0x15, {kBase + 0x300, 8}), kFailed);
  EXPECT_EQ(r.call(0x16, {kBase + 0x800}), 0u);
  EXPECT_EQ(r.word(0x800), 0x40100000u);
  EXPECT_EQ(r.word(0x808), 0x48000000u);
  EXPECT_EQ(r.word(0x810), 0x48000000u);
}

TEST(Semihosting, ExitCodes) {
  Rig r;
  r.call(0x18, {0x20026, 7});
  r.call(0x20, {0x20026, 300});
  r.call(0x18, {0x20023, 0});  // run-time error
  EXPECT_EQ(r.exits, (std::vector<u64>{7, 300, 1}));
}

TEST(Semihosting, ReadingWaitsForTheUser) {
  Rig r;
  u64 result = 0;
  std::thread pe([&] { result = r.host.call(0x07, 0, r.memory); });
  while (r.terminal.type("k") == 0) std::this_thread::yield();
  pe.join();
  EXPECT_EQ(result, u64('k'));
}

TEST(Semihosting, AnInterruptedReadIsTriedAgain) {
  Rig r;
  r.console.interrupt_reads();
  EXPECT_EQ(r.host.call(0x07, 0, r.memory), SemihostingHandler::kTryAgain);
  u64 in = r.open(":tt", 0);
  EXPECT_EQ(r.call(0x06, {in, kBase + 0x500, 4}), SemihostingHandler::kTryAgain);
  r.console.allow_reads();
  r.console.end_of_input();
  EXPECT_EQ(r.host.call(0x07, 0, r.memory), kFailed);
  EXPECT_EQ(r.call(0x06, {in, kBase + 0x500, 4}), 4u);
}

// Between the interruption and the second try nobody waits, and what is typed is not lost to the serial port.
TEST(Semihosting, WhatIsTypedBeforeAnInterruptedReadComesAgainIsForIt) {
  Rig r;
  std::string port;
  r.console.on_receive([&](std::span<const u8> b) { return port.append(b.begin(), b.end()), b.size(); });
  r.console.interrupt_reads();
  EXPECT_EQ(r.host.call(0x07, 0, r.memory), SemihostingHandler::kTryAgain);
  r.console.allow_reads();
  EXPECT_EQ(r.terminal.type("Z"), 1u);
  EXPECT_EQ(port, "");
  EXPECT_EQ(r.host.call(0x07, 0, r.memory), u64('Z'));
  EXPECT_EQ(r.terminal.type("p"), 1u);
  EXPECT_EQ(port, "p");

  r.console.interrupt_reads();
  EXPECT_EQ(r.host.call(0x07, 0, r.memory), SemihostingHandler::kTryAgain);
  r.console.forget_reads();  // the machine is reset instead
  EXPECT_EQ(r.terminal.type("q"), 1u);
  EXPECT_EQ(port, "pq");
}

TEST(Semihosting, WithoutAReaderTheSerialPortGetsTheBytes) {
  Rig r;
  std::string port;
  r.console.on_receive([&](std::span<const u8> b) {
    port.append(b.begin(), b.end());
    return b.size();
  });
  EXPECT_EQ(r.terminal.type("abc"), 3u);
  EXPECT_EQ(port, "abc");
}

TEST(Semihosting, RandomCallsNeverCrash) {
  Rig r;
  u32 seed = 31337;
  SCOPED_TRACE("seed " + std::to_string(seed));
  auto next = [&] { return (seed = seed * 1664525 + 1013904223) >> 4; };
  r.console.end_of_input();
  for (int i = 0; i < 20'000; i++) {
    u32 operation = next() % 0x34;
    // Nothing that could name a file of the host: no open of host files, remove or rename.
    if (operation == 0x01 || operation == 0x0e || operation == 0x0f) continue;
    std::vector<u64> words;
    for (int n = 0; n < 4; n++)
      words.push_back(next() % 3 ? kBase + next() % 0x4100 : next() % 5 ? next() % 8 : ~u64{0} - next() % 9);
    r.call(operation, words);
    if (r.terminal.shown.size() > 1'000'000) r.terminal.shown.clear();
  }
}

}  // namespace
}  // namespace sluice
