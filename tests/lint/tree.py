"""What the lint tests share: the files of the project, and a verdict."""
import pathlib
import sys

LAYERS = ("base", "memory", "tcg", "cpu", "devices", "machines", "app")
ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
NOT_OURS = {".git", ".cache"}


def files(*suffixes):
    """Source files below ROOT with one of the suffixes, as paths relative to it."""
    found = []
    for path in sorted(ROOT.rglob("*")):
        relative = path.relative_to(ROOT)
        top = relative.parts[0]
        if top in NOT_OURS or top == "build" or top.startswith("build-"):
            continue
        if path.is_file() and path.suffix in suffixes:
            found.append(relative)
    return found


def read(relative):
    return (ROOT / relative).read_text(encoding="utf-8")


def verdict(problems, notes=()):
    for note in notes:
        print(f"note: {note}")
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)
