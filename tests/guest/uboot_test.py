#!/usr/bin/env python3
"""Debian's U-Boot for the `virt` board, from flash: its prompt, its commands, and a kernel that it boots.

  uboot_test.py SLUICE BUILD
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import debian  # noqa: E402
import packages  # noqa: E402
from machine import Machine, Shell  # noqa: E402

SLUICE, BUILD = None, None
FAT_MIB = 128


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

    def test_boots_a_kernel_from_a_fat_disk(self):
        if not shutil.which("mformat"):
            self.skipTest("mtools are not installed")
        try:
            kernel, initrd = debian.installer(BUILD)
        except debian.Missing as e:
            self.skipTest(str(e))
        disk = os.path.join(self.folder.name, "fat.img")
        with open(disk, "wb") as f:
            f.truncate(FAT_MIB << 20)
        subprocess.run(["mformat", "-i", disk, "-F", "::"], check=True)
        subprocess.run(["mcopy", "-i", disk, kernel, "::linux"], check=True)
        subprocess.run(["mcopy", "-i", disk, initrd, "::initrd.gz"], check=True)
        with Machine(SLUICE, *self.options("-drive", f"file={disk},readonly=on")) as m:
            self.prompt(m)
            self.run_command(m, "virtio scan")
            self.assertIn("bytes read", self.run_command(m, "fatload virtio 0 $kernel_addr_r linux", 120))
            self.assertIn("bytes read", self.run_command(m, "fatload virtio 0 $ramdisk_addr_r initrd.gz", 120))
            self.run_command(m, "setenv bootargs console=ttyAMA0 rdinit=/bin/sh")
            m.type("booti $kernel_addr_r $ramdisk_addr_r:$filesize $fdtcontroladdr\n")
            m.expect(r"Starting kernel")
            shell = Shell(m, 120)
            self.assertRegex(shell.output("uname -a"), r"^Linux .* 6\.1\.\d.* aarch64")
            m.type("poweroff -f\n")
            m.expect_status(0)


if __name__ == "__main__":
    SLUICE, BUILD = os.path.abspath(sys.argv.pop(1)), os.path.abspath(sys.argv.pop(1))
    unittest.main()
