"""Nobody includes upwards or sideways: app -> machines -> { cpu -> tcg, devices } -> memory -> base."""
import re

import tree

BELOW = {
    "base": set(),
    "memory": {"base"},
    "tcg": {"base", "memory"},
    "devices": {"base", "memory"},
    "cpu": {"base", "memory", "tcg"},
    "machines": {"base", "memory", "tcg", "cpu", "devices"},
    "app": {"base", "memory", "tcg", "cpu", "devices", "machines"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def check(path):
    layer = path.parts[0]
    for number, line in enumerate(tree.read(path).splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target, where = match[1], f"{path}:{number}"
        if not (tree.ROOT / target).is_file():
            yield f'{where}: "{target}" is not a path from the top of the tree'
        elif target.split("/")[0] != layer and target.split("/")[0] not in BELOW[layer]:
            yield f"{where}: {layer} must not include {target}"


tree.verdict([p for f in tree.files(".h", ".cpp", ".inc") if f.parts[0] in BELOW for p in check(f)])
