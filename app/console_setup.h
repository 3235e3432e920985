// app/console_setup.h: the character devices of the command line, made and connected.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "app/console_mux.h"
#include "app/file_stream.h"
#include "app/io_loop.h"
#include "app/options.h"
#include "app/terminal.h"

namespace sluice {

class Consoles {
 public:
  struct Hooks {
    std::function<void()> quit;
    std::function<void(std::span<const u8>)> output;  // what guest consoles write
    bool output_at_once = false;                      // as ConsoleMux::Hooks has it
  };
  // Puts the terminal into raw mode when it is used. Throws ConfigError.
  Consoles(const std::map<std::string, ChardevOptions>& devices, IoLoop& loop, Hooks hooks);
  ~Consoles();

  // A stream of the device with this id; "" and null devices go nowhere. A terminal that is shared gets one
  // channel for each call, in order.
  ByteStream& open(const std::string& id, const std::string& name, ConsoleMux::ChannelHooks channel);
  // Whether only this user has the terminal's focus from the start.
  bool has_focus(const std::string& id) const;
  // Around everything that waits for the PEs: none of them waits for a terminal or a pipe meanwhile.
  void release_writers(bool released);
  bool has_output();  // that the terminal has not taken yet
  void flush(int patience_ms);
  void restore_terminal();
  void reenter_raw();

 private:
  void read_terminal();
  const std::map<std::string, ChardevOptions> devices_;
  const Hooks hooks_;
  IoLoop& loop_;
  std::unique_ptr<Terminal> terminal_;
  std::unique_ptr<ConsoleMux> mux_;
  bool input_open_ = true;
  unsigned terminal_users_ = 0;
  NullStream null_;
  std::vector<std::unique_ptr<FileStream>> files_;
};

}  // namespace sluice
