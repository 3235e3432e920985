#!/usr/bin/env python3
"""The bare-metal guests of images/: the demo, the self-test of the PEs, firmware with two worlds,
firmware and an MPC, semihosting.

  images_test.py SLUICE BUILD
SLUICE_LONG=1 runs every combination of model, GIC, number of PEs and accelerator.
"""
import itertools
import os
import pathlib
import re
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from machine import LONG, Machine  # noqa: E402

SLUICE, BUILD = None, None
MODELS = ("cortex-a53", "cortex-a57", "cortex-a72", "cortex-a76", "max")
ALL = [*itertools.product(("jit", "interp"), (2, 3), (1, 2, 3, 8), MODELS)]
QUICK = [("jit", 2, 1, "cortex-a57"), ("jit", 3, 4, "max"), ("interp", 3, 2, "cortex-a76"), ("interp", 2, 4, "max")]


def image(name):
    path = pathlib.Path(BUILD, "images", name + ".elf")
    if not path.exists():
        raise unittest.SkipTest(f"{path} is not built: no AArch64 compiler")
    return str(path)


def board(accelerator, gic, pes, model):
    return ("-M", f"virt,gic-version={gic}", "-accel", accelerator, "-smp", str(pes), "-cpu", model, "-nographic")


class Images(unittest.TestCase):
    def each(self, cases, run):
        for case in cases:
            with self.subTest(accel=case[0], gic=case[1], pes=case[2], cpu=case[3]):
                run(case)

    def demo(self, case):
        with Machine(SLUICE, *board(*case), "-kernel", image("demo")) as m:
            m.expect_status(0, 60)
            self.assertIn(f"{case[2]} PE", m.seen)
            self.assertIn(f"GICv{case[1]}", m.seen)
            self.assertIn("All is well", m.seen)
            self.assertEqual(len(re.findall(r"^  ok  ", m.seen, re.M)), 5)
            self.assertLessEqual(m.seen.count("\n"), 40)

    def test_demo_shows_five_good_scenes_and_powers_off(self):
        self.each(ALL if LONG else QUICK, self.demo)

    def gates_demo(self, case):
        machine = f"virt,secure=on,mpc=on,iommu=smmuv3,gic-version={case[1]}"
        with Machine(SLUICE, *board(*case), "-M", machine, "-device", "edu", "-semihosting", "-kernel",
                     image("demo")) as m:
            m.expect_status(0, 60)
            self.assertIn("All is well", m.seen)
            self.assertEqual(len(re.findall(r"^  ok  ", m.seen, re.M)), 8)
            self.assertRegex(m.seen, r"reads after that: 0\b")
            self.assertRegex(m.seen, r"MPC block .* 1 +64\r?\n")
            self.assertRegex(m.seen, r"CMD_TLBI_NH_VA .* 1 +1\r?\n")

    def test_demo_shows_gates_that_are_closed_under_running_masters(self):
        cases = itertools.product(("jit", "interp"), (2, 3), (2, 4), MODELS) if LONG else \
            [("jit", 2, 4, "max"), ("jit", 3, 2, "cortex-a57"), ("interp", 3, 4, "max")]
        self.each(cases, self.gates_demo)

    def test_demo_shows_that_precise_entries_stay_until_they_are_invalidated(self):
        with Machine(SLUICE, *board("jit", 3, 2, "max"), "-kernel", image("demo")) as m:
            m.expect_status(0, 60)
            self.assertIn("stale until invalidated, never after", m.seen)
            self.assertIn("entry kept", m.seen)

    def test_demo_runs_deterministically_under_icount(self):
        runs = []
        for _ in range(2):
            with Machine(SLUICE, *board("jit", 3, 4, "max"), "-icount", "shift=3", "-kernel", image("demo")) as m:
                m.expect_status(0, 120)
                self.assertIn("All is well", m.seen)
                runs.append(m.seen)
        self.assertEqual(*runs)

    def self_test(self, case):
        with Machine(SLUICE, *board(*case), "-semihosting", "-kernel", image("smp_test")) as m:
            m.expect_status(0, 120)
            self.assertRegex(m.seen, r"smp_test: \d+ checks, 0 failures")

    def test_self_test_of_the_pes(self):
        self.each(ALL if LONG else QUICK, self.self_test)

    def test_self_test_with_a_bounded_tlb(self):
        with Machine(SLUICE, *board("jit", 3, 4, "max"), "--tlb=direct", "-semihosting", "-kernel",
                     image("smp_test")) as m:
            m.expect_status(0, 120)

    def secure_test(self, accelerator, gic, *more):
        with Machine(SLUICE, "-M", f"virt,secure=on,gic-version={gic}", "-accel", accelerator, "-smp", "2", "-nographic",
                     "-semihosting", *more, "-kernel", image("secure_test")) as m:
            m.expect_status(0, 60)
            self.assertRegex(m.seen, rf"secure_test: GICv{gic}, 2002 world switches, \d+ checks, 0 failures")

    def test_a_monitor_at_el3_with_a_program_in_either_world(self):
        for accelerator, gic in itertools.product(("jit", "interp"), (2, 3)):
            with self.subTest(accel=accelerator, gic=gic):
                self.secure_test(accelerator, gic)
        self.secure_test("jit", 3, "--tlb=direct")
        with tempfile.NamedTemporaryFile() as file:
            self.secure_test("jit", 2, "-serial", "stdio", "-serial", f"file:{file.name}")
            self.assertEqual(file.read(), b"Secure EL1 is here\n")
        self.secure_test("jit", 3, "-icount", "shift=3")

    def test_firmware_in_secure_ram_flips_blocks_of_an_mpc_under_a_running_pe(self):
        for accelerator, block in itertools.product(("jit", "interp"), (32, 4096, 1 << 20)):
            with self.subTest(accel=accelerator, block=block):
                machine = f"virt,secure=on,mpc=on,mpc-block={block}"
                with Machine(SLUICE, "-M", machine, "-accel", accelerator, "-smp", "2", "-nographic", "-semihosting",
                             "-kernel", image("mpc_test")) as m:
                    m.expect_status(0, 60)
                    self.assertIn("mpc_test: 8 checks, 0 failures", m.seen)

    def test_semihosting(self):
        for accelerator in ("jit", "interp"):
            with tempfile.TemporaryDirectory() as folder, self.subTest(accel=accelerator):
                name = os.path.join(folder, "file")
                with Machine(SLUICE, *board(accelerator, 3, 1, "max"), "-semihosting-config",
                             f"enable=on,target=native,arg=self,arg={name}", "-kernel", image("semihosting_test")) as m:
                    m.expect("line: self " + re.escape(name))
                    m.expect("type:")
                    m.type("key")
                    m.expect_status(42)
                    self.assertIn("0 failures", m.seen)
                self.assertEqual(os.listdir(folder), [])

    def test_truncated_images_are_refused(self):
        whole = pathlib.Path(image("demo")).read_bytes()
        for size in (0, 3, 60, 100, len(whole) // 2):
            with tempfile.NamedTemporaryFile(suffix=".elf") as file, self.subTest(size=size):
                file.write(whole[:size])
                file.flush()
                with Machine(SLUICE, "-M", "virt", "-nographic", "--timeout", "2s", "-kernel", file.name) as m:
                    code = m.status()
                # Three bytes are a raw image: a guest that faults for ever, and runs into the limit.
                self.assertIn(code, (65, 124) if size < 4 else (65,), m.seen)


if __name__ == "__main__":
    SLUICE, BUILD = os.path.abspath(sys.argv.pop(1)), sys.argv.pop(1)
    unittest.main()
