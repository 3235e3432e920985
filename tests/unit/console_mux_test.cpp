// Console multiplexer: Ctrl-A commands, back-pressure without loss, order of output.
#include "app/console_mux.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "tests/support/eventually.h"

namespace sluice {
namespace {

// A mux that writes into a pipe, with two channels that take at most `room` bytes.
class Rig {
 public:
  explicit Rig(ConsoleMux::Escapes escapes = ConsoleMux::Escapes::CtrlA) {
    EXPECT_EQ(pipe(pipe_), 0);
    mux = std::make_unique<ConsoleMux>(
        pipe_[1], escapes,
        ConsoleMux::Hooks{.quit = [this] { quits++; },
                          .wake = [this] { wakes++; },
                          .output = [this](std::span<const u8> b) { observed.append(b.begin(), b.end()); }});
    serial = &mux->add_channel(
        "serial0", {.send_break = [this] { breaks++; }, .ended = [this] { ends++; }, .observed = true});
    monitor = &mux->add_channel("monitor", {.focused = [this] { focuses++; }});
    connect(*serial, to_serial);
    connect(*monitor, to_monitor);
  }
  ~Rig() {
    mux.reset();
    close(pipe_[0]);
    close(pipe_[1]);
  }
  void type(const std::string& text) { mux->input({reinterpret_cast<const u8*>(text.data()), text.size()}); }
  static void send(ByteStream& s, const std::string& text) {
    s.transmit({reinterpret_cast<const u8*>(text.data()), text.size()});
  }
  std::string shown() {
    mux->flush();
    send(*monitor, "\x7f");  // so that read never blocks
    mux->flush();
    std::string text = read_pipe();
    text.pop_back();
    return text;
  }
  bool readable() const {
    pollfd p{pipe_[0], POLLIN, 0};
    return poll(&p, 1, 1) == 1;
  }
  std::string read_pipe() {
    char buffer[65536];
    ssize_t n = read(pipe_[0], buffer, sizeof buffer);
    return std::string(buffer, size_t(std::max<ssize_t>(n, 0)));
  }

  std::unique_ptr<ConsoleMux> mux;
  ByteStream *serial, *monitor;
  std::string to_serial, to_monitor, observed;
  size_t room = 1000;
  int quits = 0, breaks = 0, focuses = 0, ends = 0;
  std::atomic<int> wakes{0};

 private:
  void connect(ByteStream& stream, std::string& to) {
    stream.on_receive([this, &to](std::span<const u8> bytes) {
      size_t n = std::min(room, bytes.size());
      to.append(bytes.begin(), bytes.begin() + long(n));
      room -= n;
      return n;
    });
  }
  int pipe_[2];
};

TEST(ConsoleMux, TypedBytesGoToTheFirstChannel) {
  Rig r;
  r.type("hello\r");
  EXPECT_EQ(r.to_serial, "hello\r");
  EXPECT_EQ(r.to_monitor, "");
}

TEST(ConsoleMux, CtrlACommands) {
  Rig r;
  r.type(
      "a\x01\x01"
      "b\x01"
      "cq\x01"
      "cz\x01"
      "b\x01"
      "x");
  EXPECT_EQ(r.to_serial,
            "a\x01"
            "bz");
  EXPECT_EQ(r.to_monitor, "q");
  EXPECT_EQ(r.focuses, 1);
  EXPECT_EQ(r.breaks, 1);
  EXPECT_EQ(r.quits, 1);
}

TEST(ConsoleMux, CtrlAHelpIsShownAndNotObserved) {
  Rig r;
  r.type("\x01h");
  EXPECT_NE(r.shown().find("Ctrl-A x    quit"), std::string::npos);
  EXPECT_EQ(r.observed, "");
}

TEST(ConsoleMux, CtrlASplitOverTwoReadsIsStillACommand) {
  Rig r;
  r.type("\x01");
  r.type("x");
  EXPECT_EQ(r.quits, 1);
}

TEST(ConsoleMux, WithoutEscapesEveryByteGoesThrough) {
  Rig r{ConsoleMux::Escapes::None};
  r.type("\x01x");
  EXPECT_EQ(r.to_serial, "\x01x");
  EXPECT_EQ(r.quits, 0);
}

TEST(ConsoleMux, AFullReceiverGetsTheRestAfterResume) {
  Rig r;
  r.mux->run();
  r.room = 3;
  r.type("abcdef");
  EXPECT_EQ(r.to_serial, "abc");
  r.room = 2;
  r.mux->run();
  EXPECT_EQ(r.to_serial, "abc");  // nobody said that there is room
  r.serial->resume();
  r.mux->run();
  EXPECT_EQ(r.to_serial, "abcde");
  r.room = 100;
  r.serial->resume();
  r.mux->run();
  EXPECT_EQ(r.to_serial, "abcdef");
}

TEST(ConsoleMux, InputStopsBeforeItGrowsWithoutBound) {
  Rig r;
  r.room = 0;
  size_t typed = 0;
  while (r.mux->wants_input()) r.type(std::string(1000, 'x')), typed += 1000;
  EXPECT_LT(typed, 100'000u);
  r.room = 1'000'000;
  r.serial->resume();
  r.mux->run();
  EXPECT_EQ(r.to_serial.size(), typed);
  EXPECT_TRUE(r.mux->wants_input());
}

TEST(ConsoleMux, AGuestThatTakesNothingDoesNotLockOutTheMonitor) {
  Rig r;
  r.serial->on_receive([](std::span<const u8>) { return size_t{0}; });
  r.type(
      "lost?\x01"
      "cinfo\r");
  EXPECT_EQ(r.to_monitor, "info\r");
}

TEST(ConsoleMux, EndOfInputIsToldWhenAllHasBeenTaken) {
  Rig r;
  r.room = 1;
  r.type("ab");
  r.mux->end_of_input();
  EXPECT_EQ(r.ends, 0);
  r.room = 10;
  r.serial->resume();
  r.mux->run();
  EXPECT_EQ(r.to_serial, "ab");
  EXPECT_EQ(r.ends, 1);
}

TEST(ConsoleMux, OutputKeepsItsOrderAndOnlyTheSerialPortIsObserved) {
  Rig r;
  Rig::send(*r.serial, "one ");
  Rig::send(*r.monitor, "two ");
  Rig::send(*r.serial, "three");
  EXPECT_EQ(r.shown(), "one two three");
  EXPECT_EQ(r.observed, "one three");
}

TEST(ConsoleMux, ManyBytesCostOneWake) {
  Rig r;
  int before = r.wakes;
  for (int i = 0; i < 1000; i++) Rig::send(*r.serial, "x");
  EXPECT_EQ(r.wakes - before, 1);
  EXPECT_EQ(r.shown(), std::string(1000, 'x'));
}

TEST(ConsoleMux, WhoMakesMoreOutputThanIsReadWaits) {
  Rig r;
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 0; i < 3000; i++) Rig::send(*r.serial, std::string(100, char('a' + i % 26)));
    Rig::send(*r.serial, "\n");
    done = true;
  });
  std::string all;
  while (all.find('\n') == all.npos) {
    r.mux->run();
    if (r.readable()) all += r.read_pipe();
  }
  writer.join();
  ASSERT_EQ(all.size(), 300'001u);
  for (size_t i = 0; i < 300'000; i++) ASSERT_EQ(all[i], char('a' + i / 100 % 26)) << i;
}

TEST(ConsoleMux, ATerminalThatTakesNothingBlocksNobodyWhoIsReleased) {
  Rig r;
  std::atomic<unsigned> sent{0};
  std::thread writer([&] {
    for (; sent < 100; sent++) Rig::send(*r.serial, std::string(10'000, 'x'));
  });
  // Nobody reads the pipe. The I/O thread goes on; the writer stops somewhere before its million bytes.
  EXPECT_TRUE(test::eventually([&] {
    r.mux->run();
    return r.mux->has_output();
  }));
  for (int i = 0; i < 50; i++) r.mux->run();
  EXPECT_TRUE(r.mux->has_output());
  EXPECT_LT(sent, 100u);
  r.mux->release_writers(true);
  writer.join();
  EXPECT_EQ(sent, 100u);
  r.mux->flush(10);  // gives up
  EXPECT_TRUE(r.mux->has_output());
}

TEST(ConsoleMux, OutputCanBeObservedByItsAuthor) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  std::string seen;
  {
    ConsoleMux mux{fds[1],
                   ConsoleMux::Escapes::None,
                   {.quit = {},
                    .wake = {},
                    .output = [&](std::span<const u8> b) { seen.append(b.begin(), b.end()); },
                    .output_at_once = true}};
    ByteStream& serial = mux.add_channel("serial0", {.observed = true});
    Rig::send(serial, "now");
    EXPECT_EQ(seen, "now");
    mux.run();
    EXPECT_EQ(seen, "now");
  }
  close(fds[0]);
  close(fds[1]);
}

TEST(ConsoleMux, AReaderThatIsGoneDoesNotStopTheMachine) {
  signal(SIGPIPE, SIG_IGN);
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  close(fds[0]);
  std::string seen;
  {
    ConsoleMux mux{
        fds[1], ConsoleMux::Escapes::None, {.quit = {}, .wake = {}, .output = [&](std::span<const u8> b) {
                                              seen.append(b.begin(), b.end());
                                            }}};
    Rig::send(mux.add_channel("serial0", {.observed = true}), "text");
  }
  EXPECT_EQ(seen, "text");
  close(fds[1]);
}

}  // namespace
}  // namespace sluice
