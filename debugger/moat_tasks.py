"""moat_tasks.py: the tasks of moat-sched in a stopped process or a core file.

They are found through the table of moat-sched for debuggers
(moat/sched_debug.h), as coroutines are through that of moat. This module is
independent of the debugger and never writes.

SPDX-License-Identifier: MIT
"""

import struct
from typing import Callable, Iterator, List, Optional

import moat_table
from moat_table import Coroutine, Coroutines, Error

VERSION = 1

# Of a list that is damaged no more is shown.
MOST_TASKS = 10000000


class Task:
    """One task of a run."""

    def __init__(self, run: "Run", address: int) -> None:
        self.run = run
        self.address = address
        self.name = moat_table.shown(run.tasks.world.string(
            address + run.tasks.table["task.name"]))
        self.number = self.word("number")
        self.co_record = self.word("co")

    def word(self, field: str) -> int:
        tasks = self.run.tasks
        return tasks.world.word(self.address + tasks.table["task." + field])

    def byte(self, field: str) -> int:
        tasks = self.run.tasks
        return tasks.world.read(
            self.address + tasks.table["task." + field], 1)[0]

    @property
    def id(self) -> str:
        """The number; with that of the run if there are several."""
        if len(self.run.tasks.runs) == 1:
            return str(self.number)
        return "%d.%d" % (self.run.number, self.number)

    @property
    def title(self) -> str:
        return "task %s%s" % (self.id,
                              " '%s'" % self.name if self.name else "")

    @property
    def state(self) -> str:
        table, state = self.run.tasks.table, self.byte("state")
        if state == table["state.ready"]:
            return "ready" if self.co_record else "not started"
        if state == table["state.running"]:
            return "running"
        if state == table["state.waiting"]:
            return "ending" if self.byte("over") else "waiting"
        return "ended"

    @property
    def cancelled(self) -> bool:
        return self.byte("cancelled") != 0

    @property
    def co(self) -> Optional[Coroutine]:
        if not self.co_record:
            return None
        return self.run.tasks.world.by_record(self.co_record)

    @property
    def thread(self) -> str:
        """The thread that has it; none does before it has started."""
        home = self.word("home")
        if home == 0 or self.state == "not started":
            return "-"
        return str(self.run.index_of(home))

    @property
    def wait(self) -> str:
        """What it waits in and for, as in a dump."""
        tasks, op = self.run.tasks, self.word("waits_in")
        if op == 0:
            return "-"
        words = tasks.world.word(op + tasks.table["op.words"])
        text = tasks.world.string(words)
        waits_for = self.word("waits_for")
        if waits_for == 0:
            return text
        if tasks.world.read(op + tasks.table["op.for_task"], 1)[0]:
            return "%s %s" % (text, Task(self.run, waits_for).id)
        return "%s %#x" % (text, waits_for)

    @property
    def since(self) -> str:
        if self.word("waits_in") == 0:
            return "-"
        ns = max(0, self.run.now - self.word("since"))
        return "%.3f s" % (ns / 1e9)


class Run:
    """A run of the scheduler."""

    def __init__(self, tasks: "Tasks", address: int) -> None:
        def word(field: str) -> int:
            return tasks.world.word(address + tasks.table["run." + field])

        self.tasks = tasks
        self.number = 0
        self.next = word("next")
        self.workers = word("workers")
        self.threads = struct.unpack("<I", tasks.world.read(
            address + tasks.table["run.threads"], 4))[0]
        self.list = address + tasks.table["run.tasks"]

    @property
    def now(self) -> int:
        """The latest time that a thread has read, from which waits count."""
        table = self.tasks.table
        return max(self.tasks.world.word(
            self.workers + i * table["worker.bytes"] + table["worker.now"])
            for i in range(self.threads))

    def index_of(self, worker: int) -> int:
        return (worker - self.workers) // self.tasks.table["worker.bytes"]

    def __iter__(self) -> Iterator[Task]:
        world, link = self.tasks.world, self.tasks.table["task.everyone"]
        at = world.word(self.list)
        for _ in range(MOST_TASKS):
            if at == self.list:
                return
            yield Task(self, at - link)
            at = world.word(at)
        raise Error("the list of tasks has no end")


class Tasks:
    """All runs of a process, the oldest first."""

    def __init__(self, world: Coroutines, table: int) -> None:
        self.world = world
        self.table = moat_table.read_table(world.read, table, VERSION)
        self.runs: List[Run] = []
        address = world.word(self.table["runs"])
        while address:
            self.runs.insert(0, Run(self, address))
            address = self.runs[0].next
        for number, run in enumerate(self.runs):
            run.number = number + 1

    def __iter__(self) -> Iterator[Task]:
        for run in self.runs:
            yield from run

    def by_id(self, text: str) -> Task:
        for task in self:
            if text.lstrip("#") == task.id:
                return task
        raise Error("there is no task %s: see the list of tasks" % text)

    def coroutine_of(self, text: str) -> Coroutine:
        """Returns the coroutine of a task that has one."""
        task = self.by_id(text)
        co = task.co
        if co is None:
            raise Error("%s is %s: it has no frames" % (task.title, task.state))
        return co


def listing(tasks: Tasks, wanted: str,
            source: Callable[[int], str]) -> Iterator[str]:
    """Yields the lines of the list of tasks. `wanted` is a state, a name, or
    empty for all. `source` names the code at a return address."""
    rows = [("Id", "Name", "State", "Thread", "Coroutine", "Waits", "For",
             "Created")]
    for task in tasks:
        state = task.state
        if wanted and wanted not in (state, task.name):
            continue
        if task.cancelled:
            state += ", cancelled"
        creator, co = task.word("creator"), task.co
        rows.append((task.id, task.name, state, task.thread,
                     "#%d" % co.number if co else "-", task.wait, task.since,
                     source(creator) if creator else "by the host"))
    widths = [max(len(row[i]) for row in rows) for i in range(7)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        yield "  ".join(cells + [row[7]]).rstrip()
    if len(rows) == 1:
        yield "(none)"
