"""Counts single tests over CTest reports and ends with "N passed, N failed".

A CTest entry that left a GoogleTest report (results/NAME.xml) counts as the tests in it, any other as one test.
An entry that ran Python's unittest counts as the tests that it says it ran. An entry that died before it could say anything
is one failure.
"""
import argparse
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

TAIL = 30


def tail(text, lines=TAIL):
    kept = text.strip().splitlines()[-lines:]
    return "\n".join("    " + line[:300] for line in kept)


class Count:
    def __init__(self):
        self.passed, self.failures, self.skipped = 0, [], []

    def gtest(self, entry, path):
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            name = f"{entry}: {case.get('classname')}.{case.get('name')}"
            problems = [f.get("message") or f.text or "" for f in case.findall("failure")]
            if problems:
                self.failures.append((name, "\n".join(problems)))
            elif case.get("result") == "skipped" or case.find("skipped") is not None:
                self.skipped.append(name)
            elif case.get("status") == "run":
                self.passed += 1

    def unittest(self, entry, output):
        """True when the output is that of Python's unittest."""
        ran = re.findall(r"^Ran (\d+) tests? in ", output, re.M)
        if not ran:
            return False
        failures = re.findall(r"^(?:FAIL|ERROR): (.*)$", output, re.M)
        skipped = re.findall(r"^(?:OK|FAILED) \(.*?skipped=(\d+)", output, re.M)
        skipped = int(skipped[-1]) if skipped else 0
        reports = re.split(r"^={60,}\n", output, flags=re.M)[1:]
        for name, report in zip(failures, reports):
            self.failures.append((f"{entry}: {name}", re.split(r"^-{60,}\nRan ", report, flags=re.M)[0]))
        self.skipped += [f"{entry}: {skipped} tests"] if skipped else []
        self.passed += int(ran[-1]) - len(failures) - skipped
        return True

    def entry(self, build, case):
        name = f"{build}/{case.get('name')}"
        report = pathlib.Path(build, "results", case.get("name") + ".xml")
        output = case.findtext("system-out") or ""
        before = len(self.failures)
        counted = False
        if report.exists():
            try:
                self.gtest(name, report)
                counted = True
            except ElementTree.ParseError:
                pass  # it was killed while it wrote: counted below
        counted = counted or self.unittest(name, output)
        if case.get("status") == "run":
            if not counted:
                self.passed += 1
        elif case.get("status") == "fail":
            if len(self.failures) == before:
                reason = case.find("failure")
                why = "" if reason is None else reason.get("message") or ""
                self.failures.append((name, f"{why}\n{output}"))
        elif not counted:
            self.skipped.append(name)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--failed-builds", default="")
    arguments.add_argument("builds", nargs="*")
    options = arguments.parse_args()
    count = Count()
    for preset in options.failed_builds.split():
        count.failures.append((f"build of preset {preset}", "see above"))
    for build in options.builds:
        junit = pathlib.Path(build, "results.junit")
        cases = list(ElementTree.parse(junit).getroot().iter("testcase")) if junit.exists() else []
        if not cases:
            count.failures.append((build, "no tests ran"))
        for case in cases:
            count.entry(build, case)
    for name, text in count.failures:
        print(f"FAILED {name}\n{tail(text)}")
    for name in count.skipped:
        print(f"skipped {name}")
    print(f"{count.passed} passed, {len(count.failures)} failed")
    return 1 if count.failures or not count.passed else 0


sys.exit(main())
