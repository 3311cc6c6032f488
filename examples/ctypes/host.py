#!/usr/bin/env python3
"""host.py: a host in Python, without a compiler.

Shows: libmoat.so by ctypes; the structs that a host needs; a plugin's crash as
an exception. The guest must be native code: a Python function that faults would
leave the interpreter's frames behind.
Run: examples/ctypes/host.py build/debug/libmoat.so build/debug/examples/plugin.so
Prints: what became of each command (../expected/ctypes.txt).
Try: limits, by a struct moat_limits.

SPDX-License-Identifier: MIT
"""
import ctypes
import sys

OK = 0
EVENT_RETURN, EVENT_TRAP = 2, 3
REPORT_LINE = 3


class Event(ctypes.Structure):
    """moat_event"""
    _fields_ = [("kind", ctypes.c_int),
                ("value", ctypes.c_void_p),
                ("co", ctypes.c_void_p)]


class Trap(Exception):
    """A guest trapped; the text is the reason."""


class Moat:
    """The calls that this program needs, with their types."""

    def __init__(self, path):
        lib = ctypes.CDLL(path)
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        lib.moat_co_create.argtypes = [
            ctypes.POINTER(pointer), pointer, pointer]
        lib.moat_co_resume.argtypes = [
            pointer, ctypes.c_char_p, ctypes.POINTER(Event)]
        lib.moat_co_format_report.argtypes = [
            pointer, ctypes.c_int, ctypes.c_char_p, size, pointer]
        lib.moat_co_destroy.argtypes = [pointer]
        lib.moat_co_destroy.restype = None
        lib.moat_error_str.argtypes = [ctypes.c_int]
        lib.moat_error_str.restype = ctypes.c_char_p
        lib.moat_version.restype = ctypes.c_char_p
        self.lib = lib

    def check(self, status):
        """Raises what a refused call has to say."""
        if status != OK:
            raise ValueError(self.lib.moat_error_str(status).decode())

    def run(self, entry, text):
        """Runs a native function in a coroutine and returns its text."""
        co, event = ctypes.c_void_p(), Event()
        self.check(self.lib.moat_co_create(ctypes.byref(co), entry, None))
        try:
            self.check(self.lib.moat_co_resume(co, text.encode(),
                                               ctypes.byref(event)))
            if event.kind == EVENT_RETURN:
                return ctypes.string_at(event.value).decode()
            line = ctypes.create_string_buffer(1024)
            self.lib.moat_co_format_report(event.co, REPORT_LINE, line,
                                           len(line), None)
            raise Trap(line.value.decode())
        finally:
            self.lib.moat_co_destroy(co)


def main():
    """Runs some commands of the plugin."""
    moat = Moat(sys.argv[1])
    plugin = ctypes.CDLL(sys.argv[2])
    entry = ctypes.cast(plugin.plugin_run, ctypes.c_void_p)
    print("moat", moat.lib.moat_version().decode())
    for command in "hello", "crash", "abort", "bye":
        try:
            print(f"{command}: {moat.run(entry, command)}")
        except Trap as trap:
            # The coroutine has no name, so its address comes first.
            print(f"{command}: {str(trap).split(' ', 2)[2]}")
    try:
        moat.run(None, "hello")
    except ValueError as error:
        print(error)


if __name__ == "__main__":
    main()
