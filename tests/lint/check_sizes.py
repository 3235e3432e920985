"""No source file has more than 800 lines. Functions of more than 100 lines are reported, and fail nothing: tables are long."""
import re

import tree

FILE_LINES, FUNCTION_LINES = 800, 100
# The first line of a function at namespace or class level: ends with "{", has a parameter list, and is no control statement.
HEADER = re.compile(r"^(  )?[A-Za-z_~][\w:<>,&*~ \[\]]*\(.*\{\s*$")


def long_functions(path, lines):
    for first, line in enumerate(lines):
        if not HEADER.match(line):
            continue
        close = line[: len(line) - len(line.lstrip())] + "}"
        for last in range(first + 1, len(lines)):
            if lines[last].startswith(close):
                if last - first > FUNCTION_LINES:
                    yield f"{path}:{first + 1}: a function of {last - first + 1} lines"
                break


problems, notes = [], []
for path in tree.files(".h", ".cpp", ".inc", ".c", ".S", ".py"):
    lines = tree.read(path).splitlines()
    if len(lines) > FILE_LINES:
        problems.append(f"{path}: {len(lines)} lines, the limit is {FILE_LINES}")
    if path.suffix in (".h", ".cpp"):
        notes += long_functions(path, lines)
tree.verdict(problems, notes)
