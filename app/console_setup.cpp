// app/console_setup.cpp: see console_setup.h.
#include "app/console_setup.h"

#include <unistd.h>

#include <array>
#include <cerrno>

namespace sluice {

Consoles::Consoles(const std::map<std::string, ChardevOptions>& devices, IoLoop& loop, Hooks hooks)
    : devices_(devices), hooks_(std::move(hooks)), loop_(loop) {
  for (const auto& [id, device] : devices_) {
    if (device.kind != ChardevOptions::Kind::Stdio) continue;
    mux_ = std::make_unique<ConsoleMux>(STDOUT_FILENO,
                                        device.mux ? ConsoleMux::Escapes::CtrlA : ConsoleMux::Escapes::None,
                                        ConsoleMux::Hooks{.quit = hooks_.quit,
                                                          .wake = [this] { loop_.wake(); },
                                                          .output = hooks_.output,
                                                          .output_at_once = hooks_.output_at_once});
    terminal_ = std::make_unique<Terminal>(
        STDIN_FILENO, device.signals ? Terminal::Signals::ToUs : Terminal::Signals::ToGuest);
    loop_.watch(
        STDIN_FILENO, [this] { return input_open_ && mux_->wants_input(); }, [this] { read_terminal(); });
    loop_.every_round([this] { mux_->run(); });
    loop_.watch_output(mux_->output_fd(), [this] { return mux_->has_output(); });
  }
}

Consoles::~Consoles() = default;

ByteStream& Consoles::open(const std::string& id, const std::string& name, ConsoleMux::ChannelHooks channel) {
  auto found = devices_.find(id);
  if (found == devices_.end() || found->second.kind == ChardevOptions::Kind::Null) return null_;
  if (found->second.kind == ChardevOptions::Kind::Stdio) {
    terminal_users_++;
    return mux_->add_channel(name, std::move(channel));
  }
  files_.push_back(std::make_unique<FileStream>(found->second.path, found->second.append,
                                                channel.observed ? hooks_.output : nullptr));
  return *files_.back();
}

bool Consoles::has_focus(const std::string& id) const {
  auto found = devices_.find(id);
  return found != devices_.end() && found->second.kind == ChardevOptions::Kind::Stdio && terminal_users_ == 1;
}

void Consoles::read_terminal() {
  std::array<u8, 4096> buffer;
  ssize_t n = read(STDIN_FILENO, buffer.data(), buffer.size());
  if (n > 0) {
    mux_->input({buffer.data(), size_t(n)});
  } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
    input_open_ = false;
    mux_->end_of_input();
  }
}

void Consoles::release_writers(bool released) {
  if (mux_) mux_->release_writers(released);
  for (auto& file : files_) file->release(released);
}

bool Consoles::has_output() { return mux_ && mux_->has_output(); }

void Consoles::flush(int patience_ms) {
  if (mux_) mux_->flush(patience_ms);
}

void Consoles::restore_terminal() {
  if (terminal_) terminal_->restore();
}

void Consoles::reenter_raw() {
  if (terminal_) terminal_->enter_raw();
}

}  // namespace sluice
