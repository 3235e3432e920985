// app/console_mux.cpp: see console_mux.h.
#include "app/console_mux.h"

#include <utility>

namespace sluice {

class ConsoleMux::Channel final : public ByteStream {
 public:
  Channel(ConsoleMux& mux, std::string name, ChannelHooks hooks)
      : hooks(std::move(hooks)), mux_(mux), name_(std::move(name)) {}

  const ChannelHooks hooks;
  std::deque<u8> typed;  // the I/O thread's
  bool told_end = false;

  const std::string& name() const { return name_; }
  void transmit(std::span<const u8> bytes) override { mux_.transmit(hooks.observed, bytes); }
  void on_receive(Receiver receiver) override {
    {
      std::lock_guard lock{mutex_};
      receiver_ = receiver ? std::make_shared<Receiver>(std::move(receiver)) : nullptr;
    }
    resume();
  }
  void resume() override {
    mux_.room_appeared_.store(true, std::memory_order_release);
    if (mux_.hooks_.wake) mux_.hooks_.wake();
  }
  size_t offer(std::span<const u8> bytes) {
    std::shared_ptr<Receiver> receiver;
    {
      std::lock_guard lock{mutex_};
      receiver = receiver_;
    }
    return receiver ? (*receiver)(bytes) : 0;
  }

 private:
  ConsoleMux& mux_;
  const std::string name_;
  std::mutex mutex_;
  std::shared_ptr<Receiver> receiver_;
};

ConsoleMux::ConsoleMux(int output_fd, Escapes escapes, Hooks hooks)
    : output_fd_(output_fd), escapes_(escapes), hooks_(std::move(hooks)) {}

ConsoleMux::~ConsoleMux() { flush(); }

ByteStream& ConsoleMux::add_channel(const std::string& name, ChannelHooks hooks) {
  channels_.push_back(std::make_unique<Channel>(*this, name, std::move(hooks)));
  return *channels_.back();
}

bool ConsoleMux::wants_input() const {
  return channels_.empty() || channels_[focus_]->typed.size() < kInputLimit;
}

void ConsoleMux::type(u8 byte) {
  if (!channels_.empty()) channels_[focus_]->typed.push_back(byte);
}

void ConsoleMux::input(std::span<const u8> typed) {
  for (u8 byte : typed) {
    if (escaped_) {
      escaped_ = false;
      command(byte);
    } else if (escapes_ == Escapes::CtrlA && byte == kEscape) {
      escaped_ = true;
    } else {
      type(byte);
    }
  }
  deliver();
}

void ConsoleMux::command(u8 key) {
  switch (key) {
    case kEscape: type(kEscape); break;
    case 'x':
    case 'X':
      say("\nsluice: terminated\n");
      flush();
      if (hooks_.quit) hooks_.quit();
      break;
    case 'c':
    case 'C':
      if (channels_.size() < 2) break;
      focus_ = (focus_ + 1) % channels_.size();
      say("\n[" + channels_[focus_]->name() + "]\n");
      if (channels_[focus_]->hooks.focused) channels_[focus_]->hooks.focused();
      break;
    case 'b':
    case 'B':
      if (!channels_.empty() && channels_[focus_]->hooks.send_break) channels_[focus_]->hooks.send_break();
      break;
    case 'h':
    case 'H':
    case '?':
      say("\nCtrl-A h    this help\nCtrl-A x    quit\nCtrl-A b    send a break\n"
          "Ctrl-A c    switch between serial port and monitor\nCtrl-A Ctrl-A    send Ctrl-A\n");
      break;
    default: break;
  }
}

void ConsoleMux::say(const std::string& text) {
  transmit(false, std::span{reinterpret_cast<const u8*>(text.data()), text.size()});
}

void ConsoleMux::deliver() {
  for (auto& channel : channels_) {
    if (!channel->typed.empty()) {
      std::vector<u8> bytes(channel->typed.begin(), channel->typed.end());
      size_t taken = std::min(channel->offer(bytes), bytes.size());
      channel->typed.erase(channel->typed.begin(), channel->typed.begin() + ptrdiff_t(taken));
    }
    if (ended_ && channel->typed.empty() && !std::exchange(channel->told_end, true) && channel->hooks.ended)
      channel->hooks.ended();
  }
}

void ConsoleMux::end_of_input() {
  ended_ = true;
  deliver();
}

void ConsoleMux::run() {
  if (room_appeared_.exchange(false, std::memory_order_acquire)) deliver();
  do {
    collect();
    std::span<const u8> rest = std::span{writing_}.subspan(written_);
    written_ += output_fd_.write_some(rest);
  } while (written_ == writing_.size() && has_output());
}

// Takes over what has been made, when all before it is written.
void ConsoleMux::collect() {
  if (written_ < writing_.size()) return;
  std::vector<Chunk> chunks;
  {
    std::lock_guard lock{output_mutex_};
    chunks.swap(output_);
    output_size_ = 0;
  }
  room_for_output_.notify_all();
  writing_.clear();
  written_ = 0;
  for (const Chunk& c : chunks) {
    writing_.insert(writing_.end(), c.bytes.begin(), c.bytes.end());
    if (c.observed && hooks_.output && !hooks_.output_at_once) hooks_.output(c.bytes);
  }
}

bool ConsoleMux::has_output() {
  std::lock_guard lock{output_mutex_};
  return written_ < writing_.size() || !output_.empty();
}

void ConsoleMux::flush(int patience_ms) {
  run();
  while (has_output()) {
    size_t before = writing_.size() - written_;
    output_fd_.wait(patience_ms);
    run();
    if (writing_.size() - written_ == before && before != 0) return;
  }
}

void ConsoleMux::release_writers(bool released) {
  {
    std::lock_guard lock{output_mutex_};
    released_ = released;
  }
  room_for_output_.notify_all();
}

void ConsoleMux::transmit(bool observed, std::span<const u8> bytes) {
  if (observed && hooks_.output && hooks_.output_at_once) hooks_.output(bytes);
  std::unique_lock lock{output_mutex_};
  bool was_empty = output_.empty();
  if (was_empty || output_.back().observed != observed) output_.push_back({observed, {}});
  auto& last = output_.back().bytes;
  last.insert(last.end(), bytes.begin(), bytes.end());
  output_size_ += bytes.size();
  if (was_empty && hooks_.wake) {
    lock.unlock();
    hooks_.wake();
    lock.lock();
  }
  // The I/O thread itself writes only what users have asked for, and must go on.
  if (std::this_thread::get_id() != io_thread_)
    room_for_output_.wait(lock, [this] { return output_size_ < kOutputLimit || released_; });
}

}  // namespace sluice
