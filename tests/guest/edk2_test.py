#!/usr/bin/env python3
"""Debian's UEFI firmware (EDK2) for the `virt` board, from flash: its shell, variables that stay, GRUB, and kernels.

  edk2_test.py SLUICE BUILD
SLUICE_LONG=1 adds more machines.
"""
import hashlib
import itertools
import os
import pathlib
import re
import shutil
import signal
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import debian  # noqa: E402
import grub  # noqa: E402
import packages  # noqa: E402
from machine import LONG, Machine, Shell  # noqa: E402

SLUICE, BUILD = None, None
KERNEL_ARGUMENTS = "console=ttyAMA0 rdinit=/bin/sh"
VARIABLE = "SluiceTest -guid 12345678-1234-1234-1234-123456789abc"
PROBLEMS = "dmesg | grep -E 'WARNING|BUG:|Oops|rcu.*stall|Call trace|Internal error|ACPI.*Error|ACPI BIOS'"


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)


class Edk2(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            cls.code, cls.variables = (packages.file(BUILD, "qemu-efi-aarch64", f"usr/share/AAVMF/AAVMF_{name}.fd")
                                       for name in ("CODE", "VARS"))
            cls.kernel, cls.initrd = debian.installer(BUILD)
        except (packages.Missing, debian.Missing) as e:
            raise unittest.SkipTest(str(e))
        cls.folder = tempfile.TemporaryDirectory()
        cls.disk = None

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def fresh_variables(self, name):
        shutil.copy(self.variables, self.path(name))
        return self.path(name)

    def options(self, variables, *more, machine="virt", cpu="cortex-a57", pes=1):
        return ("-M", machine, "-cpu", cpu, "-smp", str(pes), "-m", "1G", "-nographic",
                "-drive", f"if=pflash,format=raw,readonly=on,file={self.code}",
                "-drive", f"if=pflash,format=raw,file={variables}", *more)

    def shell(self, m):
        m.expect(r"UEFI Interactive Shell")
        m.expect(r"in \d seconds to skip")
        m.type("\x1b")
        m.expect(r"Shell> ")

    def run_command(self, m, text):
        start = m.at
        m.type(text + "\r")
        m.expect(r"\n(\x1b\[[0-9;]*[A-Za-z])*Shell> ")
        return plain(m.seen[start:m.at])

    def has_variable(self, m):
        return "CD AB 34 12" in self.run_command(m, f"setvar {VARIABLE}")

    def test_variables_are_kept_over_a_reset_a_restart_and_a_kill(self):
        variables = self.fresh_variables("vars.fd")
        with Machine(SLUICE, *self.options(variables)) as m:
            self.shell(m)
            self.assertFalse(self.has_variable(m))
            self.run_command(m, f"setvar {VARIABLE} -nv -bs -rt =0x1234abcd")
            self.assertTrue(self.has_variable(m))
            m.process.send_signal(signal.SIGKILL)
            m.process.wait()
        self.assertTrue(os.path.exists(variables + ".journal"))
        with Machine(SLUICE, *self.options(variables)) as m:
            self.shell(m)
            self.assertTrue(self.has_variable(m))
            m.type("reset\r")
            self.shell(m)
            self.assertTrue(self.has_variable(m))
            m.type("reset -s\r")
            m.expect_status(0)
        self.assertFalse(os.path.exists(variables + ".journal"))
        with Machine(SLUICE, *self.options(variables)) as m:
            self.shell(m)
            self.assertTrue(self.has_variable(m))

    def test_read_only_variables_do_not_stop_it(self):
        drives = ("-drive", f"if=pflash,format=raw,file={self.code},readonly=on",
                  "-drive", f"if=pflash,format=raw,file={self.variables},readonly=on")
        with Machine(SLUICE, "-M", "virt", "-m", "1G", "-nographic", *drives, "-d", "guest_errors") as m:
            m.expect(r"virt\.flash1: block \d+ is write protected")

    def boot(self, *more, check=None, seconds=120, release=r"6\.1\.\d", **machine):
        variables = self.fresh_variables("boot.fd")
        with Machine(SLUICE, *self.options(variables, "-no-reboot", *more, **machine)) as m:
            shell = Shell(m, seconds)
            self.assertRegex(shell.output("uname -a"), rf"^Linux .* {release}.* aarch64")
            shell.output("mount -t proc proc /proc; mount -t sysfs sys /sys")
            self.assertEqual(int(shell.output("grep -c ^processor /proc/cpuinfo")), machine.get("pes", 1))
            self.assertEqual(shell.run(PROBLEMS), (1, ""))
            self.assertIn("EFI v2", shell.output("dmesg | grep efi:"))
            if check:
                check(shell)
            m.type("poweroff -f\n")
            m.expect_status(0)

    def boot_from_fw_cfg(self, *more, append="", **machine):
        self.boot("-kernel", self.kernel, "-initrd", self.initrd, "-append", f"{KERNEL_ARGUMENTS} {append}", *more,
                  **machine)

    def has_device_tree(self, shell):
        self.assertEqual(shell.output("tr -d '\\0' </proc/device-tree/compatible"), "linux,dummy-virt")

    def test_boots_a_kernel_from_fw_cfg_with_a_device_tree(self):
        self.boot_from_fw_cfg(check=self.has_device_tree, machine="virt,gic-version=3,acpi=off", cpu="max", pes=2)

    def has_acpi(self, shell):
        shell.output("test -f /sys/firmware/acpi/tables/IORT")

    def check_acpi(self, shell, tables):
        self.assertEqual(set(shell.output("ls -1 /sys/firmware/acpi/tables | grep -v -e dynamic -e data").split()),
                         {"APIC", "DBG2", "DSDT", "FACP", "GTDT", "MCFG", "PPTT", "SPCR"} | tables)
        self.assertEqual(shell.output("cat /sys/class/dmi/id/sys_vendor /sys/class/dmi/id/product_name").split(),
                         ["Sluice", "virt"])
        # The console is the one that SPCR names: it answers. What else the namespace names has drivers.
        interrupts = shell.output("cat /proc/interrupts")
        self.assertRegex(interrupts, r"33 +Level +uart-pl011")
        self.assertRegex(interrupts, r"23 +Level +arm-pmu")
        shell.output("grep -q '^4 ' /proc/sys/kernel/printk || dmesg -n 4")
        m = shell.machine
        m.type("\x01c")
        m.expect(r"\(sluice\) ")
        m.type("system_powerdown\n\x01c")
        self.assertEqual(shell.run("for i in 1 2 3 4 5 6 7 8 9; do grep ACPI:Event /proc/interrupts | "
                                   "grep -qE '[1-9][0-9]* .*ARMH0061' && break; sleep 1; done; [ $i != 9 ]")[0], 0)

    def test_boots_with_acpi_on_four_pes(self):
        def check(shell):
            self.check_acpi(shell, set())
            self.assertIn("GICv2m", shell.output("dmesg | grep GICv2m"))

        self.boot_from_fw_cfg(append="acpi=force", check=check, pes=4)

    def test_boots_with_acpi_and_a_disk_behind_the_smmu(self):
        try:
            _, initrd = debian.make_initrd(BUILD, self.path("modules.gz"))
        except debian.Missing as e:
            self.skipTest(str(e))
        data = os.urandom(1 << 20)
        disk = self.path("data.img")
        pathlib.Path(disk).write_bytes(data)

        def check(shell):
            self.check_acpi(shell, {"IORT"})
            shell.output("mount -t devtmpfs dev /dev; sh /sluice/load")
            self.assertRegex(shell.output("dmesg"), r"virtio-pci 0000:00:01.0: Adding to iommu group 0")
            self.assertIn(hashlib.sha256(data).hexdigest(), shell.output("sha256sum /dev/vda"))
            self.assertRegex(shell.output("cat /proc/interrupts"), r"ITS-MSI +\d+ +Edge +virtio0-req")

        self.boot("-kernel", self.kernel, "-initrd", initrd, "-append", f"{KERNEL_ARGUMENTS} acpi=force",
                  "-drive", f"if=none,id=d,readonly=on,file={disk}",
                  "-device", "virtio-blk-pci,drive=d,iommu_platform=on",
                  machine="virt,gic-version=3,iommu=smmuv3", cpu="max", pes=2, check=check)

    def test_debian_13_finds_the_virtio_iommu_by_viot(self):
        try:
            kernel, initrd = debian.debian13(BUILD, self.path("trixie.gz"))
        except debian.Missing as e:
            self.skipTest(str(e))
        disk = self.path("data13.img")
        data = os.urandom(1 << 20)
        pathlib.Path(disk).write_bytes(data)

        def check(shell):
            shell.output("test -f /sys/firmware/acpi/tables/VIOT; mount -t devtmpfs dev /dev; sh /sluice/load")
            self.assertIn("Adding to iommu group", shell.output("dmesg | grep 'virtio-pci 0000:00:02.0'"))
            self.assertEqual(shell.output("cat /sys/kernel/iommu_groups/*/type"), "DMA")
            self.assertIn(hashlib.sha256(data).hexdigest(), shell.output("sha256sum /dev/vda"))

        self.boot("-kernel", kernel, "-initrd", initrd, "-append", f"{KERNEL_ARGUMENTS} acpi=force",
                  "-drive", f"if=none,id=d,readonly=on,file={disk}",
                  "-device", "virtio-blk-pci,drive=d,iommu_platform=on",
                  machine="virt,gic-version=3,iommu=virtio", cpu="max", pes=2, check=check, release=r"6\.12")

    def grub_disk(self):
        if not self.disk:
            try:
                type(self).disk = grub.make_disk(BUILD, self.path("grub.img"), self.kernel, self.initrd, KERNEL_ARGUMENTS)
            except packages.Missing as e:
                self.skipTest(str(e))
        return self.disk

    def pci_disk(self, platform="off"):
        return ("-drive", f"if=none,id=d,readonly=on,file={self.grub_disk()}",
                "-device", f"virtio-blk-pci,drive=d,iommu_platform={platform}")

    def test_boots_grub_from_a_disk_behind_the_smmu(self):
        self.boot(*self.pci_disk("on"), machine="virt,gic-version=3,iommu=smmuv3", check=self.has_acpi)

    @unittest.skipUnless(LONG, "only in ./check --long")
    def test_boots_grub_on_every_machine(self):
        disks = self.pci_disk("on"), ("-drive", f"readonly=on,file={self.grub_disk()}")
        machines = itertools.product((2, 3), ("none", "smmuv3", "virtio"), ("on", "off"))
        for n, (gic, iommu, acpi) in enumerate(machines):
            disk = disks[(n + n // 2) % 2]  # both with each value of every option
            with self.subTest(gic=gic, iommu=iommu, acpi=acpi, disk=disk):
                self.boot(*disk, machine=f"virt,acpi={acpi},gic-version={gic},iommu={iommu}", cpu="max", pes=4)


if __name__ == "__main__":
    SLUICE, BUILD = os.path.abspath(sys.argv.pop(1)), os.path.abspath(sys.argv.pop(1))
    unittest.main()
