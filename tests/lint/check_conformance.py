"""docs/iommu-conformance.md has every row of the catalogue exactly once, and every test that it names exists.

A test is a `Suite.Name` of GoogleTest, a `file_test.test_name` of tests/guest, or the whole sentence of a SPEC. A row without
a test says why it "Cannot apply".
"""
import re

import tree

DOCUMENT = "docs/iommu-conformance.md"
ROWS = [f"{letter}{n}" for letter, count in (("C", 24), ("D", 14), ("M", 8), ("V", 19), ("S", 17)) for n in range(1, count + 1)]
TEST = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)", re.M)
SENTENCE = re.compile(r'^SPEC\(\s*"((?:[^"\\]|\\.|"\s*")*)"\s*\)', re.M)
PYTHON = re.compile(r"^    def (test_\w+)\(", re.M)


def known_tests():
    known = set()
    for path in tree.files(".cpp", ".py"):
        if path.parts[0] != "tests":
            continue
        text = tree.read(path)
        known.update(f"{suite}.{name}" for suite, name in TEST.findall(text))
        known.update(re.sub(r'"\s*"', "", sentence) for sentence in SENTENCE.findall(text))
        known.update(f"{path.stem}.{name}" for name in PYTHON.findall(text))
    return known


def check():
    known = known_tests()
    seen = []
    for number, line in enumerate(tree.read(DOCUMENT).splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or not re.fullmatch(r"[A-Z]\d+", cells[0]):
            continue
        where = f"{DOCUMENT}:{number}: {cells[0]}"
        seen.append(cells[0])
        if len(cells) != 4 or not all(cells):
            yield f"{where}: four cells are expected: row, what must not happen, tests, clause"
            continue
        tests = re.findall(r"`([^`]+)`", cells[2])
        if not tests and not cells[2].startswith("Cannot apply:"):
            yield f"{where}: no test, and no reason why it cannot apply"
        yield from (f"{where}: no such test: {test}" for test in tests if test not in known)
    for row in ROWS:
        if seen.count(row) != 1:
            yield f"{DOCUMENT}: {row} is there {seen.count(row)} times"
    yield from (f"{DOCUMENT}: {row} is no row of the catalogue" for row in seen if row not in ROWS)


tree.verdict(list(check()))
