// Monitor: commands and formats, over a target that records what it is asked.
#include "app/monitor.h"

#include <gtest/gtest.h>

#include <map>

#include "base/trace.h"

namespace sluice {
namespace {

class Target final : public MonitorTarget {
 public:
  std::string name() override { return "board"; }
  bool running() override { return runs; }
  void stop() override { runs = false; }
  void cont() override { runs = true; }
  void system_reset() override { log += "reset "; }
  void system_powerdown() override { log += "powerdown "; }
  void quit() override { log += "quit "; }
  unsigned pes() override { return 2; }
  std::string memory_tree() override { return "tree\n"; }
  std::string flat_views() override { return "flat\n"; }
  std::string registers(unsigned pe) override { return "registers of " + std::to_string(pe) + "\n"; }
  std::string tlb(unsigned pe) override { return "tlb of " + std::to_string(pe) + "\n"; }
  std::string memory_map(unsigned) override { return ""; }
  std::string translator_counters(unsigned pe) override { return "jit of " + std::to_string(pe) + "\n"; }
  std::string interrupts() override { return ""; }
  std::string pci() override { return ""; }
  std::string gates() override { return "gates\n"; }
  std::string iotlbs() override { return "iotlbs\n"; }
  std::optional<std::string> path(const std::string& initiator, u64 address, char access) override {
    if (initiator != "pe0") return std::nullopt;
    return "pe0 " + std::to_string(address) + " " + access + "\n";
  }
  PeStatus pe_status(unsigned pe) override { return {0x40080000 + pe, pe ? "off" : "running"}; }
  std::optional<u64> register_value(unsigned pe, const std::string& name) override {
    if (name == "pc") return 0x1000 + pe;
    if (name == "x0") return 8;
    return std::nullopt;
  }
  // Memory reads as its own address; the accesses are recorded.
  std::optional<u64> read_virtual(unsigned pe, u64 va, unsigned size) override {
    log += "v" + std::to_string(pe) + " ";
    return read_physical(va, size);
  }
  std::optional<u64> read_physical(u64 pa, unsigned size) override {
    char text[64];
    snprintf(text, sizeof text, "%llx/%u ", static_cast<unsigned long long>(pa), size);
    log += text;
    if (pa >= 0x9000) return std::nullopt;
    return size == 8 ? pa : pa & ((u64{1} << size * 8) - 1);
  }
  std::string disassemble(u64, u32) override { return "nop"; }

  bool runs = true;
  std::string log;
};

class Stream final : public ByteStream {
 public:
  void transmit(std::span<const u8> bytes) override { shown.append(bytes.begin(), bytes.end()); }
  void on_receive(Receiver r) override { receiver = std::move(r); }
  void resume() override {}
  void type(const std::string& text) { receiver({reinterpret_cast<const u8*>(text.data()), text.size()}); }
  std::string shown;
  Receiver receiver;
};

struct Rig {
  Target target;
  Stream stream;
  Monitor monitor{target, stream, "Sluice 1\n"};
  std::string run(const std::string& line) { return monitor.execute(line); }
};

Trace<> trace_a{"monitor_test_a", ""};
Trace<> trace_b{"monitor_test_b", ""};

TEST(Monitor, TraceEventsAreListedAndSwitchedByNameOrPattern) {
  Rig r;
  EXPECT_EQ(r.run("trace-event monitor_test_a on"), "");
  EXPECT_EQ(r.run("info trace-events monitor_test_*"),
            "monitor_test_a : state 1\nmonitor_test_b : state 0\n");
  EXPECT_TRUE(trace_a.on());
  EXPECT_EQ(r.run("trace-event monitor_test_? off"), "");
  EXPECT_EQ(r.run("info trace-events monitor_test_a"), "monitor_test_a : state 0\n");
  EXPECT_NE(r.run("info trace-events").find("monitor_test_b : state 0\n"), std::string::npos);
  EXPECT_EQ(r.run("info trace-events nonsense"), "no such trace event\n");
  EXPECT_EQ(r.run("trace-event nonsense on"),
            "unknown trace event 'nonsense'; info trace-events lists them\n");
  EXPECT_EQ(r.run("trace-event monitor_test_a"), "usage: trace-event NAME on|off\n");
  EXPECT_EQ(r.run("trace-event monitor_test_a perhaps"), "usage: trace-event NAME on|off\n");
}

TEST(Monitor, PhysicalDumpIsOneAccessOfTheAskedWidthPerItem) {
  Rig r;
  EXPECT_EQ(r.run("xp /5wx 0x1000"),
            "0000000000001000: 0x00001000 0x00001004 0x00001008 0x0000100c\n"
            "0000000000001010: 0x00001010\n");
  EXPECT_EQ(r.target.log, "1000/4 1004/4 1008/4 100c/4 1010/4 ");
}

TEST(Monitor, DumpFormats) {
  Rig r;
  EXPECT_EQ(r.run("xp /2gx 0x1000"), "0000000000001000: 0x0000000000001000 0x0000000000001008\n");
  EXPECT_EQ(r.run("xp /1hd 0xfffe"), "000000000000fffe:\nCannot access memory\n");
  EXPECT_EQ(r.run("xp /2bx 0x10"), "0000000000000010: 0x10 0x11\n");
  EXPECT_EQ(r.run("xp /1ho 0x1fff"), "0000000000001fff: 0017777\n");
  EXPECT_EQ(r.run("xp/3c 0x40"), "0000000000000040: '@' 'A' 'B'\n");
  EXPECT_EQ(r.run("xp /1bd 0xff"), "00000000000000ff:   -1\n");
  EXPECT_EQ(r.run("xp /1i 0x100"), "0000000000000100:  00000100  nop\n");
  EXPECT_EQ(r.run("xp /1wu 0x100"), "0000000000000100:        256\n");
}

TEST(Monitor, FormatIsRememberedAndTheCountIsNot) {
  Rig r;
  EXPECT_EQ(r.run("xp /2bx 0x10"), "0000000000000010: 0x10 0x11\n");
  EXPECT_EQ(r.run("xp 0x20"), "0000000000000020: 0x20\n");
}

TEST(Monitor, VirtualDumpUsesTheChosenPeAndRegisters) {
  Rig r;
  EXPECT_EQ(r.run("cpu 1"), "");
  EXPECT_EQ(r.run("x /1wx $pc+0x10-$x0"), "0000000000001009: 0x00001009\n");
  EXPECT_EQ(r.target.log, "v1 1009/4 ");
}

TEST(Monitor, TranslationsAreAskedForByInitiatorAddressAndAccess) {
  Rig r;
  EXPECT_EQ(r.run("xlate pe0 0x10"), "pe0 16 r\n");
  EXPECT_EQ(r.run("xlate pe0 0x10+1 w"), "pe0 17 w\n");
  EXPECT_EQ(r.run("xlate pe9 0x10"), "no initiator is called 'pe9': see info cpus and info pci\n");
  for (const char* bad : {"xlate", "xlate pe0", "xlate pe0 0x10 q", "xlate pe0 0x10 r w"})
    EXPECT_EQ(r.run(bad).substr(0, 6), "usage:") << bad;
  EXPECT_EQ(r.run("xlate pe0 zz").substr(0, 3), "bad");
}

TEST(Monitor, BadDumpsAreExplained) {
  Rig r;
  EXPECT_EQ(r.run("xp"), "an address is missing\n");
  EXPECT_EQ(r.run("xp /4q 0"), "invalid format: '/4q'\n");
  EXPECT_EQ(r.run("xp /99999999x 0"), "invalid format: '/99999999x'\n");
  EXPECT_EQ(r.run("xp zork"), "invalid address: 'zork'\n");
  EXPECT_EQ(r.run("x $nosuch"), "invalid address: '$nosuch'\n");
  EXPECT_EQ(r.run("x 1+"), "invalid address: '1+'\n");
}

TEST(Monitor, RunControl) {
  Rig r;
  EXPECT_EQ(r.run("info status"), "VM status: running\n");
  EXPECT_EQ(r.run("stop"), "");
  EXPECT_EQ(r.run("info status"), "VM status: paused\n");
  EXPECT_EQ(r.run("c"), "");
  EXPECT_TRUE(r.target.runs);
  for (const char* command : {"system_reset", "system_powerdown", "q"}) EXPECT_EQ(r.run(command), "");
  EXPECT_EQ(r.target.log, "reset powerdown quit ");
}

TEST(Monitor, InfoSubjects) {
  Rig r;
  EXPECT_EQ(r.run("info mtree"), "tree\n");
  EXPECT_EQ(r.run("info mtree -f"), "flat\n");
  EXPECT_EQ(r.run("info registers"), "\nCPU#0\nregisters of 0\n");
  EXPECT_EQ(r.run("info registers -a"), "\nCPU#0\nregisters of 0\n\nCPU#1\nregisters of 1\n");
  r.run("cpu 1");
  EXPECT_EQ(r.run("info tlb"), "tlb of 1\n");
  EXPECT_EQ(r.run("info jit"), "jit of 1\n");
  EXPECT_EQ(r.run("info jit -a"), "jit of 0\njit of 1\n");
  EXPECT_EQ(r.run("info cpus"),
            "  CPU #0: pc=0x0000000040080000 (running)\n* CPU #1: pc=0x0000000040080001 (off)\n");
  EXPECT_EQ(r.run("info version"), "Sluice 1\n");
  EXPECT_NE(r.run("info nosuch").find("info mtree [-f]"), std::string::npos);
  EXPECT_EQ(r.run("cpu 2"), "invalid CPU index\n");
}

TEST(Monitor, UnknownCommandsGetASuggestion) {
  Rig r;
  EXPECT_EQ(r.run("stopp"), "unknown command: 'stopp'; did you mean 'stop'?\n");
  EXPECT_EQ(r.run("   "), "");
  EXPECT_NE(r.run("help").find("system_powerdown"), std::string::npos);
}

TEST(Monitor, LineEditing) {
  Rig r;
  r.monitor.focused();
  EXPECT_EQ(r.stream.shown, "Sluice 1 monitor - type 'help' for more information\n(sluice) ");
  r.stream.shown.clear();
  r.stream.type("stoq\x7fp\r");
  EXPECT_EQ(r.stream.shown, "stoq\b \bp\n(sluice) ");
  EXPECT_FALSE(r.target.runs);
  r.stream.type(
      "junk\x15"
      "cont\r\n");  // Ctrl-U; CR LF is one line
  EXPECT_TRUE(r.target.runs);
  r.stream.shown.clear();
  r.stream.type("\x1b[A\x1b[A\r");  // two up: "stop"
  EXPECT_FALSE(r.target.runs);
}

TEST(Monitor, RandomInputNeverCrashes) {
  Rig r;
  u32 seed = 99;
  SCOPED_TRACE("seed " + std::to_string(seed));
  const std::string alphabet = "xp /0123456789wgbhi$+-\r\n\x1b[AB\x7f\x15info cpu q\xff";
  for (int i = 0; i < 200'000; i++) {
    seed = seed * 1664525 + 1013904223;
    r.stream.type(std::string(1, alphabet[(seed >> 8) % alphabet.size()]));
    if (r.stream.shown.size() > 1'000'000) r.stream.shown.clear();
    if (r.target.log.size() > 1'000'000) r.target.log.clear();
  }
}

}  // namespace
}  // namespace sluice
