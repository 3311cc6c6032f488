"""moat_gdb.py: gdb's commands for coroutines.

    info coroutines [STATE|NAME]   list them
    info coroutine N               show one, with its trap record
    coroutine N COMMAND            run a frame command in coroutine N
    coroutine apply all COMMAND    run it in all coroutines that have frames
    coroutine step-in              step into the guest that this line resumes
    info moat tasks [STATE|NAME]   list the tasks of moat-sched
    moat task N COMMAND            run a frame command in task N

The commands work on live processes, core files and stripped programs, and
write neither registers nor memory; step-in runs a live one. up and down name
the border that they select. gdb's own backtrace crosses from one
coroutine to its resumer without them. With them, the borders are named.

A coroutine that is not running has its registers in memory. While a command
examines it, an unwinder claims the thread's frame #0 and presents those
registers as its caller's, so frame #1 is the coroutine's innermost frame.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import re
import sys
from typing import Dict, Iterator, List, Optional, Tuple

import gdb
import gdb.unwinder
from gdb.FrameDecorator import FrameDecorator

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import moat_table  # noqa: E402
import moat_tasks  # noqa: E402
from moat_table import Coroutine, Coroutines  # noqa: E402

# Commands that would continue the program or pop frames. They are refused,
# because no thread is where the presented frame is.
RESUMING = re.compile(
    r"(c|con\w*|fg|s|si|ste\w*|n|ni|nex\w*|fin\w*|u|unt\w*|adv\w*|j|jum\w*"
    r"|r|run|ret\w*|rev\w*|sta\w*|sig\w*|call)\b")

# gdb must take frame #0 for the innermost, wherever the coroutine's stack is,
# so its stack pointer is lower than any other.
LOWEST_SP = 1


def read(address: int, size: int) -> bytes:
    try:
        return bytes(gdb.selected_inferior().read_memory(address, size))
    except (gdb.MemoryError, OverflowError):
        raise moat_table.Unreadable("cannot read memory at %#x" % address)


def coroutines() -> Coroutines:
    if gdb.selected_inferior().pid == 0:
        raise moat_table.Error("no process, and no core file")
    try:
        table = int(gdb.parse_and_eval("(unsigned long)&moat_debug"))
    except gdb.error:
        raise moat_table.Error("no moat in this program (no symbol moat_debug)")
    return Coroutines(read, table)


def sched_table() -> Optional[int]:
    try:
        return int(gdb.parse_and_eval("(unsigned long)&moat_sched_debug"))
    except gdb.error:
        return None


def tasks() -> moat_tasks.Tasks:
    world, table = coroutines(), sched_table()
    if table is None:
        raise moat_table.Error(
            "no moat-sched in this program (no symbol moat_sched_debug)")
    return moat_tasks.Tasks(world, table)


def stack_pointer(frame: gdb.Frame) -> int:
    return int(frame.read_register("rsp")) & (2**64 - 1)


def frames_from(frame: Optional[gdb.Frame]) -> Iterator[gdb.Frame]:
    while frame is not None:
        yield frame
        frame = frame.older()


def program_at(pc: int) -> Optional[str]:
    """The program's file if pc is in it. gdb has this as text only."""
    own = False
    for line in gdb.execute("info files", to_string=True).splitlines():
        if line.startswith("Local "):
            own = line.startswith("Local exec file")
        section = re.match(r"\s*(0x[0-9a-f]+) - (0x[0-9a-f]+) is \S+$", line)
        if own and section and \
                int(section[1], 16) <= pc < int(section[2], 16):
            return gdb.current_progspace().filename
    return None


def nameless(pc: int) -> str:
    module = gdb.solib_name(pc) or program_at(pc)
    if module is None:
        return "%#x" % pc
    return "%#x in %s" % (pc, os.path.basename(module))


def symbol(address: int) -> str:
    text = gdb.execute("info symbol %d" % address, to_string=True)
    if text.startswith("No symbol"):
        return nameless(address)
    return text.split(" in section")[0].strip()


def location(frame: gdb.Frame) -> str:
    """Returns "function () at file:line", as far as they are known."""
    sal = frame.find_sal()
    if frame.name():
        text = frame.name() + " ()"
    else:
        pc = frame.pc() - (presenter.exact and frame.level() == 1)
        text = nameless(pc)
    if sal.symtab:
        text += " at %s:%d" % (sal.symtab.filename, sal.line)
    return text


# --- a coroutine's frames ----------------------------------------------------


class FrameId:
    def __init__(self, sp: int, pc: gdb.Value) -> None:
        self.sp = gdb.Value(sp).cast(gdb.lookup_type("long"))
        self.pc = pc


class Presenter(gdb.unwinder.Unwinder):
    """Presents a coroutine that is not running as the caller of frame #0."""

    def __init__(self) -> None:
        super().__init__("moat")
        self.co: Optional[Coroutine] = None
        self.exact = False  # frame #1's pc is not a return address
        self.registers: moat_table.Registers = {}

    def __call__(self, pending):  # type: ignore[no-untyped-def]
        if self.co is None or pending.level() != 0:
            return None
        info = pending.create_unwind_info(
            FrameId(LOWEST_SP, pending.read_register("rip")))
        for name, value in self.registers.items():
            # gdb looks up a caller one byte before its pc. For a fault at a
            # function's first byte it would find the preceding function.
            if name == "rip" and self.exact:
                value += 1
            kind = "int" if name == "eflags" else "long"
            info.add_saved_register(name, gdb.Value(
                value - (1 << 64) if value >> 63 else value).cast(
                    gdb.lookup_type(kind)))
        return info

    @contextlib.contextmanager
    def present(self, co: Coroutine) -> Iterator[gdb.Frame]:
        self.registers, self.exact = moat_table.start(co)
        with callers_of(gdb.newest_frame()):
            self.co = co
            gdb.invalidate_cached_frames()
            try:
                frame = gdb.newest_frame().older()
                if frame is None:
                    raise moat_table.Error("gdb finds no frame of " + co.title)
                yield frame
            finally:
                self.forget()
                gdb.invalidate_cached_frames()

    def forget(self, _event: object = None) -> None:
        self.co, self.exact = None, False


@contextlib.contextmanager
def callers_of(frame: gdb.Frame) -> Iterator[None]:
    """Lets a frame have a caller even if it is that of main, at which gdb ends
    every backtrace."""
    if frame.name() != "main" or gdb.parameter("backtrace past-main"):
        yield
        return
    gdb.execute("set backtrace past-main on")
    try:
        yield
    finally:
        gdb.execute("set backtrace past-main off")


@contextlib.contextmanager
def kept_selection() -> Iterator[None]:
    """Restores the user's selection of thread and frame at the end."""
    thread = gdb.selected_thread()
    if thread is None:
        raise moat_table.Error("no thread is selected")
    level = gdb.selected_frame().level()
    try:
        yield
    finally:
        if thread.is_valid():
            thread.switch()
            select_level(level)


def select_level(level: int) -> None:
    for frame in frames_from(gdb.newest_frame()):
        if frame.level() == level:
            frame.select()
            return


@contextlib.contextmanager
def limited_to(co: Coroutine, innermost: gdb.Frame) -> Iterator[None]:
    """Keeps gdb from unwinding past the root of a coroutine without a resumer:
    there are no frames."""
    if co.state == "resuming":
        yield
        return
    root = moat_table.find_root(co, (
        (frame.pc(), stack_pointer(frame)) for frame in frames_from(innermost)))
    if root is None:
        yield
        return
    former = gdb.parameter("backtrace limit")
    gdb.execute("set backtrace limit %d" % (root + 2))
    try:
        yield
    finally:
        gdb.execute("set backtrace limit %s" % (former or "unlimited"))


def innermost_of(co: Coroutine) -> Optional[gdb.Frame]:
    """Returns the innermost frame of a running coroutine, and selects its
    thread."""
    threads = sorted(gdb.selected_inferior().threads(), key=lambda t: t.num)
    for thread in threads:
        thread.switch()
        if co.owns(stack_pointer(gdb.newest_frame())):
            return gdb.newest_frame()
    # It is in a signal handler or in a call on its resumer's stack. In the core
    # file of one guest its frames come after those of the guest it resumed.
    for thread in threads:
        thread.switch()
        innermost = gdb.newest_frame()
        for frame in frames_from(innermost):
            owner = co.world.by_root(frame.pc(), stack_pointer(frame))
            if owner is not None and owner.record == co.record:
                return innermost
            if owner is not None:
                innermost = frame.older()
    return None


@contextlib.contextmanager
def frames_of(co: Coroutine) -> Iterator[Tuple[gdb.Frame, int]]:
    """Yields the innermost frame and the level at which a walk begins."""
    if co.state == "running":
        innermost = innermost_of(co)
        if innermost is None:
            raise moat_table.Error("gdb finds no thread that runs " + co.title)
        yield innermost, innermost.level()
    elif co.registers() is None:
        raise moat_table.Error("%s is %s: it has no frames"
                               % (co.title, co.state))
    else:
        with presenter.present(co) as innermost, limited_to(co, innermost):
            yield innermost, 1


def located_frames(co: Coroutine) -> Iterator[moat_table.Frame]:
    """The frames that moat_table.Locations needs."""
    try:
        with frames_of(co) as (innermost, _):
            for frame in frames_from(innermost):
                if co.owns(stack_pointer(frame)) or co.state != "running":
                    yield (stack_pointer(frame), frame.name() or "",
                           location(frame))
    except gdb.error as error:
        raise moat_table.Error(str(error))


def instruction(address: int) -> str:
    try:
        architecture = gdb.selected_frame().architecture()
        text = architecture.disassemble(address)[0]["asm"]
        return "%s: %s" % (symbol(address), text.expandtabs(1))
    except (gdb.MemoryError, gdb.error):
        return "%#x: no code there" % address


def stack_pointers() -> List[int]:
    """Returns the stack pointers of all threads."""
    found = []
    with kept_selection():
        for thread in gdb.selected_inferior().threads():
            thread.switch()
            found.append(stack_pointer(gdb.newest_frame()))
    return found


# --- the names of borders ----------------------------------------------------


class Titled(FrameDecorator):
    """A frame that is not a function: only its title is shown."""

    def __init__(self, base: FrameDecorator, title: str) -> None:
        super().__init__(base)
        self.title = title

    def function(self) -> str:
        return self.title

    def frame_args(self) -> None:
        return None

    def address(self) -> None:
        return None

    def filename(self) -> None:
        return None

    def line(self) -> None:
        return None


class Nameless(FrameDecorator):
    """Shows "??", as gdb does without a frame filter."""

    def function(self) -> str:
        return "??"


class Faulting(FrameDecorator):
    """Frame #1 of a trapped coroutine, whose pc the presenter increased."""

    def function(self) -> str:
        return self.inferior_frame().name() or "??"

    def address(self) -> int:
        return self.inferior_frame().pc() - 1


class Borders:
    """Names the borders between coroutines in a backtrace."""

    name = "moat"
    priority = 100
    enabled = True

    def filter(self, frames):  # type: ignore[no-untyped-def]
        try:
            world = coroutines()
        except (gdb.error, moat_table.Error):
            return frames
        return (self.decorate(world, each) for each in frames)

    def decorate(self, world: Coroutines,
                 decorator: FrameDecorator) -> FrameDecorator:
        frame = decorator.inferior_frame()
        co = presenter.co
        if co is not None and frame.level() == 0:
            trap = co.trap
            return Titled(decorator, "[%s, %s%s]" % (
                co.title, co.state, ": " + trap.text if trap else ""))
        if co is not None and frame.level() == 1 and presenter.exact:
            return Faulting(decorator)
        try:
            title = self.title(world, frame, co)
        except (gdb.error, moat_table.Error):
            return decorator
        if title:
            return Titled(decorator, "[%s]" % title)
        return decorator if frame.name() else Nameless(decorator)

    def title(self, world: Coroutines, frame: gdb.Frame,
              presented: Optional[Coroutine]) -> Optional[str]:
        if frame.pc() == world.table["root_return"]:
            co = world.by_root(frame.pc(), stack_pointer(frame))
            if co is None:
                return None
            resumed = presented is None or co.record != presented.record
            resumed = resumed or co.state == "resuming"
            return co.title + (", resumed by" if resumed else "")
        if frame.pc() == world.table["call_return"]:
            older = frame.older()
            co = older and world.by_stack(stack_pointer(older))
            return co.title + " calls its resumer" if co else None
        return None


# --- values ------------------------------------------------------------------


class HandlePrinter:
    """Prints a moat_co or a moat_co *."""

    def __init__(self, value: gdb.Value) -> None:
        self.value = value

    def to_string(self) -> str:
        pointer = self.value.type.code == gdb.TYPE_CODE_PTR
        address = int(self.value if pointer else self.value.address)
        try:
            co = coroutines().by_record(address)
        except (gdb.error, moat_table.Error):
            co = None
        text = "no coroutine" if co is None else co.title
        if pointer:
            return "%#x (%s)" % (address, text) if address else "0x0"
        return "%s, %s" % (text, co.state) if co else text

    def children(self):  # type: ignore[no-untyped-def]
        if self.value.type.code == gdb.TYPE_CODE_PTR:
            return iter(())
        return ((field.name, self.value[field.name])
                for field in self.value.type.fields())


class EventPrinter:
    """Prints a moat_event."""

    def __init__(self, value: gdb.Value) -> None:
        self.value = value

    def to_string(self) -> str:
        kind = str(self.value["kind"])
        word = kind[len("MOAT_EVENT_"):].lower()
        if word in ("yield", "return", "panic"):
            return "%s, value %#x" % (word, int(self.value["value"]))
        return word if kind.startswith("MOAT_EVENT_") else "event " + kind


class TrapPrinter:
    """Prints a moat_trap_info."""

    def __init__(self, value: gdb.Value) -> None:
        self.value = value

    def to_string(self) -> str:
        kind = int(self.value["kind"])
        if kind == 0:
            return "no trap"
        try:
            text = coroutines().text("trap", kind)
        except (gdb.error, moat_table.Error):
            text = str(self.value["kind"])
        access = moat_table.ACCESSES.get(int(self.value["access"]))
        if access:
            text += ", %s %#x" % (access, int(self.value["address"]))
        return "%s, at %s" % (text, symbol(int(self.value["pc"])))


class FramePrinter:
    """Prints a moat_frame."""

    def __init__(self, value: gdb.Value) -> None:
        self.value = value

    def to_string(self) -> str:
        exact = int(self.value["flags"]) & 2
        pc = int(self.value["pc"])
        return "%#x %s, sp %#x, %s" % (
            pc, symbol(pc if exact else pc - 1), int(self.value["sp"]),
            HandlePrinter(self.value["co"]).to_string()
            if int(self.value["co"]) else "host")


PRINTERS = {"moat_co": HandlePrinter, "moat_event": EventPrinter,
            "moat_trap_info": TrapPrinter, "moat_frame": FramePrinter}


class Printers:
    name = "moat"
    enabled = True
    subprinters = None

    def __call__(self, value: gdb.Value):  # type: ignore[no-untyped-def]
        kind = value.type.strip_typedefs()
        if kind.code == gdb.TYPE_CODE_PTR:
            target = kind.target().strip_typedefs()
            return HandlePrinter(value) if target.tag == "moat_co" else None
        printer = PRINTERS.get(kind.tag) if kind.tag else None
        return printer(value) if printer else None


# --- commands ----------------------------------------------------------------


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    try:
        yield
    except (gdb.error, moat_table.Error) as error:
        raise gdb.GdbError(str(error))


def parse_number(text: str) -> int:
    try:
        return int(text.lstrip("#"))
    except ValueError:
        raise moat_table.Error("a coroutine has a number, as info coroutines "
                               "shows it: '%s' is none" % text)


class InfoCoroutines(gdb.Command):
    """List coroutines: number, name, state, resumer, stack used, location.

Usage: info coroutines [STATE|NAME]

A coroutine has the number of its stack and keeps it until it is destroyed."""

    def __init__(self) -> None:
        super().__init__("info coroutines", gdb.COMMAND_STACK)

    def invoke(self, argument: str, _tty: bool) -> None:
        with plain_errors():
            world, sps = coroutines(), stack_pointers()
            with kept_selection():
                locations = moat_table.Locations(symbol, located_frames)
                for line in moat_table.listing(world, argument.strip(), sps,
                                               locations):
                    print(line)


class InfoCoroutine(gdb.Command):
    """Show one coroutine, with the trap record of a trapped one.

Usage: info coroutine N"""

    def __init__(self) -> None:
        super().__init__("info coroutine", gdb.COMMAND_STACK)

    def invoke(self, argument: str, _tty: bool) -> None:
        with plain_errors():
            co = coroutines().by_number(parse_number(argument))
            for line in moat_table.description(co, stack_pointers(), symbol,
                                               instruction):
                print(line)


class CoroutineCommand(gdb.Command):
    """Run a frame command (bt, frame, info locals, up) in a coroutine.

Usage: coroutine N COMMAND

If the coroutine is not running, frame #1 is its innermost frame and #0 stands
for the coroutine. The next command starts at the frame this one selects."""

    def __init__(self) -> None:
        super().__init__("coroutine", gdb.COMMAND_STACK, gdb.COMPLETE_COMMAND,
                         True)
        self.levels: Dict[int, int] = {}  # selected, by record

    def invoke(self, argument: str, tty: bool) -> None:
        words = argument.split(None, 1)
        with plain_errors():
            if len(words) < 2:
                raise moat_table.Error("Usage: coroutine N COMMAND")
            co = coroutines().by_number(parse_number(words[0]))
            self.run(co, words[1], tty)

    def run(self, co: Coroutine, command: str, tty: bool) -> None:
        if RESUMING.match(command):
            raise moat_table.Error("'%s' is not a frame command" % command)
        with kept_selection(), frames_of(co) as (_, first):
            select_level(self.levels.get(co.record, first))
            gdb.execute(command, tty)
            self.levels[co.record] = gdb.selected_frame().level()

    def forget(self, _event: object) -> None:
        self.levels.clear()


class CoroutineApplyAll(gdb.Command):
    """Run a frame command in all coroutines that have frames.

Usage: coroutine apply all COMMAND"""

    def __init__(self) -> None:
        gdb.Command("coroutine apply", gdb.COMMAND_STACK, gdb.COMPLETE_NONE,
                    True)
        super().__init__("coroutine apply all", gdb.COMMAND_STACK,
                         gdb.COMPLETE_COMMAND)

    def invoke(self, argument: str, tty: bool) -> None:
        with plain_errors():
            if not argument:
                raise moat_table.Error("Usage: coroutine apply all COMMAND")
            for co in coroutines():
                if co.state in ("fresh", "done"):
                    continue
                print("\n%s, %s:" % (co.title, co.state))
                try:
                    coroutine.run(co, argument, tty)
                except (gdb.error, moat_table.Error) as error:
                    print(error)


# --- running -------------------------------------------------------------------


class Landing(gdb.Breakpoint):
    """Stops one thread where a guest begins or continues."""

    def __init__(self, place: int, thread: int) -> None:
        super().__init__("*%#x" % place, internal=True)
        self.silent = True
        self.thread = thread
        self.reached = False

    def stop(self) -> bool:
        sp = int(gdb.parse_and_eval("(unsigned long)$sp"))
        self.reached = coroutines().by_stack(sp) is not None
        return self.reached


def after_prologue(entry: int) -> int:
    """Where the function's arguments are in place: its second line, as for
    gdb's own breakpoints. The entry itself without debug information."""
    symtab, block = gdb.find_pc_line(entry).symtab, gdb.block_for_pc(entry)
    if symtab is None or block is None:
        return entry
    return min((line.pc for line in symtab.linetable()
                if entry < line.pc < block.end), default=entry)


def landing_places(world: Coroutines) -> List[int]:
    """Where the coroutines that can be resumed will run: few, even of many."""
    places = set()
    for co in world:
        if co.state == "fresh":
            places.add(after_prologue(co.field("entry")))
        elif co.state == "suspended":
            places.add(co.field("pc"))
    return sorted(places)


def next_line() -> None:
    """`next`, which prints nothing: gdb 12 and later can be told so."""
    option = "suppress-cli-notifications"
    try:
        former = gdb.parameter(option)
    except RuntimeError:
        gdb.execute("next", False, True)
        return
    gdb.execute("set %s on" % option)
    try:
        gdb.execute("next", False, True)
    finally:
        gdb.execute("set %s %s" % (option, "on" if former else "off"))


class CoroutineStepIn(gdb.Command):
    """Step into the guest that the current line resumes.

Usage: coroutine step-in

Stops in the guest: in its entry function, or where its yield returns. If the
line resumes none that exists already, this is `next`."""

    MOST_STEPS = 20  # out of moat's inline functions

    def __init__(self) -> None:
        super().__init__("coroutine step-in", gdb.COMMAND_RUNNING,
                         gdb.COMPLETE_NONE)

    def invoke(self, _argument: str, _tty: bool) -> None:
        with plain_errors():
            thread = gdb.selected_thread()
            if thread is None:
                raise moat_table.Error("no thread is selected")
            landings = [Landing(place, thread.num)
                        for place in landing_places(coroutines())]
            try:
                next_line()
                reached = any(each.reached for each in landings)
            finally:
                for each in landings:
                    if each.is_valid():
                        each.delete()
            if gdb.selected_thread() is None:
                return
            if reached:
                self.leave_inline()
            else:
                print("no guest was entered")
            gdb.execute("frame")

    def leave_inline(self) -> None:
        for _ in range(self.MOST_STEPS):
            if not (gdb.selected_frame().name() or "").startswith("moat_"):
                return
            next_line()


def name_border() -> None:
    """Called after up and down: the frame of a border has no name for gdb."""
    try:
        title = borders.title(coroutines(), gdb.selected_frame(), presenter.co)
    except (gdb.error, moat_table.Error):
        return
    if title:
        print("[%s]" % title)


def hook(command: str) -> None:
    """Has name_border called after a command, unless the user has a hook."""
    try:
        former = gdb.execute("show user hookpost-" + command, to_string=True)
    except gdb.error:
        former = ""
    if not former or "moat_name_border" in former:
        gdb.execute("define hookpost-%s\npython moat_name_border()\nend"
                    % command)


def hook_all(_event: object = None) -> None:
    if not hook_all.done:
        hook_all.done = True
        for command in ("up", "down"):
            hook(command)


hook_all.done = False  # type: ignore[attr-defined]


class InfoTasks(gdb.Command):
    """List tasks of moat-sched: number, name, state, thread, coroutine, what
each waits for and for how long, where it was created.

Usage: info moat tasks [STATE|NAME]"""

    def __init__(self, name: str) -> None:
        super().__init__(name, gdb.COMMAND_STACK)

    def invoke(self, argument: str, _tty: bool) -> None:
        with plain_errors():
            for line in moat_tasks.listing(tasks(), argument.strip(),
                                           called_from):
                print(line)


class TaskCommand(gdb.Command):
    """Run a frame command (bt, frame, info locals, up) in a task.

Usage: moat task N COMMAND

It is "coroutine" with the number of a task."""

    def __init__(self) -> None:
        super().__init__("moat task", gdb.COMMAND_STACK, gdb.COMPLETE_COMMAND)

    def invoke(self, argument: str, tty: bool) -> None:
        words = argument.split(None, 1)
        with plain_errors():
            if len(words) < 2:
                raise moat_table.Error("Usage: moat task N COMMAND")
            coroutine.run(tasks().coroutine_of(words[0]), words[1], tty)


def called_from(pc: int) -> str:
    """Returns the code that has called, by the return address."""
    sal = gdb.find_pc_line(pc - 1)
    text = re.sub(r" \+ \d+$", " ()", symbol(pc - 1))
    if sal.symtab:
        text += " at %s:%d" % (sal.symtab.filename, sal.line)
    return text


def name_info_tasks(_event: object = None) -> None:
    """Where a program has moat-sched, "info tasks" are its tasks. gdb has a
    command of that name for programs in Ada, which keep it."""
    if not name_info_tasks.done and sched_table() is not None:
        InfoTasks("info tasks")
        name_info_tasks.done = True


name_info_tasks.done = False  # type: ignore[attr-defined]

presenter = Presenter()
borders = Borders()
sys.modules["__main__"].moat_name_border = name_border  # type: ignore
# While gdb loads this with a library, its command "run" is under way: a define
# would let that return before the program has stopped.
if gdb.current_objfile() is None:
    hook_all()
else:
    gdb.events.before_prompt.connect(hook_all)
gdb.unwinder.register_unwinder(None, presenter, replace=True)
gdb.frame_filters[Borders.name] = borders
gdb.pretty_printers[:] = [
    each for each in gdb.pretty_printers
    if getattr(each, "name", "") != Printers.name] + [Printers()]
InfoCoroutines()
InfoCoroutine()
coroutine = CoroutineCommand()
CoroutineApplyAll()
CoroutineStepIn()
gdb.Command("info moat", gdb.COMMAND_STACK, gdb.COMPLETE_NONE, True)
InfoTasks("info moat tasks")
gdb.Command("moat", gdb.COMMAND_STACK, gdb.COMPLETE_NONE, True)
TaskCommand()
name_info_tasks()
gdb.events.new_objfile.connect(name_info_tasks)
for event in (gdb.events.cont, gdb.events.exited):
    event.connect(presenter.forget)
    event.connect(coroutine.forget)
