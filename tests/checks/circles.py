#!/usr/bin/env python3
#
# circles.py: checks that no files of the library depend on each other in a
# circle, neither by includes nor by calls.
#
#   circles.py --nm NM --root ROOT OBJECT...   each .../moat_objects.dir/...
#
# Files may call each other only if they are one thing, which a line
# `together FILE FILE...` in layers.txt has to state.
#
# SPDX-License-Identifier: MIT
import argparse
import pathlib
import re
import subprocess
import sys


def layers():
    """Returns the floors, the free symbols and the groups of layers.txt."""
    floors, free, together = [], set(), []
    path = pathlib.Path(__file__).with_name("layers.txt")
    for line in path.read_text().splitlines():
        words = line.split()
        if not words or line.startswith("#") or "-" in words:
            continue
        if words[0] == "symbols":
            free.update(words[1:])
        elif words[0] == "apart":
            continue
        elif words[0] == "together":
            together.append(set(words[1:]))
        else:
            floors.append(words[0])
    return floors, free, together


def calls(nm, objects, free):
    """Returns {object: objects whose symbols it needs}."""
    home, needs = {}, {}
    for path in objects:
        name = re.sub(r".*moat_objects\.dir/(\./)?", "", path)
        needs[name] = set()
        output = subprocess.run(
            [nm, "-g", path], check=True, capture_output=True, text=True)
        for line in output.stdout.splitlines():
            words = line.split()
            if words[-2] == "U":
                needs[name].add(words[-1])
            elif words[-2] not in "vw":
                home[words[-1]] = name
    return {name: {home[symbol] for symbol in wanted - free
                   if home.get(symbol, name) != name}
            for name, wanted in needs.items()}


def includes(root, floors):
    """Returns {file: files that it includes in quotes}."""
    graph = {}
    for floor in floors:
        for path in sorted((root / floor).rglob("*")):
            if path.suffix in (".c", ".h", ".S"):
                graph[str(path.relative_to(root))] = set(re.findall(
                    r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.M))
    return {name: {file for file in found if file in graph}
            for name, found in graph.items()}


def reached(graph, start):
    """Returns what can be reached from a node, in one step at least."""
    seen, todo = set(), list(graph[start])
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo += graph[node]
    return seen


def circles(graph):
    """Returns the groups of nodes that reach each other."""
    reach = {node: reached(graph, node) for node in graph}
    groups = {frozenset({node} | {other for other in reach[node]
                                  if node in reach[other]})
              for node in graph}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nm", required=True)
    parser.add_argument("--root", required=True, type=pathlib.Path)
    parser.add_argument("objects", nargs="+")
    arguments = parser.parse_args()
    floors, free, together = layers()
    bad = 0
    for verb, graph in (
            ("include", includes(arguments.root, floors)),
            ("call", calls(arguments.nm, arguments.objects, free))):
        for group in circles(graph):
            files = {re.sub(r"\.(c|S)\.o$", r".\1", name) for name in group}
            if not any(files <= allowed for allowed in together):
                print(f"{verb} each other:", *group)
                bad = 1
    if not bad:
        print(f"{len(arguments.objects)} objects, no circle")
    sys.exit(bad)


main()
