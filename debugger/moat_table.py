"""moat_table.py: the coroutines of a stopped process or of a core file.

They are found through moat's table for debuggers (moat/debug.h), so neither
debug information nor symbols are needed. This module is independent of the
debugger: each extension passes a function that reads memory. It never writes.

SPDX-License-Identifier: MIT
"""

import signal
import struct
import unicodedata
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Tuple

VERSION = 1

Read = Callable[[int, int], bytes]
Registers = Dict[str, int]

# struct moat_regs of x86-64, eight bytes each.
REGISTERS = ("rip", "rsp", "rbp", "rax", "rbx", "rcx", "rdx", "rsi", "rdi",
             "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "eflags")

# The values of moat_access and moat_region (moat/trap.h) are fixed.
ACCESSES = {1: "read of", 2: "write to", 3: "jump to"}
EXEC = 3
REGIONS = {
    1: " (the guard of its stack)",
    2: " (its stack)",
    3: " (the guard of another coroutine's stack)",
    4: " (another coroutine's stack)",
    5: " (an unused stack)",
}


class Error(Exception):
    """An error whose text is shown to the user."""


class Unreadable(Error):
    """Memory is inaccessible, or missing from the core file."""


def shown(name: str) -> str:
    """Escapes what would reach the terminal or forge a line, as a report does.
    """
    return "".join(
        each if unicodedata.category(each) not in ("Cc", "Cf", "Zl", "Zp") else
        "".join("\\x%02x" % byte for byte in each.encode("utf-8"))
        for each in name)


def read_table(read: Read, address: int, version: int) -> Dict[str, int]:
    """Reads a table for debuggers (moat/debug.h)."""
    table: Dict[str, int] = {}
    while True:
        label, value = struct.unpack("<24sQ", read(address, 32))
        name = label.rstrip(b"\0").decode("ascii", "replace")
        if not table and name != "version":
            raise Error("moat_debug is no table of moat's, or the process "
                        "has not started")
        if not name:
            break
        table[name] = value
        address += 32
    if table["version"] != version:
        raise Error("this program's moat has table %d for debuggers; this "
                    "extension reads %d" % (table["version"], version))
    return table


class Arena:
    """An arena of stacks, and the entries of its coroutines."""

    def __init__(self, world: "Coroutines", address: int) -> None:
        def word(field: str) -> int:
            return world.word(address + world.table["arena." + field])

        self.next = word("next")
        self.entries = word("entries")
        self.cold = word("cold")
        self.slots = word("slots")
        self.slots_end = word("slots_end")
        self.capacity = word("capacity")
        self.taken = word("taken")
        self.first = 0  # the number of the first coroutine

    @property
    def stride(self) -> int:
        return (self.slots_end - self.slots) // self.capacity


class Trap:
    """The trap record."""

    def __init__(self, world: "Coroutines", cold: int) -> None:
        def number(field: str) -> int:
            at = cold + world.table["trap." + field]
            return struct.unpack("<i", world.read(at, 4))[0]

        self.text = world.text("trap", number("kind"))
        self.signo = number("signo")
        self.code = number("code")
        self.access = number("access")
        self.region = number("region")
        self.user_code = number("user_code")
        self.address = world.word(cold + world.table["trap.address"])
        # An older library has no such entry.
        at = world.table.get("trap.in_host_call")
        self.in_host_call = at is not None and \
            world.read(cold + at, 1) != b"\0"
        data = world.read(cold + world.table["trap.regs"], 8 * len(REGISTERS))
        self.registers: Registers = dict(
            zip(REGISTERS, struct.unpack("<%dQ" % len(REGISTERS), data)))

    def signal(self) -> str:
        if signal.SIGRTMIN <= self.signo < signal.SIGRTMAX:
            return "SIGRTMAX-%d" % (signal.SIGRTMAX - self.signo)
        try:
            return signal.Signals(self.signo).name
        except ValueError:
            return str(self.signo)


class Coroutine:
    """One coroutine, read from its entry in the arena."""

    def __init__(self, world: "Coroutines", arena: Arena, index: int,
                 entry: bytes) -> None:
        self.world = world
        self.number = arena.first + index
        self.record = arena.entries + index * world.table["entry.bytes"]
        self.cold = arena.cold + index * world.table["cold.bytes"]
        self.entry_bytes = entry

    def field(self, name: str) -> int:
        at = self.world.table["co." + name]
        return struct.unpack_from("<Q", self.entry_bytes, at)[0]

    @property
    def name(self) -> str:
        pointer = self.field("name")
        return shown(self.world.string(pointer)) if pointer else ""

    @property
    def title(self) -> str:
        if not self.name:
            return "coroutine #%d" % self.number
        return "coroutine '%s' #%d" % (self.name, self.number)

    @property
    def base(self) -> int:
        return self.field("base")

    @property
    def limit(self) -> int:
        return self.field("limit")

    @property
    def root_sp(self) -> int:
        return self.base - self.world.table["root.bytes"]

    @property
    def state(self) -> str:
        table, mark = self.world.table, self.field("state")
        if mark in (table["mark.running"], table["mark.timed"]):
            return "resuming" if self.child else "running"
        if mark == table["mark.done"]:
            return "done"
        if mark == table["mark.trapped"]:
            return "trapped"
        fresh = self.field("pc") == table["root_start"]
        return "fresh" if fresh else "suspended"

    @property
    def resumer(self) -> Optional["Coroutine"]:
        """The coroutine that resumed this one, if it is running or resuming;
        None is the host."""
        address = self.field("resumer") & ~1
        return self.world.by_record(address) if address else None

    @property
    def child(self) -> Optional["Coroutine"]:
        """The coroutine that this one resumed and is waiting for."""
        return self.world.children().get(self.record)

    @property
    def trap(self) -> Optional[Trap]:
        if self.field("state") != self.world.table["mark.trapped"]:
            return None
        return Trap(self.world, self.cold)

    @property
    def away(self) -> bool:
        """Whether another coroutine's frames are where its own belong."""
        table = self.world.table
        return ("flag.away" in table and
                self.field("flags") & 0xffff & table["flag.away"] != 0)

    def registers(self) -> Optional[Registers]:
        """The known registers of its innermost frame. None if it has no frames,
        or is running: then a thread has them."""
        state = self.state
        if self.away and state in ("suspended", "trapped"):
            raise Error("its frames are copied away: another coroutine has the "
                        "stack that they share")
        if state == "suspended":
            return self._saved("")
        if state == "resuming":
            return self.child._saved("resumer_")
        if state == "trapped":
            trap = self.trap
            return self._calling() if trap.in_host_call else trap.registers
        return None

    def _calling(self) -> Registers:
        """Where it made the host call that has faulted. The call's frames are
        gone."""
        sp = self.field("sp")
        return {"rip": self.world.table["call_return"], "rsp": sp, "rbp": sp}

    def _saved(self, side: str) -> Registers:
        return {cpu: self.field(side + name) for cpu, name in (
            ("rip", "pc"), ("rsp", "sp"), ("rbp", "fp"), ("rbx", "bx"))}

    def owns(self, sp: int) -> bool:
        """Returns whether sp is in its stack or in the guard below, and its
        frames are there."""
        return self.field("guard") <= sp <= self.base and not self.away

    def used(self, sp: Optional[int]) -> Optional[int]:
        """Bytes of stack in use. `sp` is the stack pointer of a running one."""
        state = self.state
        if state == "done":
            return 0
        if state == "fresh" or (self.away and state == "suspended"):
            sp = self.field("sp")
        elif self.away:
            return None
        elif state != "running":
            sp = self.registers()["rsp"]
        if sp is None:
            return None
        if not self.limit <= sp <= self.base:
            return self.base - self.limit
        return self.base - sp


class Coroutines:
    """A snapshot of all coroutines of a process. Every stack slot has a number,
    from 1, in the order in which arenas were made; memory that the host has
    lent comes last. A coroutine keeps its slot until it is destroyed; a later
    one may reuse it."""

    def __init__(self, read: Read, table: int) -> None:
        self.read = read
        self.table = read_table(read, table, VERSION)
        self._children: Optional[Dict[int, Coroutine]] = None
        self.arenas = self._list("arenas") + self._list("lents")
        first = 1
        for arena in self.arenas:
            arena.first = first
            first += arena.capacity

    def _list(self, name: str) -> List[Arena]:
        """Returns the arenas of a list, the oldest first."""
        found: List[Arena] = []
        head = self.table.get(name)  # an older library has not all lists
        address = self.word(head) if head is not None else 0
        while address:
            found.append(Arena(self, address))
            address = found[-1].next
        return found[::-1]

    def word(self, address: int) -> int:
        return struct.unpack("<Q", self.read(address, 8))[0]

    def string(self, address: int) -> str:
        """Reads a string without crossing into the next page unless it must, as
        that may be unmapped."""
        text = b""
        while b"\0" not in text and len(text) < 256:
            at = address + len(text)
            try:
                text += self.read(at, min(64, 4096 - at % 4096))
            except Unreadable:
                # The core file of one guest has the name, not its page.
                text += self.read(at, 1)
        return text.split(b"\0")[0].decode("utf-8", "replace")

    def text(self, kind: str, number: int) -> str:
        pointer = 0
        if 0 <= number < self.table[kind + ".count"]:
            pointer = self.word(self.table[kind + ".texts"] + 8 * number)
        return self.string(pointer) if pointer else "%s %d" % (kind, number)

    def _at(self, arena: Arena, index: int) -> Optional[Coroutine]:
        size = self.table["entry.bytes"]
        if not 0 <= index < arena.taken:
            return None
        entry = self.read(arena.entries + index * size, size)
        return self._living(arena, index, entry)

    def _living(self, arena: Arena, index: int,
                entry: bytes) -> Optional[Coroutine]:
        """Returns None if the slot has no coroutine now."""
        co = Coroutine(self, arena, index, entry)
        gone = co.field("state") == self.table["mark.free"]
        return None if gone or co.field("token") == 0 else co

    def __iter__(self) -> Iterator[Coroutine]:
        size = self.table["entry.bytes"]
        for arena in self.arenas:
            if arena.taken == 0:  # an empty arena's entries are inaccessible
                continue
            entries = self.read(arena.entries, arena.taken * size)
            for index in range(arena.taken):
                co = self._living(arena, index,
                                  entries[index * size:(index + 1) * size])
                if co is not None:
                    yield co

    def children(self) -> Dict[int, Coroutine]:
        if self._children is None:
            entered = (self.table["mark.running"], self.table["mark.timed"])
            self._children = {co.field("resumer") & ~1: co for co in self
                              if co.field("state") in entered}
        return self._children

    def by_number(self, number: int) -> Coroutine:
        for arena in self.arenas:
            co = self._at(arena, number - arena.first)
            if co is not None:
                return co
        raise Error("there is no coroutine #%d" % number)

    def by_record(self, address: int) -> Optional[Coroutine]:
        size = self.table["entry.bytes"]
        for arena in self.arenas:
            index, rest = divmod(address - arena.entries, size)
            if rest == 0 and 0 <= index < arena.taken:
                return self._at(arena, index)
        return None

    def by_stack(self, address: int) -> Optional[Coroutine]:
        for arena in self.arenas:
            if arena.slots <= address < arena.slots_end:
                return self._at(
                    arena, (arena.slots_end - 1 - address) // arena.stride
                ) or self._on_shared(address)
        return None

    def _on_shared(self, address: int) -> Optional[Coroutine]:
        """Returns the one of those that share a stack whose frames are on it.
        The slot of such a stack is no coroutine's."""
        return next((co for co in self
                     if co.state != "done" and co.owns(address)), None)

    def by_root(self, pc: int, sp: int) -> Optional[Coroutine]:
        """Returns the coroutine whose root frame this is, or None."""
        if pc != self.table["root_return"]:
            return None
        co = self.by_stack(sp)
        return co if co is not None and co.root_sp == sp else None


def start(co: Coroutine) -> Tuple[Registers, bool]:
    """Returns the registers at which a walk of a stopped coroutine begins, and
    whether the pc is exact rather than a return address. A jump to an invalid
    address has no frame of its own: the walk begins after its call."""
    registers = co.registers()
    trap = co.trap
    if trap is None or trap.in_host_call:
        return registers, False
    jumped = trap.access == EXEC and trap.address == registers["rip"]
    if jumped and co.limit <= registers["rsp"] <= co.base - 8:
        registers = dict(registers)
        registers["rip"] = co.world.word(registers["rsp"])
        registers["rsp"] += 8
        return registers, False
    return registers, True


def find_root(co: Coroutine,
              frames: Iterable[Tuple[int, int]]) -> Optional[int]:
    """Returns the index of the coroutine's root frame among (pc, sp) pairs."""
    for index, (pc, sp) in enumerate(frames):
        if pc == co.world.table["root_return"] and sp == co.root_sp:
            return index
    return None


# A frame as a debugger shows it: stack pointer, function, source location. The
# frames of inline functions have the same stack pointer.
Frame = Tuple[int, str, str]


class Locations:
    """Locates coroutines by the first function that is not moat's. Results are
    cached: of 10,000 coroutines in the same yield, one is looked up."""

    def __init__(self, symbol: Callable[[int], str],
                 frames: Callable[[Coroutine], Iterable[Frame]]) -> None:
        self.symbol = symbol
        self.frames = frames
        self.known: Dict[Tuple[int, int], str] = {}

    def __call__(self, co: Coroutine) -> str:
        state = co.state
        if state == "fresh":
            return self.symbol(co.field("entry"))
        if state == "done":
            return ""
        try:
            if state == "running":
                return self._look(co)[0]
            text = self._stopped(co)
        except Error as error:
            return "(%s)" % error
        return "%s: %s" % (text, co.trap.text) if co.trap else text

    def _look(self, co: Coroutine) -> Tuple[str, int, Frame]:
        """Returns the location, its stack pointer, and the innermost frame."""
        innermost = None
        for frame in self.frames(co):
            innermost = innermost or frame
            if not frame[1].startswith("moat_"):
                return frame[2], frame[0], innermost
        if innermost is None:
            raise Error("no frame of " + co.title)
        return innermost[2], innermost[0], innermost

    def _stopped(self, co: Coroutine) -> str:
        registers, _ = start(co)
        pc = registers["rip"]
        # The caller, if the code keeps frame pointers, as moat_co_yield does.
        caller = 0
        if co.limit <= registers["rbp"] <= co.base - 16:
            caller = co.world.word(registers["rbp"] + 8)
        for key in ((pc, 0), (pc, caller)):
            if key in self.known:
                return self.known[key]
        text, sp, (innermost_sp, function, _) = self._look(co)
        if sp == innermost_sp:  # the yield is inline: the pc suffices
            self.known[pc, 0] = text
        elif function == "moat_co_yield":
            self.known[pc, caller] = text
        return text


def kib(size: Optional[int]) -> str:
    return "?" if size is None else "%.1f" % (size / 1024)


def listing(world: Coroutines, wanted: str, sps: List[int],
            where: Callable[[Coroutine], str]) -> Iterator[str]:
    """Yields the lines of `info coroutines`. `wanted` is a state, a name, or
    empty for all. `sps` are the stack pointers of all threads."""
    rows = [("Id", "Name", "State", "Resumer", "Stack KiB", "Where")]
    for co in world:
        state, name = co.state, co.name
        if wanted and wanted not in (state, name):
            continue
        resumer = "-"
        if state in ("running", "resuming"):
            resumer = "#%d" % co.resumer.number if co.resumer else "host"
        sp = next((sp for sp in sps if co.owns(sp)), None)
        stack = "%s of %s" % (kib(co.used(sp)), kib(co.base - co.limit))
        rows.append(("#%d" % co.number, name, state, resumer, stack, where(co)))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        yield "  ".join(cells + [row[5]]).rstrip()
    if len(rows) == 1:
        yield "(none)"


def description(co: Coroutine, sps: List[int], symbol: Callable[[int], str],
                instruction: Callable[[int], str]) -> Iterator[str]:
    """Yields the lines of `info coroutine N`; a trap looks as in reports."""
    trap, state = co.trap, co.state
    yield "%s %s%s" % (co.title, state, ": " + trap.text if trap else "")
    if state in ("running", "resuming"):
        yield "  resumer  %s" % (co.resumer.title if co.resumer else "host")
    if trap:
        if trap.signo:
            yield "  signal   %s, code %d" % (trap.signal(), trap.code)
        if trap.text == co.world.text("trap", 14):
            yield "  raised   %d" % trap.user_code
        if trap.access in ACCESSES:
            yield "  access   %s %#x%s" % (
                ACCESSES[trap.access], trap.address,
                REGIONS.get(trap.region, ""))
        if trap.in_host_call:
            yield "  in       a call of the host's for the guest"
    sp = next((sp for sp in sps if co.owns(sp)), None)
    used = co.used(sp)
    yield "  stack    %s of %d bytes in use" % (
        "?" if used is None else used, co.base - co.limit)
    yield "  base %016x  limit %016x  guard %016x" % (
        co.base, co.limit, co.field("guard"))
    yield "  record %#x, entry %s, user %#x" % (
        co.record, symbol(co.field("entry")), co.field("user"))
    if trap:
        values = trap.registers
        for i in range(0, len(REGISTERS), 4):
            yield " " + "".join("%7s %016x" % (name, values[name])
                                for name in REGISTERS[i:i + 4])
        yield "  at pc    %s" % instruction(values["rip"])
