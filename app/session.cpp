// app/session.cpp: see session.h.
#include "app/session.h"

#include <signal.h>
#include <sys/random.h>

#include <chrono>
#include <cstdio>
#include <cstring>

#include "app/device_setup.h"
#include "app/flash_setup.h"
#include "app/loader_setup.h"
#include "app/option_parser.h"
#include "app/trace_setup.h"
#include "base/log.h"
#include "machines/config_error.h"

namespace sluice {
namespace {

// MachineEvent::code of our own events.
enum CustomEvent : int { kTimeoutEvent = 1, kOutputEvent = 2 };

u64 host_ns() {
  using namespace std::chrono;
  return u64(duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count());
}

// Whether the run came to this end by itself: what the console has shown before then counts more.
bool by_the_guest(EndReason reason) {
  switch (reason) {
    case EndReason::PowerOff:
    case EndReason::Reset:
    case EndReason::GuestExit:
    case EndReason::Panic:
    case EndReason::Timeout: return true;
    default: return false;
  }
}

void fill_random(std::span<u8> bytes) {
  if (getrandom(bytes.data(), bytes.size(), 0) != ssize_t(bytes.size()))
    throw std::runtime_error("the host has no random numbers");
}

}  // namespace

Session::Session(const Options& options)
    : options_(options),
      clock_(options.icount_shift ? Clock::Mode::Icount : Clock::Mode::RealTime),
      host_start_ns_(host_ns()),
      // A deterministic run must not see today's date.
      rtc_start_(options.icount_shift ? 0 : Pl031::wall_clock_seconds()),
      loop_(clock_, {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCONT},
            [this](int number) { handle_signal(number); }),
      watcher_(options.expect, options.fail_on) {
  // Somebody stops reading, or a file reaches the limit of its size: the write fails, and that is enough.
  for (int number : {SIGPIPE, SIGXFSZ}) signal(number, SIG_IGN);
  if (!Log::configure(options.log_topics, options.log_file))
    throw ConfigError::file(options.log_file, std::strerror(errno));
  set_up_tracing(options.trace);
  make_consoles();
  make_semihosting();
  make_board();
  plug_devices(*board_, options_, clock_, *consoles_);
  set_up_flash(*board_, options_);
  board_->finish_wiring();
  load_software();
  if (!verdict_) make_monitor();
}

Session::~Session() {
  monitor_.reset();
  if (board_) board_->pes().on_event({});
  for (SemihostingConsole* console : {serial_.get(), semihosting_console_.get()})
    if (console) console->interrupt_reads();
  board_.reset();
}

void Session::make_consoles() {
  // A machine whose device tree is only written has no console.
  static const std::map<std::string, ChardevOptions> kNone;
  consoles_ = std::make_unique<Consoles>(
      options_.dump_device_tree.empty() ? options_.chardevs : kNone, loop_,
      Consoles::Hooks{.quit = [this] { end(EndReason::Quit); },
                      .output = [this](std::span<const u8> bytes) { console_output(bytes); },
                      // A deterministic run ends at the very instruction that shows what was expected.
                      .output_at_once = options_.icount_shift.has_value()});
  serial_ =
      std::make_unique<SemihostingConsole>(consoles_->open(options_.serial, "serial0",
                                                           {.send_break =
                                                                [this] {
                                                                  if (board_) board_->uart().receive_break();
                                                                },
                                                            .ended = [this] { serial_->end_of_input(); },
                                                            .observed = true}));
  if (!options_.secure_serial.empty())
    secure_serial_ = &consoles_->open(options_.secure_serial, "serial1", {});
}

void Session::make_semihosting() {
  if (!options_.semihosting.enabled) return;
  if (const std::string& own = options_.semihosting.chardev; !own.empty())
    semihosting_console_ = std::make_unique<SemihostingConsole>(consoles_->open(
        own, "semihosting", {.ended = [this] { semihosting_console_->end_of_input(); }, .observed = true}));
  SemihostingConfig config;
  std::vector<std::string> arguments = options_.semihosting.arguments;
  if (arguments.empty()) {
    arguments.push_back(options_.kernel);
    if (!options_.append.empty()) arguments.push_back(options_.append);
  }
  for (const std::string& a : arguments) config.command_line += (config.command_line.empty() ? "" : " ") + a;
  config.start_seconds = rtc_start_;
  config.from_el0 = options_.semihosting.from_el0;
  config.exit = [this](u64 code) {
    {
      std::lock_guard lock{mutex_};
      if (!guest_code_) guest_code_ = code;
    }
    board_->pes().stop_and_post(
        {.kind = cpu::MachineEvent::Kind::Exit, .code = int(code), .pe = 0, .text = {}});
  };
  semihosting_ = std::make_unique<Semihosting>(
      clock_, semihosting_console_ ? *semihosting_console_ : *serial_, std::move(config));
}

void Session::make_board() {
  auto model = cpu::parse_cpu_option(options_.cpu);
  if (!model) throw ConfigError::usage("-cpu: " + model.error());
  VirtChoices choices = parse_virt_properties(options_.machine_properties, options_.pes);
  acpi_ = choices.acpi;
  device_tree_randomness_ = choices.device_tree_randomness;
  VirtConfig config;
  config.ram_size = options_.ram_size;
  config.pes = options_.pes;
  config.model = *model;
  config.gic_version = choices.gic_version;
  config.its = choices.its;
  config.highmem = choices.highmem;
  config.secure = choices.secure;
  config.secure_serial = secure_serial_;
  if (secure_serial_ && !choices.secure)
    throw ConfigError::usage("-serial: the second serial port needs -machine secure=on");
  config.virtio_mmio_legacy = options_.virtio_mmio_legacy;
  config.direct_tlb = options_.tlb == TlbPolicy::Direct;
  config.group.icount = options_.icount_shift.has_value();
  config.group.icount_shift = options_.icount_shift.value_or(0);
  config.group.translator.accel =
      options_.accelerator == Accelerator::Jit ? tcg::Vcpu::Accel::Jit : tcg::Vcpu::Accel::Interpreter;
  config.group.translator.passes = options_.passes;
  config.group.translator.icount = options_.icount_shift.has_value();
  config.gates = choices.gates;
  for (const auto& [name, value] : options_.smmu_properties)
    set_smmu_property(config.gates.smmu, name, value);
  choose_gates(config.gates, options_);
  config.semihosting = semihosting_.get();
  config.rtc_start = rtc_start_;
  board_ = std::make_unique<Virt>(std::move(config), clock_, *serial_);
  board_->pes().on_event([this] { loop_.wake(); });
}

ChosenInfo Session::chosen() const {
  ChosenInfo info;
  info.bootargs = options_.append;
  info.initrd = loader_->initrd();
  if (!device_tree_randomness_) return info;
  info.rng_seed.resize(32);
  u64 kaslr_seed = 0x9e3779b97f4a7c15;
  if (options_.icount_shift) {  // deterministic, but still there: some kernels wait for randomness without it
    for (size_t i = 0; i < info.rng_seed.size(); i++)
      info.rng_seed[i] = u8(kaslr_seed >> (i % 8) * 8) ^ u8(i);
  } else {
    fill_random(info.rng_seed);
    fill_random({reinterpret_cast<u8*>(&kaslr_seed), sizeof kaslr_seed});
  }
  info.kaslr_seed = kaslr_seed;
  return info;
}

void Session::load_software() {
  loader_ = std::make_unique<Loader>(board_->record().ram, board_->record().secure_ram, board_->free_flash());
  const bool firmware = board_->has_firmware();
  bool nothing = options_.kernel.empty() && !firmware && !has_loaders(options_) &&
                 options_.dump_device_tree.empty() && !options_.start_stopped;
  if (nothing) throw ConfigError::usage("there is nothing to boot: give -kernel FILE or -bios FILE");
  if (firmware) {
    board_->offer_kernel(options_.kernel, options_.initrd, options_.append);
  } else {
    if (!options_.kernel.empty()) loader_->load_kernel(options_.kernel);
    if (!options_.initrd.empty()) loader_->load_initrd(options_.initrd);
  }
  board_->start_as_firmware(firmware || options_.kernel.empty() || loader_->format() == KernelFormat::Elf);
  if (firmware) board_->offer_tables(acpi_);
  std::vector<u8> tree = options_.device_tree.empty()
                             ? build_device_tree(board_->record(), chosen())
                             : patch_device_tree(options_.device_tree,
                                                 FileBytes::open(options_.device_tree, u64{16} << 20).view(),
                                                 board_->record(), chosen());
  if (!options_.dump_device_tree.empty()) return write_device_tree(tree);
  const Starts starts = run_loaders(*loader_, options_);
  if (firmware || options_.kernel.empty())
    loader_->place_device_tree_for_firmware(std::move(tree), firmware);
  else
    loader_->place_device_tree(std::move(tree));
  board_->load(loader_->segments());
  BootInfo boot = loader_->boot();
  // Without firmware and kernel a PE starts at the reset vector; with nothing at all, where a debugger may
  // put it.
  if (options_.kernel.empty() && !firmware && !has_loaders(options_)) boot.entry = board_->record().ram.first;
  board_->set_boot(boot);
  for (auto [pe, entry] : starts) board_->set_start(pe, entry);
  if (semihosting_) {
    PhysRange free = loader_->free_ram();
    semihosting_->set_heap(free.first.value, free.first.value + free.size);
  }
}

void Session::write_device_tree(const std::vector<u8>& tree) {
  const std::string& path = options_.dump_device_tree;
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file) throw ConfigError::file(path, std::strerror(errno));
  bool written = std::fwrite(tree.data(), 1, tree.size(), file) == tree.size();
  if (std::fclose(file) != 0 || !written) throw ConfigError::file(path, "cannot be written");
  end(EndReason::Information, "device tree written to " + path);
}

void Session::make_monitor() {
  target_ =
      std::make_unique<MachineTarget>(*board_, options_.name,
                                      MachineTarget::Control{.running = [this] { return !stopped_; },
                                                             .stop = [this] { stop(); },
                                                             .cont = [this] { cont(); },
                                                             .reset = [this] { reset(); },
                                                             .quit = [this] { end(EndReason::Quit); },
                                                             .before_pause = [this] { let_pes_come(); },
                                                             .after_pause = [this] { pes_may_wait(); }});
  if (options_.monitor.empty()) return;
  ByteStream& stream =
      consoles_->open(options_.monitor, "monitor", {.focused = [this] { monitor_->focused(); }});
  monitor_ = std::make_unique<Monitor>(*target_, stream, version_text());
  if (consoles_->has_focus(options_.monitor)) monitor_->focused();
}

Verdict Session::run() {
  if (!verdict_) {
    board_->pes().reset();
    if (options_.start_stopped) stop();
    if (options_.timeout_ns) {
      timeout_ = std::make_unique<Clock::Timer>(clock_, [this] {
        board_->pes().stop_and_post(
            {.kind = cpu::MachineEvent::Kind::Custom, .code = kTimeoutEvent, .pe = 0, .text = {}});
      });
      timeout_->arm(clock_.now_ns() + *options_.timeout_ns);
    }
    board_->pes().start();
  }
  while (!verdict_) {
    loop_.run_once();
    while (!verdict_) {
      auto event = board_->pes().wait_event(0);
      if (!event) break;
      handle(*event);
    }
  }
  timeout_.reset();
  let_pes_come();
  board_->pes().stop();
  finish_output();
  // The last output may have shown what was waited for.
  verdict_->expect_missing = watcher_.missing();
  if (found_ && by_the_guest(verdict_->reason))
    verdict_->reason = found_->reason, verdict_->message = found_->line;
  verdict_->machine = options_.machine;
  verdict_->cpu = options_.cpu;
  verdict_->guest_time_ns = clock_.now_ns();
  verdict_->host_time_ns = host_ns() - host_start_ns_;
  return *verdict_;
}

void Session::handle(const cpu::MachineEvent& event) {
  using Kind = cpu::MachineEvent::Kind;
  switch (event.kind) {
    case Kind::PowerOff: return options_.no_shutdown ? stop() : end(EndReason::PowerOff);
    case Kind::Reset: return options_.no_reboot ? end(EndReason::Reset) : reset();
    case Kind::Exit: {
      end(EndReason::GuestExit);
      std::lock_guard lock{mutex_};
      verdict_->guest_code = guest_code_.value_or(u64(event.code));
      return;
    }
    case Kind::Panic: return end(EndReason::Panic, event.text);
    case Kind::AllOff: return end(EndReason::Panic, "every PE has switched itself off");
    case Kind::DebugStop: return stop();
    case Kind::Custom: break;
  }
  if (event.code == kTimeoutEvent) return end(EndReason::Timeout);
  std::lock_guard lock{mutex_};
  if (found_) end(found_->reason, found_->line);
}

void Session::handle_signal(int number) {
  if (number == SIGCONT) return verdict_ ? void() : consoles_->reenter_raw();
  interrupted_ = true;
  if (verdict_) return;
  end(EndReason::Signal, strsignal(number));
  verdict_->signal = number;
  // Should something not come to its end now, a second signal ends the process.
  consoles_->restore_terminal();
  loop_.release_signals();
}

// Writes what the guest has said, however slow the reader is, unless we are told not to wait.
void Session::finish_output() {
  constexpr int kGraceMs = 200;
  // A round may write the last of it itself, and then nothing is left to wake it: it is bounded.
  constexpr u64 kRoundNs = 20'000'000;
  for (consoles_->flush(0); !interrupted_ && consoles_->has_output(); consoles_->flush(0))
    loop_.run_once(kRoundNs);
  consoles_->flush(kGraceMs);
  consoles_->restore_terminal();
}

// No PE waits for the user or for a terminal any more; who pauses them can wait for them.
void Session::let_pes_come() {
  serial_->interrupt_reads();
  if (semihosting_console_) semihosting_console_->interrupt_reads();
  consoles_->release_writers(true);
}

void Session::pes_may_wait() {
  consoles_->release_writers(false);
  if (!stopped_) allow_reads();
}

void Session::allow_reads() {
  serial_->allow_reads();
  if (semihosting_console_) semihosting_console_->allow_reads();
}

void Session::console_output(std::span<const u8> bytes) {
  auto found = watcher_.see(bytes);
  if (!found) return;
  {
    std::lock_guard lock{mutex_};
    found_ = std::move(found);
  }
  if (!board_) return;
  board_->pes().stop_and_post(
      {.kind = cpu::MachineEvent::Kind::Custom, .code = kOutputEvent, .pe = 0, .text = {}});
}

// The first reason stays.
void Session::end(EndReason reason, const std::string& message) {
  if (verdict_) return;
  verdict_.emplace();
  verdict_->reason = reason;
  verdict_->message = message;
}

void Session::stop() {
  if (std::exchange(stopped_, true)) return;
  let_pes_come();
  board_->pes().pause();
  pes_may_wait();
  clock_.set_running(false);
}

void Session::cont() {
  if (!std::exchange(stopped_, false)) return;
  allow_reads();
  clock_.set_running(true);
  board_->pes().resume();
}

void Session::reset() {
  let_pes_come();
  board_->pes().pause();
  board_->reset_devices();
  board_->load(loader_->segments());
  board_->pes().reset();
  serial_->forget_reads();
  if (semihosting_console_) semihosting_console_->forget_reads();
  pes_may_wait();
  board_->pes().resume();
}

}  // namespace sluice
