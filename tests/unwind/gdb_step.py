# gdb_step.py: steps through a scene of step.c and checks gdb's frames at each
# instruction. Run by gdb-step.sh.
#
# SPDX-License-Identifier: MIT
import os

import gdb

MAX_STEPS = 5000


def chain():
    names = []
    frame = gdb.newest_frame()
    while frame is not None and len(names) < 64:
        names.append(frame.name() or "?")
        frame = frame.older()
    return names


def in_order(names, wanted):
    rest = iter(names)
    return all(name in rest for name in wanted)


def step_through(wanted):
    steps, truncated = 0, 0
    while steps < MAX_STEPS:
        gdb.execute("stepi", to_string=True)
        steps += 1
        names = chain()
        if names[0] == "scene_end":
            return steps, truncated
        if not in_order(names, wanted):
            truncated += 1
            if truncated <= 12:
                pc = gdb.newest_frame().pc()
                print("step %d: %#x %s" % (steps, pc, " ".join(names)))
    raise gdb.GdbError("the scene does not end")


def main():
    gdb.execute("set pagination off")
    gdb.execute("set confirm off")
    gdb.execute("handle SIGSEGV nostop noprint pass", to_string=True)
    gdb.execute("break scene_begin", to_string=True)
    gdb.execute("run", to_string=True)
    gdb.execute("delete")
    steps, truncated = step_through([os.environ["SCENE_FUNCTION"], "main"])
    print("gdb: %d instructions, %d truncated chains" % (steps, truncated))
    gdb.execute("kill")
    gdb.execute("quit %d" % (1 if truncated else 0))


try:
    main()
except gdb.error as error:
    print(error)
    gdb.execute("quit 1")
