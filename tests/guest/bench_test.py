#!/usr/bin/env python3
"""The kernels of tests/bench as tests of correctness: in short rounds, each computes what the same source computes on the
host, and no single operation goes wrong. Nothing is said about time.

  bench_test.py SLUICE BUILD
"""
import importlib.machinery
import importlib.util
import os
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import debian  # noqa: E402
from machine import Machine  # noqa: E402

SLUICE, BUILD = None, None
SCALE = 4  # percent of the rounds that tests/bench/compare does
BOARDS = (("cortex-a57", "2"), ("max", "3"))


def load_compare():
    loader = importlib.machinery.SourceFileLoader("compare", str(HERE.parent / "bench" / "compare"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("compare", loader))
    loader.exec_module(module)
    return module


sys.dont_write_bytecode = True
compare = load_compare()


class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("aarch64-linux-gnu-gcc"):
            raise unittest.SkipTest("no AArch64 compiler")
        cls.folder = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def checksums(self, board, *options):
        """{kernel: checksum} of what a guest runs until BENCH done."""
        cpu, gic = board
        with Machine(SLUICE, "-M", f"virt,gic-version={gic}", "-cpu", cpu, "-m", "1G", "-nographic", "-no-reboot",
                     *options) as m:
            m.expect("BENCH done", 120)
            m.expect_status(0)
            return dict(re.findall(r"BENCH end ([^|\n]+)\|([0-9a-f]{16})\|", m.seen))

    def test_programs_compute_what_they_compute_on_the_host(self):
        try:
            kernel, _ = debian.installer(BUILD)
        except debian.Missing as e:
            raise unittest.SkipTest(str(e))
        guest, native = compare.build_kernels(self.folder.name)
        wanted = compare.wish(SCALE, [])
        expected = {name: checksum for name, (checksum, *_) in compare.run_native(native, wanted).items()}
        self.assertGreater(len(expected), 60)
        initrd = compare.make_initrd(self.folder.name, guest)
        for board in BOARDS:
            with self.subTest(cpu=board[0]):
                self.assertEqual(self.checksums(board, *compare.linux_guest(kernel, initrd, wanted)), expected)

    def test_single_operations_are_right(self):
        program = compare.build_operations(self.folder.name, SCALE)
        expected = {name: compare.NONE_WRONG for name, kind in compare.known_kernels().items()
                    if kind == compare.OPERATIONS}
        for board, accelerator in ((BOARDS[0], "jit"), (BOARDS[1], "jit"), (BOARDS[1], "interp")):
            with self.subTest(cpu=board[0], accel=accelerator):
                self.assertEqual(self.checksums(board, "-accel", accelerator, "-kernel", program), expected)


if __name__ == "__main__":
    SLUICE, BUILD = os.path.abspath(sys.argv.pop(1)), os.path.abspath(sys.argv.pop(1))
    unittest.main()
