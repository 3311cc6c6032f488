#!/usr/bin/env python3
#
# sizes.py: no room, file or function of the library grows without being noticed.
#
#   sizes.py ROOT
#
# A room holds under a quarter of the library's lines, a file at most 450 lines.
# Half of the functions have at most 8 lines (body between braces in the first
# column). A header declares functions that at most two files define.
#
# SPDX-License-Identifier: MIT
import pathlib
import re
import statistics
import sys

ROOM_PART = 0.25
FILE_LINES = 450
FUNCTION_LINES = 8
OWNERS = 2


def floors():
    """Returns the library's folders, the public headers last."""
    lines = pathlib.Path(__file__).with_name("layers.txt").read_text()
    return [line for line in lines.splitlines()
            if re.fullmatch(r"[a-z/]+", line)]


def sources(root):
    """Returns {room: {path: text}}."""
    found = {}
    for room in floors():
        found[room] = {
            str(path.relative_to(root)): path.read_text()
            for path in sorted((root / room).rglob("*"))
            if path.suffix in (".c", ".h", ".S", ".hpp", ".in")}
    return found


def body_lengths(text):
    """Returns the lengths of the functions' bodies."""
    return [body.count("\n")
            for body in re.findall(r"\)\n\{\n(.*?)^\}", text, re.M | re.S)]


def owners(files):
    """Returns {header: files that define functions it declares}."""
    home = {}
    for path, text in files.items():
        if path.endswith(".c"):
            for name in re.findall(r"^(?:[^\s#/}].*?)?\b(moat_\w+)\([^;{]*\)\n\{",
                                   text, re.M):
                home.setdefault(name, set()).add(path)
    found = {}
    for path, text in files.items():
        if path.endswith(".h") and not path.startswith("include/"):
            declared = re.findall(r"\b(moat_\w+)\([^;{]*\)[^;{]*;", text)
            found[path] = {file for name in declared
                           for file in home.get(name, ())}
    return found


def main():
    rooms = sources(pathlib.Path(sys.argv[1]))
    files = {path: text for room in rooms.values()
             for path, text in room.items()}
    total = sum(text.count("\n") for text in files.values())
    bad = []
    if total == 0:
        bad.append("no source files")
    for room, texts in rooms.items():
        lines = sum(text.count("\n") for text in texts.values())
        print(f"{lines:6} lines {room}")
        if lines > ROOM_PART * total:
            bad.append(f"{room} holds {lines} of the library's {total} lines")
    print(f"{total:6} lines in all")
    for path, text in files.items():
        if text.count("\n") > FILE_LINES and path.endswith((".c", ".h", ".S")):
            bad.append(f"{path} has {text.count(chr(10))} lines")
    lengths = [length for path, text in files.items() if path.endswith(".c")
               for length in body_lengths(text)]
    if lengths:
        median = statistics.median(lengths)
        print(f"{len(lengths):6} functions, median {median} lines")
        if median > FUNCTION_LINES:
            bad.append(f"the median function has {median} lines")
    # An implementation may be chosen by file: walk_libunwind.c, walk_none.c.
    for path, found in owners(files).items():
        choices = {re.sub(r"_(none|libunwind|libdw)\.c$", ".c", name)
                   for name in found}
        choices = {re.sub(r"^arch/[^/]*/.*|^sys/[^/]*/", "", name)
                   for name in choices}
        choices = {re.sub(r"^switch/(ucontext|sigaltstack|threads)\.c$",
                          "switch/backend.c", name) for name in choices}
        if len(choices) > OWNERS and not path.startswith("arch/"):
            bad.append(f"{path} declares for {', '.join(sorted(found))}")
    for complaint in bad:
        print(complaint)
    sys.exit(bool(bad))


main()
