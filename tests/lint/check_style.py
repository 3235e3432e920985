"""What a reviewer would otherwise have to say: head comments, include guards, namespaces in headers, unfinished work."""
import re

import tree

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def check(path):
    text = tree.read(path)
    lines = text.splitlines()
    if not text.endswith("\n"):
        yield f"{path}: no newline at the end"
    for number, line in enumerate(lines, 1):
        if UNFINISHED.search(line):
            yield f"{path}:{number}: unfinished work: {line.strip()}"
        if "\t" in line and path.suffix in (".h", ".cpp"):
            yield f"{path}:{number}: a tab"
        if line.rstrip() != line:
            yield f"{path}:{number}: space at the end of the line"
        if path.suffix == ".h" and re.match(r"\s*using namespace", line):
            yield f"{path}:{number}: using namespace in a header"
        if path.parts[0] in tree.LAYERS and "std::endl" in line:
            yield f"{path}:{number}: std::endl flushes; write \\n"
    if path.parts[0] not in tree.LAYERS or not lines:
        return
    if path.suffix == ".h":
        if not lines[0].startswith("//"):
            yield f"{path}:1: a header begins with a comment that says what it is"
        if "#pragma once" not in lines:
            yield f"{path}:1: no #pragma once"


sources = [f for f in tree.files(".h", ".cpp", ".inc", ".c", ".S", ".py") if f.name != "check_style.py"]
tree.verdict([p for f in sources for p in check(f)])
