#!/usr/bin/env python3
"""names.py: names of coroutines cannot steer the terminal of a debugger, or
forge lines of its tables.

    names.py FOLDER

SPDX-License-Identifier: MIT
"""

import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import moat_table

CASES = {
    "plain": "plain",
    "na\u00efve \U0001f600": "na\u00efve \U0001f600",
    "two\nlines": "two\\x0alines",
    "\x1b]0;title\x07": "\\x1b]0;title\\x07",
    "back\u202ewards": "back\\xe2\\x80\\xaewards",
    "\u0085\u2028": "\\xc2\\x85\\xe2\\x80\\xa8",
    "": "",
}


class World:
    """Memory with one name."""

    table = {"co.name": 0, "entry.bytes": 8, "cold.bytes": 8}

    def __init__(self, name: str) -> None:
        self.name = name

    def string(self, address: int) -> str:
        return self.name


class Arena:
    first = entries = cold = 0


for name, wanted in CASES.items():
    co = moat_table.Coroutine(World(name), Arena(), 0, b"\1" + bytes(7))
    assert co.name == wanted, (name, co.name)
    assert not wanted or wanted in co.title
