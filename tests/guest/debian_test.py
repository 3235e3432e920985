#!/usr/bin/env python3
"""Debian's arm64 kernel and installer RAM disk: to a shell, and what a user does there.

  debian_test.py SLUICE BUILD
SLUICE_LONG=1 adds more machines and the interpreter.
"""
import hashlib
import os
import random
import re
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import debian  # noqa: E402
from machine import LONG, Machine, Shell  # noqa: E402

SLUICE, BUILD = None, None
COMMAND_LINE = "console=ttyAMA0 rdinit=/bin/sh"
DISK_BYTES = 8 << 20


def options(cpu="cortex-a57", pes=1, gic=2, accelerator="jit", append=COMMAND_LINE, initrd=None, machine=""):
    kernel, plain = debian.installer(BUILD)
    return ("-M", f"virt,gic-version={gic}{machine}", "-cpu", cpu, "-smp", str(pes), "-m", "1G", "-accel", accelerator,
            "-kernel", kernel, "-initrd", initrd or plain, "-append", append, "-nographic", "-no-reboot")


class Debian(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            debian.installer(BUILD)
        except debian.Missing as e:
            raise unittest.SkipTest(str(e))
        cls.folder = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def boot(self, seconds=120, **settings):
        with Machine(SLUICE, *options(**settings)) as m:
            shell = Shell(m, seconds)
            uname = shell.output("uname -a", seconds)
            self.assertRegex(uname, r"^Linux .* 6\.1\.\d.* aarch64")
            shell.output("mount -t proc proc /proc; mount -t sysfs sys /sys", seconds)
            pes = shell.output("grep -c ^processor /proc/cpuinfo", seconds)
            self.assertEqual(int(pes), settings.get("pes", 1))
            problems = shell.run("dmesg | grep -E 'WARNING|BUG:|Oops|rcu.*stall|Call trace|Internal error'", seconds)
            self.assertEqual(problems, (1, ""))
            gic = shell.output("grep -c GICv3 /proc/interrupts || true", seconds)
            self.assertEqual(int(gic) > 0, settings.get("gic", 2) == 3)
            m.type("poweroff -f\n")
            m.expect_status(0, seconds)

    def test_boots_on_one_pe(self):
        self.boot(cpu="cortex-a57", pes=1, gic=2)

    def test_boots_on_four_pes_with_everything(self):
        self.boot(cpu="max", pes=4, gic=3)

    def test_boots_in_the_non_secure_state(self):
        for gic in (2, 3):
            with self.subTest(gic=gic):
                self.boot(cpu="max", pes=2, gic=gic, machine=",secure=on")

    @unittest.skipUnless(LONG, "only in ./check --long")
    def test_boots_on_every_machine(self):
        for cpu in ("cortex-a53", "cortex-a57", "cortex-a72", "cortex-a76", "max"):
            for gic in (2, 3):
                with self.subTest(cpu=cpu, gic=gic):
                    self.boot(cpu=cpu, gic=gic, pes=4)

    @unittest.skipUnless(LONG, "only in ./check --long")
    def test_boots_with_the_interpreter(self):
        for cpu, gic in (("cortex-a57", 2), ("max", 3)):
            with self.subTest(cpu=cpu, gic=gic):
                self.boot(cpu=cpu, gic=gic, pes=4, accelerator="interp", seconds=600)

    def test_shell_in_virtual_time(self):
        with Machine(SLUICE, *options(pes=2), "-icount", "shift=3") as m:
            shell = Shell(m, 120)
            self.assertEqual(shell.output("sleep 5; echo typed"), "typed")
            m.type("poweroff -f\n")
            m.expect_status(0)

    def test_ctrl_a_keys_on_a_terminal(self):
        with Machine(SLUICE, *options(pes=2), terminal=True) as m:
            Shell(m, 120)
            m.type("\x01c")
            m.expect(r"\(sluice\) ", 20)
            m.type("info registers\r")
            m.expect(r"PC=[0-9a-f]{16}", 20)
            m.type("info mtree -f\r")
            m.expect(r"pl011", 20)
            m.type("\x01c")
            m.type("\r")
            m.expect(r"~ # ", 20)
            m.type("\x01x")
            m.expect_status(0)


class Devices(unittest.TestCase):
    """virtio devices under Linux' own drivers, which are modules of the arm64 kernel package."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        try:
            _, cls.initrd = debian.make_initrd(BUILD, os.path.join(cls.folder.name, "initrd"))
        except debian.Missing as e:
            cls.folder.cleanup()
            raise unittest.SkipTest(str(e))
        seed = random.SystemRandom().randrange(1 << 32)
        print(f"disk contents: seed {seed}", flush=True)
        cls.contents = random.Random(seed).randbytes(DISK_BYTES)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def disk(self, name):
        path = os.path.join(self.folder.name, name)
        with open(path, "wb") as f:
            f.write(self.contents)
        return path

    def start(self, m):
        shell = Shell(m, 120)
        shell.output("mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; sh /sluice/load")
        return shell

    def power_off(self, m):
        m.type("poweroff -f\n")
        m.expect_status(0)

    def sha256(self, path):
        with open(path, "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()

    def guest_sha256(self, shell):
        # The kernel may put a line of its own on the console.
        found = re.search(r"\b[0-9a-f]{64}\b", shell.output("sha256sum /dev/vda"))
        self.assertTrue(found)
        return found.group(0)

    def disk_case(self, drive, extra=(), writable=True, legacy=False):
        path = self.disk("disk.img")
        before = self.sha256(path)
        legacy_option = ("-global", f"virtio-mmio.force-legacy={'true' if legacy else 'false'}")
        with Machine(SLUICE, *options(pes=2, initrd=self.initrd), *legacy_option, *extra, "-drive",
                     f"file={path},format=raw,if=none,id=d{drive}", "-device", "virtio-blk-device,drive=d") as m:
            shell = self.start(m)
            self.assertEqual(before, self.guest_sha256(shell))
            code, _ = shell.run("dd if=/dev/urandom of=/dev/vda bs=64k count=2 seek=3 conv=fsync 2>/dev/null")
            self.assertEqual(code == 0, writable)
            shell.output("echo 3 > /proc/sys/vm/drop_caches")
            changed = self.guest_sha256(shell)
            self.assertEqual(changed != before, writable)
            self.power_off(m)
        return before, changed, self.sha256(path)

    def test_disk_is_read_and_written(self):
        for legacy in (False, True):
            with self.subTest(legacy=legacy):
                _, changed, after = self.disk_case("", legacy=legacy)
                self.assertEqual(after, changed)

    def test_disk_that_is_read_only_stays_as_it_is(self):
        before, _, after = self.disk_case(",readonly=on", writable=False)
        self.assertEqual(before, after)

    def test_snapshot_keeps_writes_to_itself(self):
        for drive, extra in ((",snapshot=on", ()), ("", ("-snapshot",))):
            with self.subTest(drive=drive):
                before, changed, after = self.disk_case(drive, extra)
                self.assertEqual(before, after)
                self.assertNotEqual(changed, after)

    def pci_functions(self, shell):
        """{address: (vendor:device, class, [start of each resource in use])} of /sys/bus/pci/devices."""
        functions = {}
        for line in shell.output("for f in /sys/bus/pci/devices/*; do echo F ${f##*/} $(cat $f/vendor $f/device "
                                 "$f/class) $(cut -d' ' -f1 $f/resource); done").splitlines():
            if line.startswith("F "):
                _, address, vendor, device, kind, *resources = line.split()
                starts = [int(r, 16) for r in resources if int(r, 16)]
                functions[address] = (f"{vendor[2:]}:{device[2:]}", int(kind, 16), starts)
        return functions

    def pci_case(self, gic, interrupts, machine="", append="", iommu_groups=0):
        path = self.disk("pci.img")
        command_line = f"{COMMAND_LINE} {append}"
        with Machine(SLUICE, *options(pes=2, gic=gic, initrd=self.initrd, append=command_line),
                     "-M", f"virt,gic-version={gic}{machine}",
                     "-drive", f"file={path},format=raw,if=none,id=d", "-netdev", "null,id=n",
                     "-device", "virtio-net-pci,netdev=n,mac=52:54:00:aa:bb:cc",
                     "-device", "virtio-blk-pci,drive=d,addr=5.0,iommu_platform=on",
                     "-device", "virtio-rng-pci,addr=5.1", "-device", "edu,addr=1f",
                     "-device", "iommu-testdev") as m:
            shell = self.start(m)
            functions = self.pci_functions(shell)
            identities = {address: function[0] for address, function in functions.items()}
            self.assertEqual(identities, {
                "0000:00:00.0": "1b36:0008", "0000:00:01.0": "1af4:1041", "0000:00:02.0": "1b36:0005",
                "0000:00:05.0": "1af4:1042", "0000:00:05.1": "1af4:1044", "0000:00:1f.0": "1234:11e8"})
            starts = [start for function in functions.values() for start in function[2]]
            self.assertEqual(len(starts), len(set(starts)))
            self.assertEqual(len(starts), 3 * 2 + 2)
            self.assertIn("52:54:00:aa:bb:cc", shell.output("cat /sys/class/net/*/address"))
            self.assertEqual(self.sha256(path), self.guest_sha256(shell))
            shell.output("dd if=/dev/urandom of=/dev/vda bs=64k count=2 seek=3 conv=fsync 2>/dev/null")
            shell.output("echo 3 > /proc/sys/vm/drop_caches")
            changed = self.guest_sha256(shell)
            shell.output("dd if=/dev/hwrng of=/dev/null bs=32 count=1 2>/dev/null")
            self.assertRegex(shell.output("grep virtio /proc/interrupts"), interrupts)
            groups = shell.output("ls /sys/kernel/iommu_groups | wc -l")
            self.assertGreaterEqual(int(groups), iommu_groups)
            self.assertEqual(iommu_groups == 0, int(groups) == 0)
            problems = "dmesg | grep -E 'WARNING|BUG:|Oops|Call trace|nobody cared|arm-smmu.*event'"
            self.assertEqual(shell.run(problems), (1, ""))
            self.power_off(m)
        self.assertEqual(self.sha256(path), changed)

    def test_pci_with_messages(self):
        self.pci_case(2, r"\bMSI.*virtio")
        self.pci_case(3, r"ITS-MSI.*virtio")

    def test_pci_behind_an_smmu(self):
        # One function there has iommu_platform=on and the others do not; all messages are translated.
        # The functions of device 5 share a group, as they have no access control services.
        self.pci_case(2, r"\bMSI.*virtio", machine=",iommu=smmuv3", iommu_groups=2)
        self.pci_case(3, r"ITS-MSI.*virtio", machine=",iommu=smmuv3", iommu_groups=2)

    def test_pci_with_wired_interrupts(self):
        self.pci_case(3, r"GICv3 +\d+ Level .*virtio", machine=",its=off")
        self.pci_case(2, r"GIC-0 +\d+ Level .*virtio", append="pci=nomsi", machine=",highmem=off")

    def test_its_interrupt_moves_to_another_pe(self):
        with Machine(SLUICE, *options(pes=2, gic=3, initrd=self.initrd), "-device", "virtio-rng-pci") as m:
            shell = self.start(m)

            def delivered():
                line = re.search(r"(\d+): +(\d+) +(\d+) +ITS-MSI.*virtio\d+-input", shell.output("cat /proc/interrupts"))
                self.assertTrue(line)
                return [int(n) for n in line.groups()]

            for pe in (0, 1, 0, 1):
                irq, *before = delivered()
                shell.output(f"echo {1 << pe} > /proc/irq/{irq}/smp_affinity")
                shell.output("dd if=/dev/hwrng of=/dev/null bs=4096 count=4 2>/dev/null")
                _, *after = delivered()
                self.assertGreater(after[pe], before[pe])
                # One may still have been on its way.
                self.assertLessEqual(after[1 - pe], before[1 - pe] + 1)
            self.power_off(m)

    def test_console_random_numbers_and_network(self):
        log = os.path.join(self.folder.name, "hvc0")
        with Machine(SLUICE, *options(pes=2, initrd=self.initrd, cpu="max", gic=3), "-device", "virtio-serial-device",
                     "-chardev", f"file,id=c,path={log}", "-device", "virtconsole,chardev=c",
                     "-device", "virtio-rng-device", "-netdev", "null,id=n",
                     "-device", "virtio-net-device,netdev=n,mac=52:54:00:aa:bb:cc") as m:
            shell = self.start(m)
            shell.output("echo through the second gate > /dev/hvc0")
            self.assertIn("virtio_rng", shell.output("cat /sys/class/misc/hw_random/rng_current"))
            first, second = (shell.output("dd if=/dev/hwrng bs=32 count=1 2>/dev/null | sha256sum") for _ in "ab")
            self.assertNotEqual(first, second)
            address = shell.output("cat /sys/class/net/*/address")
            self.assertIn("52:54:00:aa:bb:cc", address)
            self.power_off(m)
        with open(log) as f:
            self.assertIn("through the second gate", f.read())


if __name__ == "__main__":
    SLUICE, BUILD = os.path.abspath(sys.argv.pop(1)), os.path.abspath(sys.argv.pop(1))
    unittest.main()
