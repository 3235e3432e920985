// Command line: QEMU's spelling, defaults, refusals with suggestions.
#include "app/options.h"

#include <gtest/gtest.h>

#include "machines/config_error.h"
#include "machines/gates.h"

namespace sluice {
namespace {

Catalogue catalogue() {
  Catalogue c;
  c.machines = {{"virt", "board"}};
  c.machine_properties = {
      {"gic-version", "2, 3, max"}, {"dtb-randomness", "on|off"}, {"pflash0", "id"}, {"pflash1", "id"}};
  c.cpu_help = "Available CPUs:\n  max\n";
  c.check_cpu = [](const std::string& a) {
    return a.starts_with("max") || a == "cortex-a72" ? "" : "unknown CPU model '" + a + "'";
  };
  return c;
}

CommandLine parse(std::vector<std::string> arguments) { return parse_command_line(arguments, catalogue()); }
Options good(std::vector<std::string> arguments) {
  CommandLine c = parse(std::move(arguments));
  EXPECT_FALSE(c.finished) << c.output;
  return c.options;
}
// The message of a usage error.
std::string bad(std::vector<std::string> arguments) {
  CommandLine c = parse(std::move(arguments));
  EXPECT_TRUE(c.finished);
  EXPECT_EQ(c.status, 64) << c.output;
  return c.output;
}
bool has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

TEST(Options, FlashBanksAreGivenInThreeWays) {
  Options o = good({"-pflash", "code.fd", "-drive", "if=pflash,file=vars.fd,format=raw,readonly=on"});
  EXPECT_EQ(o.drives.at(o.flash_drives[0]).path, "code.fd");
  EXPECT_EQ(o.drives.at(o.flash_drives[1]).path, "vars.fd");
  EXPECT_TRUE(o.drives.at(o.flash_drives[1]).read_only);
  EXPECT_FALSE(o.drives.at(o.flash_drives[1]).attach);
  o = good({"-M", "virt,pflash1=v", "-bios", "u-boot.bin", "-drive", "if=none,id=v,file=env.img"});
  EXPECT_EQ(o.flash_drives[0], "");
  EXPECT_EQ(o.flash_drives[1], "v");
  EXPECT_EQ(o.bios, "u-boot.bin");
  o = good({"-drive", "if=pflash,unit=1,file=b", "-drive", "if=pflash,index=0,file=a"});
  EXPECT_EQ(o.drives.at(o.flash_drives[0]).path, "a");
  EXPECT_EQ(o.drives.at(o.flash_drives[1]).path, "b");
}

TEST(Options, BlockdevNodesAreDrives) {
  Options o = good({"-blockdev", "node-name=code,driver=file,filename=a.fd,read-only=on", "-blockdev",
                    "driver=file,node-name=f,filename=b.fd", "-blockdev", "driver=raw,node-name=vars,file=f",
                    "-M", "virt,pflash0=code,pflash1=vars"});
  ASSERT_EQ(o.drives.size(), 2u);
  EXPECT_EQ(o.drives.at("code").path, "a.fd");
  EXPECT_TRUE(o.drives.at("code").read_only);
  EXPECT_FALSE(o.drives.at("code").attach);
  EXPECT_EQ(o.drives.at("vars").path, "b.fd");
  EXPECT_FALSE(o.drives.at("vars").read_only);
  EXPECT_EQ(o.flash_drives[1], "vars");
  o = good({"-blockdev", "raw,node-name=x,file.driver=file,file.filename=c,read-only=on"});
  EXPECT_EQ(o.drives.at("x").path, "c");
  EXPECT_TRUE(has(bad({"-blockdev", "driver=qcow2,node-name=x,file=y"}), "driver=qcow2"));
  EXPECT_TRUE(has(bad({"-blockdev", "driver=raw,node-name=x,file=y"}), "no node 'y'"));
  EXPECT_TRUE(has(bad({"-blockdev", "driver=file,filename=y"}), "node-name"));
  EXPECT_TRUE(has(bad({"-blockdev", "file,node-name=x,filename=y", "-drive", "if=none,id=x,file=z"}), "two"));
}

TEST(Options, FilesOfFwCfg) {
  Options o = good({"-fw_cfg", "opt/a,string=hello", "-fw_cfg", "name=opt/b,file=path"});
  ASSERT_EQ(o.fw_cfg.size(), 2u);
  EXPECT_EQ(o.fw_cfg[0].name, "opt/a");
  EXPECT_EQ(o.fw_cfg[0].text, "hello");
  EXPECT_EQ(o.fw_cfg[1].path, "path");
  EXPECT_TRUE(has(bad({"-fw_cfg", "opt/a"}), "file= and string="));
  EXPECT_TRUE(has(bad({"-fw_cfg", "opt/a,file=x,string=y"}), "file= and string="));
}

TEST(Options, ImpossibleFlashIsRefused) {
  EXPECT_TRUE(has(bad({"-pflash", "a", "-pflash", "b", "-pflash", "c"}), "two flash banks"));
  EXPECT_TRUE(has(bad({"-pflash", "a", "-drive", "if=pflash,unit=0,file=b"}), "bank 0 has an image"));
  EXPECT_TRUE(has(bad({"-drive", "if=pflash,unit=2,file=b"}), "0 to 1"));
  EXPECT_TRUE(has(bad({"-drive", "unit=1,file=b"}), "if=pflash"));
  EXPECT_TRUE(has(bad({"-bios", "a", "-pflash", "b"}), "bank 0 has an image"));
  EXPECT_TRUE(has(bad({"-M", "virt,pflash0=none"}), "no -drive with id 'none'"));
}

TEST(Options, Defaults) {
  Options o = good({"-kernel", "Image"});
  EXPECT_EQ(o.machine, "virt");
  EXPECT_EQ(o.cpu, "max");
  EXPECT_EQ(o.pes, 1u);
  EXPECT_EQ(o.ram_size, 128u << 20);
  EXPECT_EQ(o.kernel, "Image");
  ASSERT_EQ(o.chardevs.size(), 1u);
  EXPECT_EQ(o.serial, o.monitor);
  EXPECT_TRUE(o.chardevs.at(o.serial).mux);
  EXPECT_FALSE(o.chardevs.at(o.serial).signals);
}

// As "pattern" and "<file".
std::string traces(const Options& o) {
  std::string text;
  for (const TraceOptions::Item& i : o.trace.items) text += (i.is_file ? " <" : " ") + i.text;
  return text;
}

TEST(Options, TraceEvents) {
  EXPECT_EQ(traces(good({"-trace", "smmu*", "-trace", "enable=-x,events=F", "-trace", "a"})),
            " smmu* -x <F a");
  EXPECT_EQ(good({"-trace", "file=out", "-trace", "x"}).trace.file, "out");
  EXPECT_TRUE(has(bad({"-trace", "events="}), "events expects a file"));
  EXPECT_TRUE(has(bad({"-trace", ""}), "-trace"));
  EXPECT_TRUE(has(bad({"-trace", "enable=x,fil=y"}), "fil"));
  EXPECT_EQ(parse({"-trace", "help"}).status, 0);
  EXPECT_EQ(parse({"-trace", "enable=help"}).status, 0);
}

TEST(Options, TraceEventsAmongLogTopics) {
  Options o = good({"-d", "int,trace:smmu*,mmu,trace:-x"});
  EXPECT_EQ(traces(o), " smmu* -x");
  EXPECT_EQ(o.log_topics, good({"-d", "int,mmu"}).log_topics);
  EXPECT_EQ(good({"-d", "trace:x"}).log_topics, 0u);
  EXPECT_TRUE(has(bad({"-d", "trace:x,mmmu"}), "'mmmu'"));
  EXPECT_TRUE(has(bad({"-d", "trace:"}), "which trace events"));
  EXPECT_TRUE(has(bad({"-d", "int,,trace:x,mmu"}), "is not a topic"));
  EXPECT_EQ(parse({"-d", "trace:help"}).status, 0);
}

TEST(Options, OneOrTwoDashesAndEqualsSign) {
  for (auto& arguments : std::vector<std::vector<std::string>>{
           {"-timeout", "10s"}, {"--timeout", "10s"}, {"--timeout=10s"}, {"-timeout=10s"}})
    EXPECT_EQ(good(arguments).timeout_ns, 10'000'000'000u);
}

TEST(Options, MachineProperties) {
  Options o = good({"-M", "virt,gic-version=3,dumpdtb=x.dtb,accel=interp"});
  EXPECT_EQ(o.dump_device_tree, "x.dtb");
  EXPECT_EQ(int(o.accelerator), int(Accelerator::Interpreter));
  ASSERT_EQ(o.machine_properties.size(), 1u);
  EXPECT_EQ(o.machine_properties[0], (std::pair<std::string, std::string>{"gic-version", "3"}));
  EXPECT_TRUE(has(bad({"-M", "vrit"}), "unsupported machine type: \"vrit\"\nUse -machine help"));
  EXPECT_TRUE(has(bad({"-M", "virt,gic-verison=3"}), "did you mean 'gic-version'?"));
}

TEST(Options, UnknownOptionsGetASuggestion) {
  EXPECT_TRUE(has(bad({"-kernle", "x"}), "-kernle: invalid option; did you mean '-kernel'?"));
  EXPECT_TRUE(has(bad({"--verdikt=json:x"}), "did you mean '--verdict'?"));
  EXPECT_TRUE(has(bad({"-qqqqqq"}), "-qqqqqq: invalid option\n"));
}

TEST(Options, AbbreviationsAreNotAccepted) {
  EXPECT_TRUE(has(bad({"-kern", "x"}), "invalid option"));
  EXPECT_TRUE(has(bad({"-s"}), "-s: invalid option"));
}

TEST(Options, ArgumentsMissingOrTooMany) {
  EXPECT_TRUE(has(bad({"-kernel"}), "-kernel: requires an argument"));
  EXPECT_TRUE(has(bad({"--no-reboot=yes"}), "takes no argument"));
  EXPECT_TRUE(has(bad({"disk.img"}), "unexpected argument 'disk.img'"));
  EXPECT_TRUE(has(bad({"-S", "--", "x"}), "unexpected argument 'x'"));
}

TEST(Options, ValuesMayStartWithADash) {
  EXPECT_EQ(good({"-append", "-single"}).append, "-single");
  EXPECT_EQ(good({"-append", ""}).append, "");
}

TEST(Options, MemorySizes) {
  EXPECT_EQ(good({"-m", "256"}).ram_size, u64{256} << 20);
  EXPECT_EQ(good({"-m", "2G"}).ram_size, u64{2} << 30);
  EXPECT_EQ(good({"-m", "size=512M"}).ram_size, u64{512} << 20);
  EXPECT_EQ(good({"-m", "255G"}).ram_size, u64{255} << 30);
  for (const char* text : {"0", "256G", "-1", "x", "1Q", "99999999999999999999", "1k", "", "17592186044416G"})
    EXPECT_TRUE(has(bad({"-m", text}), "-m: ")) << text;
}

TEST(Options, Smp) {
  EXPECT_EQ(good({"-smp", "4"}).pes, 4u);
  EXPECT_EQ(good({"-smp", "cpus=8,cores=4,clusters=2"}).pes, 8u);
  EXPECT_EQ(good({"-smp", "cores=2,threads=2"}).pes, 4u);
  for (const char* text :
       {"0", "17", "x", "4,cores=3", "cpus=2,maxcpus=4", "sockets=16,cores=16", "2,dies=1"})
    bad({"-smp", text});
}

TEST(Options, Consoles) {
  Options o = good({"-serial", "file:out.txt", "-monitor", "none"});
  EXPECT_EQ(int(o.chardevs.at(o.serial).kind), int(ChardevOptions::Kind::File));
  EXPECT_EQ(o.chardevs.at(o.serial).path, "out.txt");
  EXPECT_EQ(o.monitor, "");
  o = good({"-serial", "stdio"});
  EXPECT_EQ(o.monitor, "");  // the terminal is taken
  EXPECT_TRUE(o.chardevs.at(o.serial).signals);
  o = good({"-nodefaults", "-nographic"});
  EXPECT_EQ(o.serial + o.monitor, "");
  o = good({"-chardev", "stdio,mux=on,id=c0", "-serial", "chardev:c0", "-mon", "chardev=c0"});
  EXPECT_EQ(o.serial, "c0");
  EXPECT_EQ(o.monitor, "c0");
  EXPECT_TRUE(has(bad({"-serial", "stdio", "-monitor", "stdio"}), "stdio is used twice"));
  EXPECT_TRUE(has(bad({"-serial", "pty"}), "not available"));
  EXPECT_TRUE(has(bad({"-serial", "chardev:x"}), "no -chardev with id 'x'"));
  o = good({"-serial", "null", "-serial", "file:secure.txt"});
  EXPECT_EQ(o.chardevs.at(o.secure_serial).path, "secure.txt");
  EXPECT_TRUE(has(bad({"-serial", "null", "-serial", "null", "-serial", "null"}), "two serial ports"));
  EXPECT_TRUE(has(bad({"-serial", "null", "-serial", "mon:stdio"}), "only for the first"));
  EXPECT_TRUE(has(bad({"-chardev", "socket,id=x"}), "'socket' is not available"));
}

TEST(Options, DrivesAndDevices) {
  Options o = good({"-drive", "if=none,file=a,,b.img,id=d0,readonly=on", "-device",
                    "virtio-blk-device,drive=d0,serial=ab", "-drive", "file=c.img", "-snapshot"});
  EXPECT_EQ(o.drives.at("d0").path, "a,b.img");
  EXPECT_TRUE(o.drives.at("d0").read_only);
  EXPECT_FALSE(o.drives.at("d0").attach);
  EXPECT_TRUE(o.drives.at(o.drive_order[1]).attach);
  EXPECT_TRUE(o.drives.at(o.drive_order[1]).snapshot);
  ASSERT_EQ(o.devices.size(), 1u);
  EXPECT_EQ(o.devices[0].properties.get_or("serial", ""), "ab");
  EXPECT_TRUE(has(bad({"-drive", "file=x,format=qcow2"}), "format=qcow2 is not available"));
  EXPECT_TRUE(has(bad({"-drive", "id=x"}), "parameter 'file' is missing"));
  EXPECT_TRUE(has(bad({"-drive", "file=x,id=a", "-drive", "file=y,id=a"}), "two with id 'a'"));
  EXPECT_TRUE(has(bad({"-device", "virtio-blk-devise"}), "did you mean 'virtio-blk-device'?"));
  EXPECT_TRUE(has(bad({"-device", "virtio-blk-device,drvie=x"}), "did you mean 'drive'?"));
  EXPECT_TRUE(has(bad({"-netdev", "user,id=n"}), "user networking is not available"));
}

TEST(Options, GlobalPropertiesOfSmmus) {
  Options o = good({"-global", "arm-smmuv3.stage=2", "-global", "arm-smmuv3.msi=on"});
  Smmuv3Config config;
  for (const auto& [name, value] : o.smmu_properties) set_smmu_property(config, name, value);
  EXPECT_EQ(config.stages, Smmuv3Config::Stages::Two);
  EXPECT_TRUE(config.msi);
  EXPECT_THROW(set_smmu_property(config, "stage", "3"), ConfigError);
  EXPECT_THROW(set_smmu_property(config, "nosuch", "on"), ConfigError);
  EXPECT_TRUE(has(bad({"-global", "edu.x=1"}), "not a property"));
}

TEST(Options, IcountAsZephyrGivesIt) {
  Options o = good({"-icount", "shift=7,align=off,sleep=off", "-rtc", "clock=vm"});
  EXPECT_EQ(o.icount_shift, 7u);
  bad({"-icount", "shift=auto"});
  bad({"-icount", "shift=11"});
  bad({"-icount", "shift=3,align=on"});
}

TEST(Options, SemihostingArguments) {
  Options o = good({"-semihosting-config", "enable=on,target=native,arg=prog,arg=one"});
  EXPECT_TRUE(o.semihosting.enabled);
  EXPECT_EQ(o.semihosting.arguments, (std::vector<std::string>{"prog", "one"}));
  EXPECT_FALSE(o.semihosting.from_el0);
  o = good({"-chardev", "file,id=log,path=x", "-semihosting-config", "chardev=log,userspace=on"});
  EXPECT_EQ(o.semihosting.chardev, "log");
  EXPECT_TRUE(o.semihosting.from_el0);
  EXPECT_TRUE(has(bad({"-semihosting-config", "chardev=none"}), "no -chardev with id 'none'"));
  bad({"-semihosting-config", "enable=on,target=gdb"});
}

TEST(Options, Verdict) {
  Options o =
      good({"--verdict=json:v.json", "--expect=login:", "--fail-on=panic", "--fail-on=Oops", "--tlb=direct"});
  EXPECT_EQ(o.verdict_file, "v.json");
  EXPECT_EQ(o.fail_on.size(), 2u);
  EXPECT_EQ(int(o.tlb), int(TlbPolicy::Direct));
  bad({"--verdict=xml:v"});
  bad({"--expect=("});
  bad({"--timeout=1parsec"});
}

TEST(Options, OptimisationsAreSwitchedOffByName) {
  using tcg::Pass;
  EXPECT_EQ(good({}).passes.bits, tcg::PassSet::all().bits);
  Options o = good({"-tcg-opt", "-regions,-links"});
  EXPECT_EQ(o.passes.bits, tcg::PassSet::all().with(Pass::Regions, false).with(Pass::Links, false).bits);
  o = good({"--tcg-opt=-all,dead-code"});
  EXPECT_EQ(o.passes.bits, tcg::PassSet::none().with(Pass::DeadCode, true).bits);
  EXPECT_TRUE(has(bad({"--tcg-opt=-reigons"}), "'-reigons'"));
  for (const tcg::PassInfo& p : tcg::all_passes()) {
    EXPECT_TRUE(has(parse({"-tcg-opt", "help"}).output, std::string{p.name})) << p.name;
  }
}

TEST(Options, VerdictFileIsKnownEvenWhenALaterOptionIsWrong) {
  EXPECT_EQ(parse({"--verdict=json:v.json", "-nosuch"}).options.verdict_file, "v.json");
  EXPECT_EQ(parse({"-nosuch", "--verdict=json:v.json"}).options.verdict_file, "v.json");
}

TEST(Options, HelpGoesToStdoutWithSuccess) {
  for (auto& arguments : std::vector<std::vector<std::string>>{{"-h"},
                                                               {"--help"},
                                                               {"-version"},
                                                               {"-M", "help"},
                                                               {"-cpu", "help"},
                                                               {"-device", "help"},
                                                               {"-d", "help"},
                                                               {"-device", "virtio-blk-device,help"},
                                                               {"-M", "virt,help"},
                                                               {"--help-exit"},
                                                               {"-accel", "help"},
                                                               {"-chardev", "help"}}) {
    CommandLine c = parse(arguments);
    EXPECT_TRUE(c.finished);
    EXPECT_EQ(c.status, 0);
    EXPECT_FALSE(c.output.empty());
  }
  EXPECT_TRUE(has(parse({"--help"}).output, "-kernel FILE"));
  EXPECT_TRUE(has(parse({"--help-exit"}).output, "124"));
}

TEST(Options, LogTopics) {
  EXPECT_NE(good({"-d", "int,guest_errors"}).log_topics, 0u);
  EXPECT_TRUE(has(bad({"-d", "int,nosuch"}), "'nosuch' is not a topic"));
}

TEST(KeyValues, Durations) {
  EXPECT_EQ(parse_duration("250ms"), 250'000'000u);
  EXPECT_EQ(parse_duration("1.5"), 1'500'000'000u);
  EXPECT_EQ(parse_duration("2m"), 120'000'000'000u);
  for (const char* text : {"", "s", "-1s", "nan", "inf", "1e300", "1 s"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(KeyValues, NearestIsOnlyOfferedWhenItIsNear) {
  EXPECT_EQ(nearest("kernl", {"kernel", "initrd"}), "kernel");
  EXPECT_EQ(nearest("zzz", {"kernel", "initrd"}), "");
}

TEST(Options, RandomArgumentsNeverCrash) {
  u32 seed = 4711;
  SCOPED_TRACE("seed " + std::to_string(seed));
  auto next = [&] { return (seed = seed * 1664525 + 1013904223) >> 8; };
  const std::vector<std::string> words = {
      "-M",      "virt",    "-smp",      ",",        "=",     "-device",  "virtio-blk-device",
      "drive=",  "-serial", "mon:stdio", "-",        "--",    "-m",       "1G",
      "-drive",  "file=",   "id=a",      "-chardev", "stdio", "--expect", "(",
      "-icount", "shift=",  "0x",        "-append",  "help"};
  for (int round = 0; round < 5000; round++) {
    std::vector<std::string> arguments;
    for (u32 n = next() % 6; n > 0; n--) {
      std::string word = words[next() % words.size()];
      if (next() % 3 == 0) word += words[next() % words.size()];
      arguments.push_back(word);
    }
    parse(arguments);
  }
}

}  // namespace
}  // namespace sluice
