"""moat_lldb.py: lldb's commands for coroutines.

    command script import .../moat_lldb.py
    coroutine list [STATE|NAME]      list them
    coroutine backtrace N|all        show the frames of one, or of all
    task list [STATE|NAME]           list the tasks of moat-sched
    task backtrace N|all             show the frames of one, or of all

The commands work on live processes, core files and stripped programs, and
write neither registers nor memory. lldb's own backtrace crosses from one
coroutine to its resumer without them.

A coroutine that is not running has its registers in memory. For the duration
of a command, lldb sees it as a thread of an operating system plug-in.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import sys
from typing import Iterable, Iterator, List, Optional

import lldb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import moat_table  # noqa: E402
import moat_tasks  # noqa: E402
from moat_lldb_threads import (  # noqa: E402
    FIRST_TID, coroutines, table_address)
from moat_table import Coroutine  # noqa: E402

# The path of the plug-in, for lldb.
PLUGIN = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      "moat_lldb_threads.py")
SETTING = "target.process.python-os-plugin-path"


def running_frames(process: lldb.SBProcess,
                   co: Coroutine) -> Optional[List[lldb.SBFrame]]:
    """Returns the frames of its thread, starting at its innermost."""
    threads = list(process)
    for thread in threads:
        if co.owns(thread.GetFrameAtIndex(0).GetSP()):
            return list(thread)
    # It is in a call on its resumer's stack. In the core file of one guest its
    # frames come after those of the guest it resumed.
    for thread in threads:
        first = 0
        for number, frame in enumerate(thread):
            owner = co.world.by_root(frame.GetPC(), frame.GetSP())
            if owner is not None and owner.record == co.record:
                return list(thread)[first:]
            if owner is not None:
                first = number + 1
    return None


def present(process: lldb.SBProcess, co: Coroutine) -> lldb.SBThread:
    """Returns a thread with the coroutine's registers."""
    thread = process.CreateOSPluginThread(FIRST_TID + co.number, co.record)
    if not thread.IsValid():
        raise moat_table.Error("lldb makes no thread of " + co.title)
    return thread


@contextlib.contextmanager
def plugin(debugger: lldb.SBDebugger) -> Iterator[None]:
    """Loads the plug-in for the duration of a command. Setting its path loads
    it into the current process, and restoring the path unloads it."""
    former = debugger.GetInternalVariableValue(
        SETTING, debugger.GetInstanceName()).GetStringAtIndex(0)
    debugger.HandleCommand("settings set %s '%s'" % (SETTING, PLUGIN))
    try:
        yield
    finally:
        debugger.HandleCommand("settings set %s '%s'" % (SETTING, former or ""))


def symbol(target: lldb.SBTarget, pc: int) -> str:
    address = target.ResolveLoadAddress(pc)
    name = named(address.GetSymbol().GetName())
    module = address.GetModule().GetFileSpec().GetFilename()
    if name or not module:
        return name or "%#x" % pc
    return "%#x in %s" % (pc, module)


def named(name: Optional[str]) -> str:
    """Drops the names that lldb invents for functions of stripped programs."""
    made_up = not name or name.startswith("___lldb_unnamed_symbol")
    return "" if made_up else name.split("(")[0]


def location(frame: lldb.SBFrame) -> str:
    name = named(frame.GetFunctionName())
    if not name:
        return symbol(frame.GetThread().GetProcess().GetTarget(),
                      frame.GetPC())
    line = frame.GetLineEntry()
    if line.IsValid():
        name += " at %s:%d" % (line.GetFileSpec().GetFilename(),
                               line.GetLine())
    return name


def frames_of(process: lldb.SBProcess,
              co: Coroutine) -> Iterator[lldb.SBFrame]:
    """Yields the frames, innermost first. The root is the last one if the
    coroutine has no resumer."""
    state = co.state
    frames: Optional[Iterable[lldb.SBFrame]]
    if state == "running":
        frames = running_frames(process, co)
        if frames is None:
            raise moat_table.Error("lldb finds no thread that runs " + co.title)
    elif co.registers() is None:
        raise moat_table.Error("%s is %s: it has no frames"
                               % (co.title, state))
    else:
        frames = present(process, co)
    for frame in frames:
        yield frame
        if state not in ("running", "resuming") and co.world.by_root(
                frame.GetPC(), frame.GetSP()):
            return


def print_frame(co: Coroutine, frame: lldb.SBFrame, number: int) -> str:
    owner = co.world.by_root(frame.GetPC(), frame.GetSP())
    if owner is None:
        text = location(frame)
        if not text.startswith("0x"):
            text = "%#x in %s" % (frame.GetPC(), text)
        return "frame #%d: %s" % (number, text)
    resumed = owner.record != co.record or co.state in ("running", "resuming")
    return "frame #%d: [%s%s]" % (number, owner.title,
                                  ", resumed by" if resumed else "")


def backtrace(process: lldb.SBProcess, co: Coroutine) -> Iterator[str]:
    trap = co.trap
    yield "%s, %s%s" % (co.title, co.state, ": " + trap.text if trap else "")
    for number, frame in enumerate(frames_of(process, co)):
        yield "  " + print_frame(co, frame, number)


def list_command(process: lldb.SBProcess, argument: str) -> Iterator[str]:
    sps = [thread.GetFrameAtIndex(0).GetSP() for thread in process]
    locations = moat_table.Locations(
        lambda pc: symbol(process.GetTarget(), pc),
        lambda co: ((frame.GetSP(), frame.GetFunctionName() or "",
                     location(frame)) for frame in frames_of(process, co)))
    return moat_table.listing(coroutines(process), argument, sps, locations)


def backtrace_command(process: lldb.SBProcess, argument: str) -> Iterator[str]:
    world = coroutines(process)
    if argument != "all":
        try:
            number = int(argument.lstrip("#"))
        except ValueError:
            raise moat_table.Error("Usage: coroutine backtrace N|all")
        yield from backtrace(process, world.by_number(number))
        return
    for co in world:
        if co.state not in ("fresh", "done"):
            yield from backtrace(process, co)


def tasks(process: lldb.SBProcess) -> moat_tasks.Tasks:
    world = coroutines(process)
    table = table_address(process, "moat_sched_debug")
    if table is None:
        raise moat_table.Error(
            "no moat-sched in this program (no symbol moat_sched_debug)")
    return moat_tasks.Tasks(world, table)


def list_tasks(process: lldb.SBProcess, argument: str) -> Iterator[str]:
    target = process.GetTarget()

    def called_from(pc: int) -> str:
        text = symbol(target, pc - 1)
        line = target.ResolveLoadAddress(pc - 1).GetLineEntry()
        if line.IsValid():
            text += " at %s:%d" % (line.GetFileSpec().GetFilename(),
                                   line.GetLine())
        return text

    return moat_tasks.listing(tasks(process), argument, called_from)


def backtrace_task(process: lldb.SBProcess, argument: str) -> Iterator[str]:
    found = tasks(process)
    if not argument:
        raise moat_table.Error("Usage: task backtrace N|all")
    if argument != "all":
        yield from backtrace(process, found.coroutine_of(argument))
        return
    for task in found:
        if task.co is not None:
            yield task.title + ":"
            yield from backtrace(process, task.co)


COMMANDS = {"list": list_command, "backtrace": backtrace_command}
TASK_COMMANDS = {"list": list_tasks, "backtrace": backtrace_task}


def task(debugger: lldb.SBDebugger, line: str,
         context: lldb.SBExecutionContext,
         result: lldb.SBCommandReturnObject, _state: dict) -> None:
    """task list [STATE|NAME]; task backtrace N|all"""
    run(TASK_COMMANDS, str(task.__doc__), debugger, line, context, result)


def coroutine(debugger: lldb.SBDebugger, line: str,
              context: lldb.SBExecutionContext,
              result: lldb.SBCommandReturnObject, _state: dict) -> None:
    """coroutine list [STATE|NAME]; coroutine backtrace N|all"""
    run(COMMANDS, str(coroutine.__doc__), debugger, line, context, result)


def run(commands: dict, usage: str, debugger: lldb.SBDebugger, line: str,
        context: lldb.SBExecutionContext,
        result: lldb.SBCommandReturnObject) -> None:
    words = line.split()
    command = commands.get(words[0]) if words else None
    if command is None:
        result.SetError("Usage: " + usage)
        return
    try:
        with plugin(debugger):
            for text in command(context.GetProcess(), " ".join(words[1:])):
                result.AppendMessage(text)
    except moat_table.Error as error:
        result.SetError(str(error))


def __lldb_init_module(debugger: lldb.SBDebugger, _state: dict) -> None:
    debugger.HandleCommand(
        "command script add -f %s.coroutine coroutine" % __name__)
    debugger.HandleCommand("command script add -f %s.task task" % __name__)
