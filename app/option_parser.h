// app/option_parser.h: what each option of the table in options.cpp does. Private to the option files.
#pragma once
#include <set>
#include <string>

#include "app/options.h"

namespace sluice {

std::string version_text();
std::string help_text();
std::string exit_help_text();

class OptionParser {
 public:
  // Thrown by options that print something and end the program with success.
  struct Text {
    std::string text;
  };

  OptionParser(const Catalogue& catalogue, Options& options) : catalogue_(catalogue), options_(options) {}

  void machine(const std::string& a);
  void cpu(const std::string& a);
  void smp(const std::string& a);
  void memory(const std::string& a);
  void name(const std::string& a);
  void accel(const std::string& a);
  void icount(const std::string& a);
  void global(const std::string& a);
  void rtc(const std::string& a);
  void kernel(const std::string& a) { options_.kernel = a; }
  void initrd(const std::string& a) { options_.initrd = a; }
  void append(const std::string& a) { options_.append = a; }
  void dtb(const std::string& a) { options_.device_tree = a; }
  void bios(const std::string& a) { options_.bios = a; }
  void fw_cfg(const std::string& a);
  void pflash(const std::string& a);
  void semihosting(const std::string&) { options_.semihosting.enabled = true; }
  void semihosting_config(const std::string& a);
  void nographic(const std::string&) {}
  void display(const std::string& a);
  void serial(const std::string& a);
  void monitor(const std::string& a);
  void mon(const std::string& a);
  void chardev(const std::string& a);
  void nodefaults(const std::string&) { no_defaults_ = true; }
  void drive(const std::string& a);
  void blockdev(const std::string& a);
  void snapshot(const std::string&) { snapshot_all_ = true; }
  void netdev(const std::string& a);
  void device(const std::string& a);
  void object(const std::string& a);
  void start_stopped(const std::string&) { options_.start_stopped = true; }
  void no_reboot(const std::string&) { options_.no_reboot = true; }
  void no_shutdown(const std::string&) { options_.no_shutdown = true; }
  void log_topics(const std::string& a);
  void trace(const std::string& a);
  void log_file(const std::string& a) { options_.log_file = a; }
  void tlb(const std::string& a);
  void tcg_opt(const std::string& a);
  void timeout(const std::string& a);
  void expect(const std::string& a);
  void fail_on(const std::string& a);
  void verdict(const std::string& a);
  void qemu_exit(const std::string&) { options_.qemu_exit = true; }
  [[noreturn]] void help_exit(const std::string&) { throw Text{exit_help_text()}; }
  [[noreturn]] void help(const std::string&) { throw Text{help_text()}; }
  [[noreturn]] void version(const std::string&) { throw Text{version_text()}; }

  // Defaults, and checks that need all options.
  void finish();

 private:
  void use_flash(const std::string& option, std::optional<unsigned> bank, const std::string& drive);
  void trace_pattern(const std::string& option, const std::string& pattern);
  std::string stream(const std::string& option, const std::string& text);
  void add_chardev(const std::string& id, ChardevOptions device);
  void check_chardev_users();

  const Catalogue& catalogue_;
  Options& options_;
  bool no_defaults_ = false, snapshot_all_ = false, serial_given_ = false, secure_serial_given_ = false,
       monitor_given_ = false;
};

}  // namespace sluice
