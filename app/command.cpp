// app/command.cpp: the command as a whole: options in, exit status and verdict out, whatever happens.
#include <cstdio>
#include <new>

#include "app/session.h"
#include "machines/config_error.h"

namespace sluice {
namespace {

Catalogue catalogue() {
  Catalogue c;
  c.machines = {{"virt", "board of Arm virtual machines (default)"}};
  for (const VirtProperty& p : virt_properties()) c.machine_properties.push_back({p.name, p.help});
  c.machine_properties.push_back({"dumpdtb", "FILE: write the device tree there and end"});
  c.machine_properties.push_back({"accel", "jit|interp, as -accel"});
  c.cpu_help = cpu::cpu_help();
  c.check_cpu = [](const std::string& argument) {
    auto model = cpu::parse_cpu_option(argument);
    return model ? std::string{} : model.error();
  };
  return c;
}

Verdict failed(EndReason reason, const std::string& message) {
  Verdict v;
  v.reason = reason;
  v.message = message;
  return v;
}

Verdict run_session(const Options& options) {
  try {
    return Session{options}.run();
  } catch (const ConfigError& error) {
    return failed(error.kind() == ConfigError::Kind::Usage ? EndReason::Usage : EndReason::File,
                  error.what());
  } catch (const std::bad_alloc&) {
    return failed(EndReason::Resource, "the host has no memory left");
  } catch (const std::exception& error) {
    return failed(EndReason::Internal, error.what());
  }
}

void explain(const Verdict& v) {
  switch (v.reason) {
    case EndReason::Usage:
    case EndReason::File:
    case EndReason::Resource:
    case EndReason::Internal:
    case EndReason::Information: std::fprintf(stderr, "sluice: %s\n", v.message.c_str()); break;
    case EndReason::Panic: std::fprintf(stderr, "sluice: guest panic: %s\n", v.message.c_str()); break;
    case EndReason::FailOn: std::fprintf(stderr, "sluice: --fail-on matched: %s\n", v.message.c_str()); break;
    case EndReason::Timeout: std::fprintf(stderr, "sluice: time limit\n"); break;
    case EndReason::Signal:
      std::fprintf(stderr, "sluice: terminated by signal: %s\n", v.message.c_str());
      break;
    default: break;
  }
  if (v.reason != EndReason::ExpectSeen)
    for (const std::string& text : v.expect_missing)
      std::fprintf(stderr, "sluice: --expect not seen: %s\n", text.c_str());
}

}  // namespace

int run_command(const std::vector<std::string>& arguments) {
  CommandLine line = parse_command_line(arguments, catalogue());
  const Options& options = line.options;
  auto contract = options.qemu_exit ? ExitContract::Qemu : ExitContract::Sluice;
  Verdict verdict;
  if (line.finished) {
    std::fputs(line.output.c_str(), line.status ? stderr : stdout);
    verdict = failed(line.status ? EndReason::Usage : EndReason::Information, line.status ? line.output : "");
  } else {
    verdict = run_session(options);
    explain(verdict);
  }
  int status = exit_status(verdict, contract);
  if (!options.verdict_file.empty() && !write_verdict(options.verdict_file, verdict, status) && status == 0)
    status = 65;
  return status;
}

}  // namespace sluice
