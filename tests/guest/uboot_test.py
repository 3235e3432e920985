#!/usr/bin/env python3
"""Debian's U-Boot for the `virt` board, from flash: its prompt, its commands, and a kernel that it boots.

  uboot_test.py SLUICE BUILD
"""
import os
import re
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import debian  # noqa: E402
import grub  # noqa: E402
import packages  # noqa: E402
from machine import Machine, Shell  # noqa: E402

SLUICE, BUILD = None, None
KERNEL_ARGUMENTS = "console=ttyAMA0 rdinit=/bin/sh"


class UBoot(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            cls.image = packages.file(BUILD, "u-boot-qemu", "usr/lib/u-boot/qemu_arm64/u-boot.bin")
        except packages.Missing as e:
            raise unittest.SkipTest(str(e))
        cls.folder = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def options(self, *more, cpu="cortex-a57", machine="virt"):
        return ("-M", machine, "-cpu", cpu, "-m", "1G", "-bios", self.image, "-nographic", *more)

    def prompt(self, m):
        m.expect(r"U-Boot 20\d\d\.\d\d")
        m.expect(r"Hit any key to stop autoboot")
        m.type("\n")
        m.expect(r"=> ")

    def run_command(self, m, text, seconds=60):
        """The output of a command of its shell."""
        m.type(text + "\n")
        m.expect(re.escape(text) + r"\s*\n")  # its echo
        start = m.at
        m.expect(r"(?m)^=> ", seconds)
        return m.seen[start:m.at]

    def test_prompt_and_commands(self):
        disk = os.path.join(self.folder.name, "disk.img")
        with open(disk, "wb") as f:
            f.truncate(1 << 20)
        with Machine(SLUICE, *self.options("-drive", f"file={disk}", "-device", "virtio-rng-pci")) as m:
            self.prompt(m)
            info = self.run_command(m, "bdinfo")
            self.assertRegex(info, r"-> start\s+= 0x0*40000000\s")
            self.assertRegex(info, r"-> size\s+= 0x0*40000000\s")
            self.run_command(m, "virtio scan")
            self.assertRegex(self.run_command(m, "virtio info"), r"Capacity: 1\.0 MB")
            self.run_command(m, "pci enum")
            self.assertRegex(self.run_command(m, "pci"), r"(?s)00\.00\.00\s+0x1b36\s+0x0008.*00\.01\.00\s+0x1af4\s")
            # As the existing emulator's board shows it.
            self.assertRegex(self.run_command(m, "flinfo", 120),
                             r"CFI conformant flash \(16 x 16\)  Size: 32 MB in 256 Sectors")
            m.type("poweroff\n")
            m.expect_status(0)

    def test_environment_is_kept_in_flash(self):
        flash = os.path.join(self.folder.name, "env.img")
        with open(flash, "wb") as f:
            f.truncate(64 << 20)
        options = self.options("-drive", f"if=pflash,unit=1,format=raw,file={flash}")
        with Machine(SLUICE, *options) as m:
            self.prompt(m)
            self.run_command(m, "setenv sluice kept")
            self.assertRegex(self.run_command(m, "saveenv"), r"OK")
            m.type("reset\n")  # within a run
            self.prompt(m)
            self.assertIn("sluice=kept", self.run_command(m, "printenv sluice"))
            m.type("poweroff\n")
            m.expect_status(0)
        with Machine(SLUICE, *options) as m:  # and the next run
            self.prompt(m)
            self.assertIn("sluice=kept", self.run_command(m, "printenv sluice"))

    def kernel_disk(self, make):
        try:
            return make(os.path.join(self.folder.name, "fat.img"), *debian.installer(BUILD))
        except (debian.Missing, packages.Missing) as e:
            return self.skipTest(str(e))

    def test_fw_cfg_shows_files(self):
        with Machine(SLUICE, *self.options("-fw_cfg", "opt/sluice/test,string=hello world")) as m:
            self.prompt(m)
            files = self.run_command(m, "qfw list")
            # U-Boot prints name and size.
            for name in ("etc/acpi/rsdp", "etc/table-loader", "etc/smbios/smbios-anchor", "opt/sluice/test"):
                self.assertIn(name, files)

    def test_efi_programs_run(self):
        with Machine(SLUICE, *self.options("-device", "virtio-rng-pci")) as m:
            self.prompt(m)
            self.assertIn("Hello, world!", self.run_command(m, "bootefi hello"))
            m.type("bootefi selftest\n")
            m.expect(r"Summary: \d+ failures")
            failed = set(re.findall(r"ERROR: (?:Executing|Setting up|Tearing down) '(.*)' failed", m.seen))
            self.assertLessEqual(failed, {"simple network protocol"}, "there is no network")

    def test_starts_grub_by_itself(self):
        disk = self.kernel_disk(lambda *files: grub.make_disk(BUILD, *files, KERNEL_ARGUMENTS))
        with Machine(SLUICE, *self.options("-drive", f"file={disk},readonly=on")) as m:
            m.expect(r"Booting /efi.boot.bootaa64\.efi")
            shell = Shell(m, 120)
            self.assertRegex(shell.output("uname -a"), r"^Linux .* 6\.1\.\d.* aarch64")
            m.type("poweroff -f\n")
            m.expect_status(0)

    def test_runs_at_el3_from_secure_flash(self):
        with Machine(SLUICE, *self.options(machine="virt,secure=on")) as m:
            self.prompt(m)
            # Bank 0 is hidden from the device tree, and reads as the program that runs.
            self.assertRegex(self.run_command(m, "flinfo", 120), r"Bank # 1: CFI conformant flash")
            with open(self.image, "rb") as f:
                word = int.from_bytes(f.read(4), "little")
            self.assertIn(f"00000000: {word:08x}", self.run_command(m, "md.l 0 1"))

    def test_boots_the_kernel_of_the_command_line(self):
        try:
            kernel, initrd = debian.installer(BUILD)
        except debian.Missing as e:
            self.skipTest(str(e))
        with Machine(SLUICE, *self.options("-smp", "4", "-kernel", kernel, "-initrd", initrd, "-append",
                                           KERNEL_ARGUMENTS)) as m:
            m.expect(r"loading kernel to address")
            shell = Shell(m, 120)
            shell.output("mount -t proc proc /proc")
            self.assertEqual(shell.output("grep -c ^processor /proc/cpuinfo"), "4")
            m.type("poweroff -f\n")
            m.expect_status(0)

    def test_boots_a_kernel_from_a_fat_disk(self):
        disk = self.kernel_disk(lambda path, kernel, initrd: grub.make_fat(path, {"linux": kernel, "initrd.gz": initrd}))
        with Machine(SLUICE, *self.options("-drive", f"file={disk},readonly=on")) as m:
            self.prompt(m)
            self.run_command(m, "virtio scan")
            self.assertIn("bytes read", self.run_command(m, "fatload virtio 0 $kernel_addr_r linux", 120))
            self.assertIn("bytes read", self.run_command(m, "fatload virtio 0 $ramdisk_addr_r initrd.gz", 120))
            self.run_command(m, f"setenv bootargs {KERNEL_ARGUMENTS}")
            m.type("booti $kernel_addr_r $ramdisk_addr_r:$filesize $fdtcontroladdr\n")
            m.expect(r"Starting kernel")
            shell = Shell(m, 120)
            self.assertRegex(shell.output("uname -a"), r"^Linux .* 6\.1\.\d.* aarch64")
            m.type("poweroff -f\n")
            m.expect_status(0)


if __name__ == "__main__":
    SLUICE, BUILD = os.path.abspath(sys.argv.pop(1)), os.path.abspath(sys.argv.pop(1))
    unittest.main()
