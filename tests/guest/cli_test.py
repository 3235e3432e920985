#!/usr/bin/env python3
"""The command as a whole: exit statuses, verdicts, messages, terminals, signals, bad input.

  cli_test.py SLUICE [unittest arguments]
"""
import fcntl
import json
import os
import pathlib
import pty
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bare_metal  # noqa: E402

SLUICE = None
LIMIT = int(os.environ.get("SLUICE_TEST_PATIENCE", "60"))  # seconds


def load_json(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def read_text(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read(200_000)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="sluice-cli-")
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def file(self, name, content):
        with open(self.path(name), "wb") as f:
            f.write(content)
        return self.path(name)

    def program(self, program, name="program.elf"):
        return self.file(name, program.elf())

    def run_sluice(self, *arguments, typed=b"", **options):
        """The completed process, and the verdict (checked to be there whatever happened)."""
        verdict = self.path("verdict.json")
        if os.path.exists(verdict):
            os.unlink(verdict)
        done = subprocess.run([SLUICE, *arguments, "--verdict", "json:" + verdict], input=typed,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT, **options)
        done.verdict = load_json(verdict) if os.path.exists(verdict) else None
        return done

    def expect(self, status, *arguments, message=None, **options):
        done = self.run_sluice(*arguments, **options)
        self.assertEqual(done.returncode, status, (arguments, done.stdout[-500:], done.stderr[-500:]))
        self.assertIsNotNone(done.verdict, arguments)
        self.assertEqual(done.verdict["exit"], status)
        if message:
            self.assertRegex(done.stderr.decode(), message)
        return done


class ExitStatus(Case):
    def test_power_off_is_success(self):
        done = self.expect(0, "-kernel", self.program(bare_metal.powers_off()))
        self.assertEqual(done.verdict["reason"], "poweroff")
        self.assertEqual(done.stderr, b"")

    def test_semihosting_exit_codes_come_through(self):
        for code, status in ((0, 0), (1, 1), (7, 7), (63, 63), (64, 63), (300, 63)):
            kernel = self.program(bare_metal.exits(code))
            done = self.expect(status, "-kernel", kernel, "-semihosting-config", "enable=on,target=native")
            self.assertEqual(done.verdict["reason"], "guest-exit")
            self.assertEqual(done.verdict["guest_code"], code)

    def test_where_programs_start_with_and_without_el3(self):
        p = bare_metal.tells_where_it_starts()
        elf, image = self.program(p), self.file("Image", p.code())
        for kernel, secure, shown in ((image, "off", "a11X"), (image, "on", "a11X"), (elf, "off", "a11X"),
                                      (elf, "on", "a3Xb")):
            with self.subTest(kernel=kernel, secure=secure):
                done = self.expect(124, "-M", f"virt,secure={secure}", "-smp", "2", "-kernel", kernel, "--timeout", "300ms")
                self.assertEqual(sorted(done.stdout.decode()), sorted(shown))

    def test_semihosting_output_goes_to_a_chardev_of_its_own(self):
        p = bare_metal.Program().say("serial").mov(0, 4).adr(1, "text").semihosting().power_off()
        kernel = self.program(p.label("text").data(b"semihosting\0"))
        log = self.path("log")
        done = self.expect(0, "-kernel", kernel, "-chardev", f"file,id=c,path={log}", "-semihosting-config", "chardev=c")
        self.assertEqual(done.stdout, b"serial")
        self.assertEqual(read_text(log), "semihosting")
        done = self.expect(0, "-kernel", kernel, "-chardev", f"file,id=c,path={log}", "-semihosting-config", "chardev=c",
                           "--expect", "semihosting")

    def test_semihosting_is_off_unless_asked_for(self):
        self.expect(124, "-kernel", self.program(bare_metal.exits(3)), "--timeout", "200ms")

    def test_reset_ends_the_run_only_with_no_reboot(self):
        kernel = self.program(bare_metal.Program().say("again\n").psci(bare_metal.PSCI_SYSTEM_RESET).spin())
        self.expect(67, "-kernel", kernel, "-no-reboot")
        done = self.expect(124, "-kernel", kernel, "--timeout", "2s")
        self.assertGreater(done.stdout.count(b"again"), 1)
        self.expect(0, "-kernel", kernel, "-no-reboot", "--qemu-exit")

    def test_time_limit_is_guest_time(self):
        kernel = self.program(bare_metal.spins())
        for extra in ([], ["--accel", "interp"], ["-icount", "shift=0,align=off,sleep=off", "-rtc", "clock=vm"],
                      ["-icount", "shift=7"], ["-smp", "4"]):
            done = self.expect(124, "-kernel", kernel, "--timeout", "300ms", *extra)
            self.assertEqual(done.verdict["reason"], "timeout")
            self.assertGreaterEqual(done.verdict["guest_seconds"], 0.3)

    def test_idle_icount_time_passes_at_once(self):
        program = bare_metal.Program().label("wait").wfi().branch("wait")
        start = time.monotonic()
        done = self.expect(124, "-kernel", self.program(program), "-icount", "shift=0", "--timeout", "1000s")
        self.assertLess(time.monotonic() - start, 60)
        self.assertAlmostEqual(done.verdict["guest_seconds"], 1000, delta=0.001)

    def test_expect_and_fail_on(self):
        kernel = self.program(bare_metal.Program().say("all 12 tests passed\n").spin())
        done = self.expect(0, "-kernel", kernel, "--expect", "[0-9]+ tests passed")
        self.assertEqual(done.verdict["reason"], "expect")
        done = self.expect(66, "-kernel", kernel, "--fail-on", "tests p.ssed", message="fail-on matched")
        self.assertEqual(done.verdict["message"], "all 12 tests passed")
        kernel = self.program(bare_metal.Program().say("bye\n").power_off())
        done = self.expect(69, "-kernel", kernel, "--expect", "hello", message="not seen: hello")
        self.assertEqual(done.verdict["expect_missing"], ["hello"])

    def test_what_the_console_showed_last_still_counts(self):
        p = bare_metal.Program().say("Kernel panic\n").mov(0, 0x18).mov(1, 0).semihosting().spin()
        self.expect(66, "-kernel", self.program(p), "-semihosting", "--fail-on", "panic")
        p = bare_metal.Program().say("Kernel panic").power_off()
        self.expect(66, "-kernel", self.program(p), "--fail-on", "panic")

    def test_guest_that_jumps_into_a_device_or_nowhere_does_not_end_the_emulator(self):
        for address in (bare_metal.UART, 0x08000000, 0x0A000000, 0x3FFFFFFC, 0x123456789000, 0x40000000 | 2):
            kernel = self.program(bare_metal.Program().mov(1, address).br(1))
            for extra in ([], ["--accel", "interp"]):
                self.expect(124, "-kernel", kernel, "--timeout", "100ms", *extra)

    def test_guest_that_overwrites_itself_with_rubbish_does_not_end_the_emulator(self):
        p = bare_metal.Program().adr(1, "here").mov(2, 0x00C0FFEE).label("here").word(0xB8004422)  # STR W2, [X1], #4
        self.expect(124, "-kernel", self.program(p.branch("here")), "--timeout", "200ms")

    def test_every_pe_off_is_reported(self):
        kernel = self.program(bare_metal.Program().psci(0x84000002).spin())  # CPU_OFF
        self.expect(66, "-kernel", kernel, "-smp", "2", message="switched itself off")


class Machines(Case):
    def test_every_model_gic_and_size_starts(self):
        kernel = self.program(bare_metal.powers_off())
        for cpu in ("cortex-a53", "cortex-a57", "cortex-a72", "cortex-a76", "max"):
            self.expect(0, "-kernel", kernel, "-cpu", cpu)
        for gic, pes in ((2, 1), (2, 8), (3, 1), (3, 4), (3, 16), ("max", 9), ("host", 1)):
            if gic == "host":
                continue
            self.expect(0, "-kernel", kernel, "-M", "virt,gic-version=%s" % gic, "-smp", str(pes))

    def test_all_ram_is_lazy(self):
        kernel = self.program(bare_metal.Program().say("up\n").spin())
        p = subprocess.Popen([SLUICE, "-kernel", kernel, "-m", "255G"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE)
        try:
            self.assertEqual(p.stdout.readline(), b"up\n")
            status = read_text("/proc/%d/status" % p.pid)
            resident_kib = int(re.search(r"VmRSS:\s+(\d+)", status).group(1))
            self.assertLess(resident_kib, 300 * 1024)
        finally:
            p.kill()
            p.communicate()

    def test_device_tree_can_be_dumped_and_used(self):
        tree = self.path("virt.dtb")
        self.expect(0, "-M", "virt,gic-version=3,dumpdtb=" + tree, "-smp", "4")
        with open(tree, "rb") as f:
            self.assertEqual(f.read(4), b"\xd0\x0d\xfe\xed")
        kernel = self.program(bare_metal.powers_off())
        self.expect(0, "-kernel", kernel, "-dtb", tree, "-M", "virt,gic-version=3", "-smp", "4")
        self.expect(65, "-M", "virt,dumpdtb=/dev/full")
        self.expect(65, "-M", "virt,dumpdtb=" + self.path("no/such/folder"))

    def test_icount_runs_are_identical(self):
        kernel = self.program(bare_metal.prints_times(200))
        for extra in (["-icount", "shift=0"], ["-icount", "shift=3", "-smp", "4"],
                      ["-icount", "shift=2", "--timeout", "3ms"], ["-icount", "shift=1", "--expect", "[PQ]"]):
            runs = [self.run_sluice("-kernel", kernel, *extra) for _ in range(3)]
            self.assertEqual(len({r.stdout for r in runs}), 1, extra)
            self.assertEqual(len({r.verdict["guest_seconds"] for r in runs}), 1, extra)
            self.assertGreater(len(runs[0].stdout), 8)


class Firmware(Case):
    """Programs that start at address 0, in flash."""

    def test_a_program_runs_from_flash_on_one_pe(self):
        image = self.file("bios.bin", bare_metal.Program().say("from flash").power_off().code())
        for options in (["-smp", "4"], ["-accel", "interp"], ["-M", "virt,chain=pe:smmuv3"]):
            done = self.expect(0, "-bios", image, *options)
            self.assertEqual(done.stdout, b"from flash")

    def test_code_in_flash_that_is_programmed_runs_as_it_is_then(self):
        flash, ret, blr_x5 = 0x04080000, 0xD65F03C0, 0xD63F00A0
        function = bare_metal.Program().mov(1, bare_metal.UART).mov(3, ord("C")).str32(3, 1).word(ret)
        patched = bare_metal.Program().mov(3, ord("A")).words[0]  # a bit less
        p = bare_metal.Program().mov(5, flash).word(blr_x5).word(blr_x5)
        at = function.words.index(bare_metal.Program().mov(3, ord("C")).words[0]) * 4
        for value, offset in ((0x400040, at), (patched, at), (0xFF00FF, 0)):
            p.mov(6, flash + offset).mov(2, value).str32(2, 6)
        kernel = self.program(p.word(blr_x5).word(blr_x5).power_off())
        device = "loader,file=" + self.file("function", function.code()) + f",addr={flash:#x}"
        for accelerator in ("jit", "interp"):
            done = self.expect(0, "-kernel", kernel, "-device", device, "-accel", accelerator)
            self.assertEqual(done.stdout, b"CCAA")

    def test_an_erase_is_in_the_file_and_nothing_else(self):
        p = bare_metal.Program().mov(1, 0x04040000)  # block 1 of bank 1
        for command in (0x200020, 0xD000D0):
            p.mov(2, command).str32(2, 1)
        code = self.file("bios.bin", p.power_off().code())
        path = self.file("vars.fd", b"")
        os.truncate(path, 64 << 20)
        for drive, erased in (("readonly=on", False), ("snapshot=on", False), ("readonly=off", True)):
            self.expect(0, "-bios", code, "-drive", f"if=pflash,unit=1,file={path},{drive}")
            with open(path, "rb") as f:
                image = f.read()
            block = b"\xff" if erased else b"\0"
            self.assertTrue(image == bytes(256 << 10) + block * (256 << 10) + bytes((64 << 20) - (512 << 10)))
            self.assertFalse(os.path.exists(path + ".journal"))


class GenericLoader(Case):
    """-device loader."""

    def hex_file(self, address, data, entry):
        def record(offset, kind, content):
            raw = bytes([len(content), offset >> 8, offset & 255, kind]) + content
            return ":" + (raw + bytes([-sum(raw) & 255])).hex().upper() + "\r\n"

        text = record(0, 4, (address >> 16).to_bytes(2, "big"))
        for at in range(0, len(data), 16):
            text += record((address & 0xFFFF) + at, 0, data[at:at + 16])
        return self.file("image.hex", (text + record(0, 5, entry.to_bytes(4, "big")) + record(0, 1, b"")).encode())

    def s_records(self, address, data, entry):
        def record(kind, content):
            raw = bytes([len(content) + 1]) + content
            return f"S{kind}" + (raw + bytes([~sum(raw) & 255])).hex().upper() + "\n"

        text = record(0, b"\0\0title")
        for at in range(0, len(data), 16):
            text += record(3, (address + at).to_bytes(4, "big") + data[at:at + 16])
        return self.file("image.s19", (text + record(7, entry.to_bytes(4, "big"))).encode())

    def test_programs_of_every_format_start(self):
        program = bare_metal.Program().say("loaded").power_off()
        raw, at = program.code(), 0x40300000
        for device in (f"file={self.program(program)},cpu-num=0",
                       f"file={self.hex_file(at, raw, at)},cpu-num=0",
                       f"file={self.s_records(at, raw, at)},cpu-num=0",
                       f"file={self.file('raw', raw)},addr={at:#x},cpu-num=0"):
            done = self.expect(0, "-device", "loader," + device)
            self.assertEqual(done.stdout, b"loaded", device)

    def test_a_raw_program_in_flash_is_at_the_reset_vector(self):
        raw = self.file("raw", bare_metal.Program().say("flash").power_off().code())
        self.assertEqual(self.expect(0, "-device", f"loader,file={raw},addr=0").stdout, b"flash")

    def test_values_are_stored_and_a_kernel_finds_them(self):
        p = bare_metal.Program().mov(1, bare_metal.UART).mov(2, 0x40600000)
        for offset in (0, 4):
            p.ldr32(3, 2, offset).str32(3, 1)
        kernel = self.program(p.power_off())
        # The serial port shows the low byte of each word.
        done = self.expect(0, "-kernel", kernel,
                           "-device", "loader,addr=0x40600000,data=0x41,data-len=4",
                           "-device", "loader,addr=0x40600004,data=0x42000000,data-len=4,data-be=on")
        self.assertEqual(done.stdout, b"AB")

    def test_bad_images_are_refused(self):
        at = 0x40300000
        good_hex = pathlib.Path(self.hex_file(at, bytes(64), at)).read_bytes()
        good_s = pathlib.Path(self.s_records(at, bytes(64), at)).read_bytes()
        for content, message in ((good_hex.replace(b":10", b":11", 1), "line 2 is not a record"),
                                 (good_hex.replace(b"0000", b"0001", 1), "wrong check sum"),
                                 (good_hex[:-13], "no end record"),
                                 (good_s[:-15], "no end record"),
                                 (good_s.replace(b"S315", b"S316", 1), "not a record"),
                                 (self.outside_hex(), "does not fit")):
            self.expect(65, "-device", "loader,cpu-num=0,file=" + self.file("bad", content), message=message)
        raw = self.file("raw", b"\0" * 16)
        for device, message in ((f"file={raw}", "addr= is needed"), ("addr=0", "cpu-num"), ("cpu-num=0", "addr="),
                                (f"addr=0,data=1,file={raw}", "exclude"), ("addr=0,data=0x100,data-len=1", "fit"),
                                (f"file={raw},addr=0,cpu-num=1", "0 to 0"), ("addr=0,date=1", "date")):
            self.expect(64, "-device", "loader," + device, message=message)
        self.expect(65, "-device", f"loader,addr=0x20000000,file={raw}", message="does not fit")

    def outside_hex(self):
        return pathlib.Path(self.hex_file(0x20000000, bytes(16), 0)).read_bytes()


class Disk(Case):
    """What a guest's write does to the image, and what the guest hears."""

    def write(self, *drive, **options):
        before = bytes(range(256)) * 1024
        image = self.file("disk.img", before)
        kernel = self.program(bare_metal.writes_a_sector(3))
        done = self.expect(0, "-kernel", kernel, *(a.replace("IMAGE", image) for a in drive), **options)
        with open(image, "rb") as f:
            after = f.read()
        expected = before[:3 * 512] + struct.pack("<I", 0x57524954) * 128 + before[4 * 512:]
        self.assertIn(after, (before, expected), "nothing else ever changes")
        return done.stdout, after == expected

    def test_a_writable_image_is_written(self):
        self.assertEqual(self.write("-drive", "file=IMAGE"), (b"A", True))
        self.assertEqual(self.write("-drive", "file=IMAGE", "-icount", "shift=0"), (b"A", True))

    def test_a_snapshot_leaves_the_image_alone(self):
        self.assertEqual(self.write("-drive", "file=IMAGE,snapshot=on"), (b"A", False))
        self.assertEqual(self.write("-snapshot", "-drive", "file=IMAGE"), (b"A", False))
        self.assertEqual(self.write("-snapshot", "-drive", "if=none,id=d,file=IMAGE", "-device",
                                    "virtio-blk-device,drive=d"), (b"A", False))

    def test_a_read_only_image_refuses(self):
        self.assertEqual(self.write("-drive", "file=IMAGE,readonly=on"), (b"B", False))

    def test_a_full_disk_is_an_error_for_the_guest(self):
        limit = (1024, 1024)  # bytes; the sector is behind it
        self.assertEqual(self.write("-drive", "file=IMAGE",
                                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit)),
                         (b"B", False))


class BadInput(Case):
    def test_impossible_options(self):
        kernel = self.program(bare_metal.powers_off())
        for options, message in (
                (["-serail", "null"], r"did you mean '-serial'"),
                (["--timeuot=1s"], r"did you mean '--timeout'"),
                (["-enable-kvm"], r"-enable-kvm: invalid option"),
                (["-smp", "17"], r"1 to 16"),
                (["-smp", "0"], r"1 to 16"),
                (["-smp", "9", "-M", "virt,gic-version=2"], r"at most 8"),
                (["-m", "256G"], r"255G"),
                (["-m", "0"], r"RAM size"),
                (["-m", "12Q"], r"RAM size"),
                (["-M", "vrit"], r"unsupported machine type"),
                (["-M", "virt,gic=3"], r"gic"),
                (["-cpu", "cortex-a5"], r"cortex-a5"),
                (["-cpu", "max,sve=maybe"], r"sve"),
                (["-device", "virtio-blk-devise"], r"did you mean 'virtio-blk-device'"),
                (["-device", "virtio-blk-device,drive=none"], r"no -drive"),
                (["-device", "virtio-rng-pci,addr=20"], r"addr=20"),
                (["-device", "virtio-rng-pci,addr=1.8"], r"addr=1\.8"),
                (["-device", "edu,addr=0"], r"00\.0 is taken"),
                (["-device", "edu,addr=1f.7", "-device", "edu,addr=0x1f.0x7"], r"1f\.7 is taken"),
                (["-device", "edu"] * 32, r"all devices of bus 0 are taken"),
                (["-device", "edu,bus=pci.1"], r"bus 'pci\.1' not found"),
                (["-device", "virtio-rng-pci,vectors=2049"], r"0 to 2048"),
                (["-device", "virtio-rng-pci,disable-legacy=off"], r"no legacy interface"),
                (["-M", "virt,highmem=off", "-m", "4G"], r"3 GiB"),
                (["-M", "virt,mpc=on"], r"an MPC needs secure=on: only Secure software can program it"),
                (["-object", "rng-random,id=r"], r"'rng-random' is not available"),
                (["-object", "soft-host-iommu"], r"id"),
                (["-object", "soft-host-iommu,id=h", "-object", "soft-host-iommu,id=h"], r"two with id 'h'"),
                (["-object", "soft-host-iommu,id=h,reserved=9:8"], r"reserved=9:8"),
                (["-device", "edu,container=h"], r"container=h: there is no -object"),
                (["-object", "soft-host-iommu,id=h", "-device", "edu,container=h"], r"no IOMMU in front of PCIe"),
                (["-M", "virt,iommu=smmuv3", "-object", "soft-host-iommu,id=h", "-device", "edu,container=h"],
                 r"smmuv3-dma cannot tell what becomes mapped"),
                (["-M", "virt,iommu=virtio", "-object", "soft-host-iommu,id=h", "-device", "edu,container=h",
                  "-device", "edu,container=h"], r"that of 00:02\.0; another endpoint"),
                (["-M", "virt,iommu=virtio", "-object", "soft-host-iommu,id=h", "-device",
                  "virtio-rng-pci,container=h"], r"container= needs iommu_platform=on"),
                # Both masks are named.
                (["-M", "virt,iommu=virtio", "-object", "soft-host-iommu,id=h,page-sizes=0x800",
                  "-device", "edu,container=h"],
                 r"page sizes 0x800 of h, 0xfffffffffffff000 of the IOMMU"),
                (["-M", "virt,iommu=virtio", "-object", "soft-host-iommu,id=a,page-sizes=0x1000",
                  "-object", "soft-host-iommu,id=b,page-sizes=0x10000", "-device", "edu,container=a",
                  "-device", "edu,container=b"], r"page sizes 0x10000 of b, 0x1000 of the IOMMU"),
                (["-drive", "if=scsi,file=x"], r"if=scsi"),
                (["-d", "int,mmmu"], r"-d help"),
                (["-fw_cfg", "opt/" + "x" * 60 + ",string=y"], r"1 to 55 bytes"),
                (["-fw_cfg", "opt/x,string=y", "-fw_cfg", "opt/x,string=z"], r"exists already"),
                (["-icount", "shift=auto"], r"shift=auto"),
                (["-icount", "shift=99"], r"shift"),
                (["--timeout", "soon"], r"--timeout"),
                (["--expect", "["], r"--expect"),
                (["--verdict", "xml:x"], r"json:FILE"),
                (["-serial", "tcp::1"], r"not available"),
                (["stray"], r"unexpected argument"),
        ):
            self.expect(64, "-kernel", kernel, *options, message=message)
        self.expect(64, message="-kernel")  # nothing to boot
        done = subprocess.run([SLUICE, "-kernel"], capture_output=True, timeout=LIMIT)
        self.assertEqual(done.returncode, 64)
        self.assertIn(b"-kernel: requires an argument: FILE", done.stderr)

    def test_files_that_cannot_be_used(self):
        good = bare_metal.powers_off()
        kernel = self.program(good)
        gzip_head = b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + b"\x55" * 50
        large = self.path("large")
        with open(large, "wb") as f:
            f.truncate(65 << 20)
        for arguments, message in (
                (["-kernel", self.path("missing")], "No such file"),
                (["-kernel", self.folder.name], "Is a directory"),
                (["-kernel", self.file("empty", b"")], "empty"),
                (["-kernel", self.file("cut.elf", good.elf()[:130])], "truncated"),
                (["-kernel", self.file("header.elf", good.elf()[:40])], "truncated"),
                (["-kernel", self.file("x86.elf", good.elf(machine=62))], "x86-64"),
                (["-kernel", self.file("cut.gz", gzip_head)], "cut.gz"),
                (["-kernel", self.file("script", b"#!/bin/sh\n" * 10)], "script"),
                (["-kernel", kernel, "-initrd", self.path("missing")], "No such file"),
                (["-kernel", kernel, "-initrd", large, "-m", "64M"], "does not fit"),
                (["-kernel", kernel, "-dtb", self.path("missing")], "No such file"),
                (["-kernel", kernel, "-dtb", kernel], "not a device tree"),
                (["-kernel", kernel, "-drive", "file=" + self.path("missing")], "No such file"),
                (["-kernel", kernel, "-drive", "file=" + self.folder.name], "directory"),
                (["-kernel", kernel, "-drive", "file=" + self.file("q", b"QFI\xfb" + bytes(600))], "qcow2"),
                (["-bios", self.path("missing")], "No such file"),
                (["-bios", self.file("empty.bin", b"")], "is empty"),
                (["-bios", large], "64 MiB of flash"),
                (["-kernel", kernel, "-fw_cfg", "opt/x,file=" + self.path("missing")], "No such file"),
                (["-kernel", kernel, "-fw_cfg", "opt/x,file=" + self.sparse("huge", 3 << 30)], "2 GiB"),
                (["-pflash", large], "is 65 MiB, and the flash bank is 64 MiB: it does not fit"),
                (["-kernel", kernel, "-drive", "if=pflash,unit=1,file=" + self.file("odd", b"x" * 1000)], "1000 bytes"),
                (["-pflash", self.path("missing")], "No such file"),
                (["-bios", kernel, "-kernel", self.path("missing")], "No such file"),
                (["-kernel", kernel, "-serial", "file:" + self.path("no/such")], "No such file"),
                (["-kernel", kernel, "-D", self.path("no/such"), "-d", "int"], "No such file"),
                (["-kernel", kernel, "-trace", "events=" + self.path("missing")], "No such file"),
                (["-kernel", kernel, "-trace", "events=" + self.folder.name], "Is a directory"),
                (["-kernel", kernel, "-trace", "arm_tlbi,file=" + self.path("no/such")], "No such file"),
        ):
            self.expect(65, *arguments, message=message)

    def sparse(self, name, size):
        with open(self.path(name), "wb") as f:
            f.truncate(size)
        return self.path(name)

    def test_a_raw_image_larger_than_ram(self):
        image = self.file("raw", bytes(2 << 20))
        self.expect(65, "-kernel", image, "-m", "1M", message="does not fit")

    def test_disk_that_somebody_else_writes_to(self):
        kernel = self.program(bare_metal.powers_off())
        disk = self.file("disk", bytes(1 << 20))
        with open(disk, "r+b") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            fcntl.lockf(held, fcntl.LOCK_EX)
            self.expect(65, "-kernel", kernel, "-drive", "file=" + disk, message="disk")
        self.expect(0, "-kernel", kernel, "-drive", "file=" + disk)

    def test_disk_without_rights(self):
        if os.geteuid() == 0:
            self.skipTest("root may do everything")
        kernel = self.program(bare_metal.powers_off())
        disk = self.file("disk", bytes(1 << 20))
        os.chmod(disk, 0o444)
        self.expect(65, "-kernel", kernel, "-drive", "file=" + disk, message="Permission")
        self.expect(0, "-kernel", kernel, "-drive", "file=%s,readonly=on" % disk)
        self.expect(0, "-kernel", kernel, "-snapshot", "-drive", "file=" + disk)

    def test_full_disk_under_an_output_file(self):
        kernel = self.program(bare_metal.Program().say("hello\n").power_off())
        self.expect(0, "-kernel", kernel, "-serial", "file:/dev/full", message="No space left")
        self.expect(0, "-kernel", kernel, "-d", "in_asm,int", "-D", "/dev/full")
        done = subprocess.run([SLUICE, "-kernel", kernel, "--verdict", "json:/dev/full"], capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=LIMIT)
        self.assertEqual(done.returncode, 65)
        with open("/dev/full", "wb") as full:
            done = subprocess.run([SLUICE, "-kernel", kernel], stdin=subprocess.DEVNULL, stdout=full,
                                  stderr=subprocess.PIPE, timeout=LIMIT)
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"No space left", done.stderr)

    def test_a_limit_on_file_sizes_is_no_crash(self):
        kernel = self.program(bare_metal.Program().say("x" * 3000 + "\n").power_off())
        done = self.run_sluice("-kernel", kernel, "-serial", "file:" + self.path("out"),
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"File too large", done.stderr)

    def test_pipe_that_nobody_reads(self):
        os.mkfifo(self.path("pipe"))
        kernel = self.program(bare_metal.powers_off())
        self.expect(65, "-kernel", kernel, "-serial", "file:" + self.path("pipe"), message="nobody reads")


class Information(Case):
    def test_lists_go_to_stdout_with_success(self):
        for arguments, text in ((["-M", "help"], "virt"), (["-machine", "virt,help"], "gic-version"),
                                (["-cpu", "help"], "cortex-a76"), (["-device", "help"], "virtio-blk-device"),
                                (["-device", "virtio-blk-device,help"], "drive"), (["-d", "help"], "out_asm"),
                                (["-trace", "help"], "smmuv3_cmdq_tlbi_nsnh\n"),
                                (["-d", "trace:help"], "gicv3_its_cmd_mapti "), (["-d", "help"], "trace:PATTERN"),
                                (["--help"], "-kernel"), (["--help-exit"], "124"), (["--version"], "Sluice")):
            done = self.run_sluice(*arguments)
            self.assertEqual(done.returncode, 0, arguments)
            self.assertIn(text, done.stdout.decode())
            self.assertEqual(done.stderr, b"")

    def test_trace_events_are_logged_by_name(self):
        p = bare_metal.Program().word(0xD508871F).psci(0x84000008)  # TLBI VMALLE1
        kernel = self.program(p)
        line = r"(?m)^arm_tlbi pe=0 op=VMALLE1 xt=0x[0-9a-f]+ world=EL1&0-NS$"
        for options in (["-trace", "arm_tlbi"], ["-trace", "enable=arm_*"], ["-d", "guest_errors,trace:arm_t?bi"]):
            done = self.run_sluice("-kernel", kernel, *options)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stderr.decode(), line)
        log, trace = self.path("log"), self.path("trace")
        self.run_sluice("-kernel", kernel, "-trace", "arm_*", "-D", log)
        self.assertRegex(read_text(log), line)
        events = self.file("events", b"# what to look at\n\n  arm_*  # all\r\n-arm_tlbi_apply\nno_such_*\n")
        done = self.run_sluice("-kernel", kernel, "-trace", "events=" + events, "-trace", "file=" + trace)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(read_text(trace), line)
        self.assertNotIn("arm_tlbi_apply", read_text(trace))
        self.assertIn("no event matches 'no_such_*'", done.stderr.decode())
        self.assertNotIn("arm_tlbi", done.stderr.decode())
        done = self.run_sluice("-kernel", kernel)
        self.assertEqual(done.stderr, b"")

    def test_every_log_topic_says_something(self):
        p = bare_metal.Program().mov(1, 0x09000000).mov(2, 1).word(0x39013022)  # STRB W2, [X1, #0x4c]: no register
        p.psci(0x8400FFFF).word(0xD53FB3E0).mov(1, 0x123456789000).br(1)  # MRS X0, S3_7_C11_C3_7: there is none
        kernel = self.program(p)
        expected = {
            "in_asm": r"0x0000000040100000:  d2[0-9a-f]{6}  mov",
            "op": r"block pc=0x40100000",
            "op_opt": r"block pc=0x40100000",
            "out_asm": r"0x[0-9a-f]+: (mov|jmp|cmp|sub|lea)",
            "int": r"PE0: .*EL1",
            "exec": r"pc=0000000040100000",
            "mmu": r"PE0 (fill|fault)",
            "guest_errors": r"pl011|UART|register",
            "unimp": r"no such system register",
        }
        for topic, pattern in expected.items():
            log = self.path("log-" + topic)
            self.expect(124, "-kernel", kernel, "-d", topic, "-D", log, "-icount", "shift=5", "--timeout", "5us")
            with self.subTest(topic=topic):
                self.assertRegex(read_text(log), pattern)


class Terminal(Case):
    """On a pseudo terminal, as a user has it."""

    def start(self, *arguments):
        self.leader, follower = pty.openpty()
        self.addCleanup(os.close, self.leader)
        self.before = termios.tcgetattr(follower)
        self.verdict = self.path("verdict.json")

        def become_foreground():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen([SLUICE, *arguments, "--verdict", "json:" + self.verdict],
                                        stdin=follower, stdout=follower, stderr=follower,
                                        preexec_fn=become_foreground)
        self.addCleanup(self.process.kill)
        self.follower = follower
        self.addCleanup(os.close, follower)
        self.seen = b""

    def read(self, seconds):
        ready, _, _ = select.select([self.leader], [], [], seconds)
        if not ready:
            return False
        try:
            self.seen += os.read(self.leader, 65536)
        except OSError:
            return False
        return True

    def wait_for(self, text):
        text = text.encode()
        end = time.monotonic() + LIMIT
        while text not in self.seen:
            self.assertLess(time.monotonic(), end, "%r not seen in %r" % (text, self.seen[-800:]))
            self.read(0.2)
        at = self.seen.index(text) + len(text)
        found, self.seen = self.seen[:at], self.seen[at:]
        return found.decode(errors="replace")

    def type(self, text):
        os.write(self.leader, text.encode())

    def command(self, line):
        self.type(line + "\r")
        return self.wait_for("(sluice) ")

    def ends_with(self, status):
        end = time.monotonic() + LIMIT
        while self.process.poll() is None:
            self.assertLess(time.monotonic(), end, self.seen[-800:])
            self.read(0.05)
        while self.read(0):
            pass
        self.assertEqual(self.process.returncode, status, self.seen[-800:])
        self.assertEqual(termios.tcgetattr(self.follower), self.before, "the terminal is as it was")

    def test_ctrl_a_x_quits(self):
        self.start("-kernel", self.program(bare_metal.Program().say("up\n").spin()))
        self.wait_for("up")
        self.assertNotEqual(termios.tcgetattr(self.follower), self.before)
        self.type("\x01h")
        self.wait_for("Ctrl-A x")
        self.type("\x01x")
        self.ends_with(0)

    def test_what_is_typed_early_is_not_lost(self):
        text = "".join(chr(ord("a") + i % 26) for i in range(500))
        program = bare_metal.Program().say("up\n").delay(30_000_000).echo(len(text)).say(".done\n").power_off()
        self.start("-kernel", self.program(program))
        self.wait_for("up")
        self.type(text)
        self.assertIn(text, self.wait_for(".done"))
        self.ends_with(0)

    def test_ctrl_c_goes_to_the_guest_and_signals_end_with_their_number(self):
        kernel = self.program(bare_metal.Program().say("up\n").echo(1).say("typed\n").spin())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            self.start("-kernel", kernel)
            self.wait_for("up")
            self.type("\x03")
            self.wait_for("typed")
            self.process.send_signal(number)
            self.ends_with(128 + number)
            verdict = load_json(self.verdict)
            self.assertEqual((verdict["reason"], verdict["signal"]), ("signal", int(number)))

    def test_ctrl_c_ends_a_run_with_a_plain_serial_port(self):
        self.start("-kernel", self.program(bare_metal.Program().say("up\n").spin()), "-serial", "stdio")
        self.wait_for("up")
        self.type("\x03")
        self.ends_with(128 + signal.SIGINT)

    def test_monitor(self):
        p = bare_metal.Program().say("up\n").mov(20, 0xC0DE).mov(19, 0x40200000).str32(20, 19).spin()
        self.start("-kernel", self.program(p), "-smp", "2")
        self.wait_for("up")
        self.type("\x01c")
        self.wait_for("(sluice) ")
        self.assertIn("running", self.command("info status"))
        self.assertIn("FlatView #0", self.command("info mtree -f"))
        self.assertRegex(self.command("info mtree"), r"pl011")
        self.assertIn("X20=000000000000c0de", self.command("info registers"))
        self.assertIn("CPU#1", self.command("info registers -a"))
        self.assertRegex(self.command("info cpus"), r"CPU #1.*off")
        self.assertIn("40000000", self.command("info tlb"))
        self.assertIn("blocks translated", self.command("info jit"))
        self.assertIn("0x0000c0de", self.command("xp /1xw 0x40200000"))
        self.assertIn("0x000000000000c0de", self.command("x/1xg $x19"))
        self.assertRegex(self.command("x/1i $pc"), r"14000000\s+b\s+#?0x401")
        self.assertIn("Cannot access", self.command("xp /1xw 0x100000000000"))
        self.command("stop")
        self.assertIn("paused", self.command("info status"))
        self.command("cont")
        self.assertIn("unknown command", self.command("stpo"))
        self.type("system_reset\r")
        self.wait_for("up")
        self.type("quit\r")
        self.ends_with(0)

    def test_starts_stopped(self):
        self.start("-kernel", self.program(bare_metal.Program().say("up\n").power_off()), "-S")
        self.type("\x01c")
        self.wait_for("(sluice) ")
        self.assertIn("paused", self.command("info status"))
        self.assertNotIn(b"up", self.seen)
        self.type("c\r")
        self.wait_for("up")
        self.ends_with(0)

    def test_semihosting_read_is_taken_up_again_after_a_stop(self):
        # SYS_READC, then the character to the serial port.
        p = bare_metal.Program().say("up\n").mov(0, 7).semihosting().mov(1, bare_metal.UART).str32(0, 1)
        self.start("-kernel", self.program(p.say(" read\n").power_off()), "-semihosting")
        self.wait_for("up")
        self.type("\x01c")
        self.wait_for("(sluice) ")
        self.command("stop")
        self.assertIn("X00=0000000000000007", self.command("info registers"))
        self.command("cont")
        self.command("info registers")
        self.type("\x01cZ")
        self.wait_for("Z read")
        self.ends_with(0)


class Blocked(Case):
    """Nobody reads what the guest writes."""

    def start(self, *arguments):
        p = subprocess.Popen([SLUICE, "-kernel", self.program(bare_metal.floods()), *arguments],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(p.stderr.close)
        self.addCleanup(p.stdout.close)
        self.addCleanup(p.stdin.close)
        self.addCleanup(p.kill)
        time.sleep(1)  # the pipe is full by now
        return p

    def test_signals_still_end_the_run(self):
        for extra in ([], ["-icount", "shift=0"]):
            p = self.start(*extra)
            p.terminate()
            self.assertEqual(p.wait(LIMIT), 128 + signal.SIGTERM)

    def test_the_time_limit_does_too_once_somebody_reads(self):
        p = self.start("--timeout", "500ms")
        while p.stdout.read(1 << 20):
            pass
        self.assertEqual(p.wait(LIMIT), 124)

    def test_a_reader_that_goes_away_does_not_end_the_run(self):
        p = self.start("--timeout", "2s")
        p.stdout.close()
        self.assertEqual(p.wait(LIMIT), 124)


if __name__ == "__main__":
    SLUICE = os.path.abspath(sys.argv.pop(1))
    unittest.main()
