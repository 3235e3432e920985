// app/console_mux.h: one terminal (or pipe) shared by the guest's consoles and the monitor, with Ctrl-A
// commands: x quits, c goes to the next channel, b sends a break, h helps, Ctrl-A sends itself. Bytes typed
// are delivered on the I/O thread only, in order, and none is lost: while a channel does not take more,
// nothing more is read. Output may come from any thread; the I/O thread writes it, and never waits for
// whoever reads. When it piles up, other threads that make more of it wait until it has been written.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "app/output_fd.h"
#include "base/wire.h"

namespace sluice {

class ConsoleMux {
 public:
  enum class Escapes : u8 { CtrlA, None };
  struct Hooks {
    std::function<void()> quit;                       // Ctrl-A x
    std::function<void()> wake;                       // there is work for `run`; any thread
    std::function<void(std::span<const u8>)> output;  // sees what observed channels write, in order
    bool output_at_once = false;                      // `output` is called by the thread that writes
  };

  // The thread that makes it is the I/O thread.
  ConsoleMux(int output_fd, Escapes escapes, Hooks hooks);
  ~ConsoleMux();  // writes what is left, as far as somebody reads it
  ConsoleMux(const ConsoleMux&) = delete;
  ConsoleMux& operator=(const ConsoleMux&) = delete;

  // The first one has the focus. It lives as long as the mux.
  struct ChannelHooks {
    std::function<void()> send_break{};  // Ctrl-A b
    std::function<void()> focused{};     // Ctrl-A c came to this channel
    std::function<void()> ended{};       // the channel has got all that was ever typed for it
    bool observed = false;               // Hooks::output sees what it writes
  };
  ByteStream& add_channel(const std::string& name, ChannelHooks hooks);

  // --- I/O thread ---
  // Each channel has its own queue: one that takes nothing does not keep the user from the others.
  bool wants_input() const;
  void input(std::span<const u8> typed);
  void end_of_input();
  // Delivers input, and writes what the terminal takes now.
  void run();
  // Whether output waits for the terminal, and where it waits.
  bool has_output();
  int output_fd() const { return output_fd_.fd(); }
  // Writes everything, but waits no longer than this for a terminal that takes nothing.
  void flush(int patience_ms = 1000);
  size_t focus() const { return focus_; }

  // Any thread. While released, nobody waits for the terminal: the machine is being paused.
  void release_writers(bool released);

 private:
  static constexpr size_t kInputLimit = 65536, kOutputLimit = 65536;
  static constexpr u8 kEscape = 1;  // Ctrl-A
  class Channel;

  void command(u8 key);
  void say(const std::string& text);
  void type(u8 byte);
  void deliver();
  void transmit(bool observed, std::span<const u8> bytes);
  void collect();

  OutputFd output_fd_;
  const std::thread::id io_thread_ = std::this_thread::get_id();
  const Escapes escapes_;
  const Hooks hooks_;
  std::vector<std::unique_ptr<Channel>> channels_;
  size_t focus_ = 0;
  bool escaped_ = false, ended_ = false;
  std::atomic<bool> room_appeared_{false};

  struct Chunk {
    bool observed;
    std::vector<u8> bytes;
  };
  std::mutex output_mutex_;  // what follows, to released_
  std::condition_variable room_for_output_;
  std::vector<Chunk> output_;
  size_t output_size_ = 0;
  bool released_ = false;
  // The I/O thread's: collected, observed, and not yet written from written_ on.
  std::vector<u8> writing_;
  size_t written_ = 0;
};

}  // namespace sluice
