#!/usr/bin/env python3
"""Linux behind gates: its own IOMMU drivers in front of disks, PEs behind IOMMUs, chains.

  iommu_test.py SLUICE BUILD
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
DISK_BYTES = (256 if LONG else 32) << 20
PROBLEMS = "dmesg | grep -E 'WARNING|BUG:|Oops|Call trace|nobody cared|arm-smmu.*event|virtio_iommu.*fault'"
UNBIND = "echo 0000:00:03.0 > /sys/bus/pci/drivers/virtio-pci/unbind"


class Gates(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        seed = random.SystemRandom().randrange(1 << 32)
        print(f"disk contents: seed {seed}", flush=True)
        generator, digest = random.Random(seed), hashlib.sha256()
        cls.disk = os.path.join(cls.folder.name, "disk.img")
        with open(cls.disk, "wb") as f:
            for _ in range(DISK_BYTES >> 20):
                piece = generator.randbytes(1 << 20)
                f.write(piece)
                digest.update(piece)
        cls.sha256 = digest.hexdigest()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def guest(self, fetch, machine, append="", terminal=False, options=(), data=""):
        try:
            kernel, initrd = fetch(BUILD, os.path.join(self.folder.name, fetch.__name__))
        except debian.Missing as e:
            raise unittest.SkipTest(str(e))
        return Machine(SLUICE, "-M", machine, "-cpu", "max", "-smp", "2", "-m", "1G", "-kernel", kernel,
                       "-initrd", initrd, "-append", f"{COMMAND_LINE} {append}", "-nographic", "-no-reboot",
                       "-drive", f"file={self.disk},format=raw,if=none,id=d,readonly=on",
                       "-device", "virtio-blk-pci,drive=d,addr=3,iommu_platform=on" + data, *options,
                       terminal=terminal)

    def start(self, m):
        shell = Shell(m, 120)
        shell.output("mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; sh /sluice/load")
        return shell

    def read_disk(self, shell):
        found = re.search(r"\b[0-9a-f]{64}\b", shell.output("sha256sum /dev/vda", 300))
        self.assertEqual(found and found.group(0), self.sha256)

    def finish(self, m, shell):
        self.assertEqual(shell.run(PROBLEMS), (1, ""))
        m.type("poweroff -f\n")
        m.expect_status(0)

    def monitor(self, m, command):
        """What the monitor says; the console is back afterwards."""
        m.type("\x01c")
        m.expect(r"\(sluice\) ", 20)
        start = m.at
        m.type(command + "\r")
        m.expect(re.escape(command) + r"[\s\S]*?\(sluice\) ", 20)
        answer = m.seen[start:m.at]
        m.type("\x01c")
        return answer

    def test_disk_behind_an_smmu(self):
        for gic, append in ((2, ""), (3, ""), (3, "iommu.strict=0")):
            with self.subTest(gic=gic, append=append):
                with self.guest(debian.make_initrd, f"virt,gic-version={gic},iommu=smmuv3", append) as m:
                    shell = self.start(m)
                    self.assertEqual(shell.output("cat /sys/kernel/iommu_groups/*/type"),
                                     "DMA-FQ" if "strict" in append else "DMA")
                    self.read_disk(shell)
                    self.finish(m, shell)

    def test_smmu_driver_has_nothing_to_complain_about(self):
        with self.guest(debian.make_initrd, "virt,iommu=smmuv3") as m:
            shell = self.start(m)
            self.assertEqual(shell.output("dmesg -r | grep arm-smmu-v3 | grep -vc '^<6>' || true"), "0")
            self.assertGreaterEqual(int(shell.output("dmesg | grep -c arm-smmu-v3")), 3)
            self.finish(m, shell)

    def test_smmu_with_other_properties(self):
        for properties in ("stage=1", "stage=2", "msi=on", "ssidsize=16", "oas=36"):
            with self.subTest(properties=properties):
                with self.guest(debian.make_initrd, "virt,iommu=smmuv3",
                                options=("-global", "arm-smmuv3." + properties)) as m:
                    shell = self.start(m)
                    self.read_disk(shell)
                    self.finish(m, shell)

    def test_unbinding_the_driver_leaves_no_mapping(self):
        for append in ("", "iommu.strict=0"):
            with self.subTest(append=append):
                with self.guest(debian.make_initrd, "virt,iommu=smmuv3", append, terminal=True) as m:
                    shell = self.start(m)
                    self.read_disk(shell)
                    if not append:  # a deferred invalidation takes everything with it
                        self.assertNotIn(" 0 entries", self.monitor(m, "info iotlb"))
                    shell.output(UNBIND)
                    # Deferred invalidations come within 10 ms. Only the interrupt controller's page may stay: it
                    # belongs to the group's domain.
                    shell.output("sleep 1")
                    after = self.monitor(m, "info iotlb")
                    left = re.findall(r"-> ([0-9a-f]{12})", after)
                    self.assertTrue(all(int(output, 16) < 0x40000000 for output in left), after)

    def test_disk_behind_a_virtio_iommu(self):
        for gic in (2, 3):
            with self.subTest(gic=gic):
                with self.guest(debian.debian13, f"virt,gic-version={gic},iommu=virtio") as m:
                    shell = self.start(m)
                    self.assertIn("DMA", shell.output("cat /sys/kernel/iommu_groups/*/type"))
                    self.assertIn("msi", shell.output("cat /sys/kernel/iommu_groups/*/reserved_regions"))
                    self.read_disk(shell)
                    self.finish(m, shell)

    # The disk's data goes through a container that knows only what the virtio-iommu has told it.
    def test_disk_behind_a_container_that_mirrors_a_virtio_iommu(self):
        with self.guest(debian.debian13, "virt,gic-version=3,iommu=virtio", terminal=True, data=",container=h0",
                        options=("-object", "soft-host-iommu,id=h0")) as m:
            shell = self.start(m)
            self.read_disk(shell)
            row = r"h0: container, mirrors virtio-dma for 00:03\.0\s+page sizes 0xfffffffffffff000; (\d+) blocks; " \
                  r"(\d+) maps, 0 refused; (\d+) unmaps; 0 accesses refused"
            found = re.search(row, self.monitor(m, "info iommu"))
            self.assertTrue(found)
            blocks, maps, unmaps = map(int, found.groups())
            self.assertGreater(blocks, 0)
            self.assertGreater(maps, DISK_BYTES >> 20)
            self.assertGreater(unmaps, DISK_BYTES >> 20)
            self.assertIn("1. h0 0x", self.monitor(m, "xlate 00:03.0 0xfffff000 r"))
            self.finish(m, shell)

    def test_debian_13_behind_an_smmu(self):
        with self.guest(debian.debian13, "virt,gic-version=3,iommu=smmuv3") as m:
            shell = self.start(m)
            self.assertIn("DMA", shell.output("cat /sys/kernel/iommu_groups/*/type"))
            self.read_disk(shell)
            self.finish(m, shell)

    def test_linux_runs_behind_gates_of_its_pes(self):
        # Debian 12's kernel has no driver for virtio-iommu, and waits for one.
        for fetch, machine in (
                (debian.make_initrd, "cpu-iommu=smmuv3"), (debian.make_initrd, "cpu-iommu=virtio"),
                (debian.make_initrd, "secure=on,mpc=on"),
                (debian.debian13, "secure=on,chain=pe:smmuv3+mpc,chain=dma:virtio+smmuv3+mpc"),
                (debian.make_initrd, "chain=pe:virtio+smmuv3+smmuv3+virtio,chain=dma:smmuv3+smmuv3")):
            with self.subTest(machine=machine):
                with self.guest(fetch, "virt," + machine) as m:
                    shell = self.start(m)
                    self.read_disk(shell)
                    self.finish(m, shell)


if __name__ == "__main__":
    SLUICE, BUILD = os.path.abspath(sys.argv.pop(1)), os.path.abspath(sys.argv.pop(1))
    unittest.main()
