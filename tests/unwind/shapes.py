# shapes.py: runs shapes.c and compares moat's frames with gdb's: the pc and the
# stack pointer of each, in order, from the innermost to _start. Run by
# shapes.sh.
#
# Only two differences are allowed:
#
#   A stop: moat_backtrace begins with its caller, shapes_walk, at the call of
#   moat_backtrace. gdb stops later, at the next call of the same frame.
#
#   A trap: gdb's list is taken at the fault, moat's after the function that
#   resumed has its event. By then, the library's frames between the trapped
#   coroutine's root and that function, if the resume was not inline, have
#   returned.
#
# SPDX-License-Identifier: MIT
import json
import os
import struct

import gdb

FRAME = struct.Struct("=QQQI4x")  # struct moat_frame
ROOT, TRAP, GUESSED = 1, 2, 8
STOP, TRAPPED = 1, 2
RESUMES = ("moat_co_resume", "moat_co_resume_slow", "moat_resume_run", "enter")
SIGNALS = ("SIGSEGV", "SIGILL", "SIGABRT")


class Mismatch(Exception):
    pass


def number(symbol):
    address = int(gdb.parse_and_eval("(unsigned long)&" + symbol))
    memory = gdb.selected_inferior().read_memory(address, 8)
    return int.from_bytes(memory.tobytes(), "little")


def moat_frames():
    """Returns (pc, sp, flags) of each frame."""
    address = int(gdb.parse_and_eval("(unsigned long)&shapes_frames"))
    size = number("shapes_count") * FRAME.size
    memory = gdb.selected_inferior().read_memory(address, size).tobytes()
    return [(pc, sp, flags) for pc, sp, _, flags in FRAME.iter_unpack(memory)]


def gdb_frames():
    """Returns (pc, sp, name) of each frame that is on a stack. Inlined functions
    and those that gdb knows to have ended in a tail call are not."""
    frames = []
    frame = gdb.newest_frame()
    while frame is not None:
        if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            sp = int(frame.read_register("rsp")) & (2**64 - 1)
            frames.append((frame.pc(), sp, frame.name() or "?"))
        frame = frame.older()
    return frames


def is_root(frame):
    return frame[2] == "moat_root"


def after_stop(theirs):
    names = [frame[2] for frame in theirs]
    return theirs[names.index("shapes_walk"):]


def after_trap(theirs):
    border = [is_root(frame) for frame in theirs].index(True)
    last = border + 1
    while theirs[last][2].split(".")[0] in RESUMES:
        last += 1
    return theirs[:border + 1] + theirs[last:]


def compare(mine, theirs, trapped):
    if len(mine) != len(theirs):
        raise Mismatch("%d frames and %d" % (len(mine), len(theirs)))
    for i, (ours, gdbs) in enumerate(zip(mine, theirs)):
        pc, sp, flags = ours
        walks = i == 0 and not trapped
        if (pc != gdbs[0] and not walks) or sp != gdbs[1]:
            raise Mismatch("frame %d" % i)
        if bool(flags & ROOT) != is_root(gdbs):
            raise Mismatch("frame %d: a root for one of them only" % i)
        if bool(flags & TRAP) != (trapped and i == 0):
            raise Mismatch("frame %d: the fault" % i)
        if flags & GUESSED:
            raise Mismatch("frame %d: guessed" % i)


def compare_report(mine):
    with open(os.environ["REPORT"], encoding="utf-8") as file:
        report = json.load(file)
    if report["frame_count"] != len(mine):
        raise Mismatch("the report has %d frames" % report["frame_count"])
    for frame in report["frames"]:
        pc, sp, _ = mine[frame["number"]]
        if int(frame["pc"], 16) != pc or int(frame["sp"], 16) != sp:
            raise Mismatch("the report's frame %d" % frame["number"])


def show(mine, theirs):
    for i in range(max(len(mine), len(theirs))):
        left = "%#x %#x %d" % mine[i] if i < len(mine) else "-"
        right = "%#x %#x %s" % theirs[i] if i < len(theirs) else "-"
        print("  %3d %-36s %s" % (i, left, right))


class Run:
    def __init__(self):
        self.event = None
        self.at_fault = None
        self.shapes, self.frames, self.borders, self.longest = [0, 0], 0, 0, 0
        self.failed = 0
        gdb.events.stop.connect(self.on_stop)
        gdb.events.exited.connect(self.on_exit)

    def on_stop(self, event):
        self.event = event

    def on_exit(self, event):
        self.event = event

    def look(self):
        trapped = number("shapes_kind") == TRAPPED
        mine = moat_frames()
        theirs = after_trap(self.at_fault) if trapped else \
            after_stop(gdb_frames())
        try:
            compare(mine, theirs, trapped)
            if trapped:
                compare_report(mine)
        except Mismatch as what:
            self.failed += 1
            print("seed %d: %s" % (number("shapes_seed"), what))
            show(mine, theirs)
        self.shapes[trapped] += 1
        self.frames += len(mine)
        self.borders += sum(is_root(frame) for frame in theirs)
        self.longest = max(self.longest, len(mine))
        self.at_fault = None

    def go(self):
        gdb.execute("run", to_string=True)
        while not isinstance(self.event, gdb.ExitedEvent):
            if isinstance(self.event, gdb.SignalEvent):
                if self.event.stop_signal not in SIGNALS or self.at_fault:
                    raise gdb.GdbError("stopped by " + self.event.stop_signal)
                self.at_fault = gdb_frames()
            else:
                self.look()
            gdb.execute("continue", to_string=True)
        return getattr(self.event, "exit_code", 1)


def main():
    for command in ("pagination off", "confirm off", "backtrace past-main on",
                    "backtrace past-entry on", "print inferior-events off"):
        gdb.execute("set " + command)
    for signal in SIGNALS:
        gdb.execute("handle %s stop print pass" % signal, to_string=True)
    gdb.execute("break shapes_stop", to_string=True)
    run = Run()
    code = run.go()
    stops, traps = run.shapes
    print("%d stops and %d traps, %d frames, %d borders, up to %d frames: "
          "%d differ" % (stops, traps, run.frames, run.borders, run.longest,
                         run.failed))
    if code != 0 or run.failed or stops + traps != int(os.environ["SHAPES"]):
        print("the program ended with %d" % code)
        gdb.execute("quit 1")
    gdb.execute("quit 0")


try:
    main()
except gdb.error as error:
    print(error)
    gdb.execute("quit 1")
