"""Every path and symbol that a document names exists.

Looked at: `code spans` of README.md, CONTRIBUTING.md and docs/, and the targets of links. A span with a slash or a known
suffix is a path from the top of the tree; one that is an identifier (`Foo::bar`, `foo_bar()`) must occur in the sources, each
of its parts as a word. Spans of several words are commands: their first word is checked when it is a path.
"""
import re

import tree

SUFFIXES = (".h", ".cpp", ".c", ".S", ".md", ".py", ".inc", ".txt", ".json")
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
PATH = re.compile(r"^(\./)?[\w.*+-]+(/[\w.*+-]*)*$")
IDENTIFIER = re.compile(r"^[A-Za-z_]\w*((::|\.|->)~?\w+)*(\(\))?$")
WORD = re.compile(r"\w+")
MADE = ("build", "build-")  # what the build makes


def words_of_sources():
    words = set()
    for path in tree.files(".h", ".cpp", ".c", ".S", ".py", ".inc", ".txt", ".json", ".sh"):
        if path.parts[0] != "docs":
            words.update(WORD.findall(tree.read(path)))
    for name in ("boot", "check"):
        words.update(WORD.findall(tree.read(name)))
    return words


def path_exists(document, text):
    text = text.removeprefix("./").rstrip("/")
    top = text.split("/")[0]
    if top == "build" or top.startswith("build-"):
        return True
    for base in (tree.ROOT, (tree.ROOT / document).parent):
        if (base / text).exists() or ("*" in text and any(base.glob(text))):
            return True
    return False


def check_span(document, span, words):
    first = span.split()[0]
    if "://" in span or span.startswith("-") or "=" in first:
        return None
    if PATH.match(first) and ("/" in first or first.endswith(SUFFIXES)) and not first.startswith("/"):
        return None if path_exists(document, first) else f"no such file: {first}"
    if IDENTIFIER.match(span):
        missing = [w for w in WORD.findall(span) if w not in words]
        return f"no such symbol: {span}" if missing else None
    return None


def check(document, words):
    fenced = False
    for number, line in enumerate(tree.read(document).splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        if fenced:
            continue
        for span in SPAN.findall(line):
            problem = check_span(document, span, words)
            if problem:
                yield f"{document}:{number}: {problem}"
        for target in LINK.findall(line):
            if "://" not in target and not path_exists(document, target):
                yield f"{document}:{number}: no such file: {target}"


source_words = words_of_sources()
tree.verdict([p for d in tree.files(".md") for p in check(d, source_words)])
