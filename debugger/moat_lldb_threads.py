"""moat_lldb_threads.py: presents suspended coroutines to lldb as threads.

lldb loads this as an operating system plug-in, which creates threads from data
in memory. It lists none by itself: moat_lldb.py creates those that a command
needs, by the coroutine's number.

SPDX-License-Identifier: MIT
"""

import os
import struct
import sys
from typing import List, Optional

import lldb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import moat_table  # noqa: E402
from moat_table import Coroutines  # noqa: E402

# The first thread id of coroutines, far from the kernel's ids.
FIRST_TID = 0x6D6F617400000000

# The register descriptions for lldb: DWARF numbers and generic roles.
DWARF = {"rax": 0, "rdx": 1, "rcx": 2, "rbx": 3, "rsi": 4, "rdi": 5, "rbp": 6,
         "rsp": 7, "rip": 16}
DWARF.update({"r%d" % number: number for number in range(8, 16)})
GENERIC = {"rip": "pc", "rsp": "sp", "rbp": "fp"}
NAMES = [name for name in moat_table.REGISTERS if name in DWARF]


def table_address(process: lldb.SBProcess, name: str) -> Optional[int]:
    """Returns the address of a table for debuggers."""
    target = process.GetTarget()
    for found in target.FindSymbols(name):
        address = found.GetSymbol().GetStartAddress().GetLoadAddress(target)
        if address != lldb.LLDB_INVALID_ADDRESS:
            return int(address)
    return None


def coroutines(process: lldb.SBProcess) -> Coroutines:
    target = process.GetTarget()

    def read(address: int, size: int) -> bytes:
        error = lldb.SBError()
        # Read-only data that a core file omits is in the program's file.
        data = target.ReadMemory(target.ResolveLoadAddress(address), size,
                                 error)
        if not error.Success() or data is None or len(data) != size:
            raise moat_table.Unreadable("cannot read memory at %#x" % address)
        return data

    if not process.IsValid() or process.GetState() != lldb.eStateStopped:
        raise moat_table.Error("no process that is stopped, and no core file")
    table = table_address(process, "moat_debug")
    if table is not None:
        return Coroutines(read, table)
    raise moat_table.Error("no moat in this program (no symbol moat_debug)")


class OperatingSystemPlugIn:
    """lldb looks for a class of this name."""

    def __init__(self, process: lldb.SBProcess) -> None:
        self.process = process

    def get_thread_info(self) -> List[dict]:
        return []

    def create_thread(self, tid: int, _context: int) -> dict:
        return {"tid": tid, "name": "coroutine #%d" % (tid - FIRST_TID),
                "state": "stopped", "stop_reason": "none"}

    def get_register_info(self) -> dict:
        return {"sets": ["general"], "registers": [
            dict(name=name, bitsize=64, offset=8 * i, encoding="uint",
                 format="hex", set=0, gcc=DWARF[name], dwarf=DWARF[name],
                 **({"generic": GENERIC[name]} if name in GENERIC else {}))
            for i, name in enumerate(NAMES)]}

    def get_register_data(self, tid: int) -> bytes:
        co = coroutines(self.process).by_number(tid - FIRST_TID)
        registers, _ = moat_table.start(co)
        return struct.pack("<%dQ" % len(NAMES),
                           *(registers.get(name, 0) for name in NAMES))
