"""All C++ files are as clang-format 14 writes them. To repair: clang-format-14 -i FILE..."""
import shutil
import subprocess
import sys

import tree

program = shutil.which("clang-format-14")
if not program:
    print("clang-format-14 is not installed")
    sys.exit(77)
sources = [f for f in tree.files(".h", ".cpp") if f.parts[0] in (*tree.LAYERS, "tests")]
problems = []
for first in range(0, len(sources), 40):
    some = [str(f) for f in sources[first : first + 40]]
    done = subprocess.run([program, "--dry-run", "-Werror", *some], cwd=tree.ROOT, capture_output=True, text=True)
    if done.returncode:
        problems += sorted({line.split(":")[0] + ": not formatted" for line in done.stderr.splitlines() if "error:" in line})
tree.verdict(problems)
