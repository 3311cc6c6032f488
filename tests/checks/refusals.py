#!/usr/bin/env python3
#
# refusals.py: every refusal that moat_error_detail has to explain notes why.
#
#   refusals.py ROOT
#
# In the sources of the libraries a status of these kinds is passed to a function
# that notes a sentence, or is compared with another one.
#
# SPDX-License-Identifier: MIT
import pathlib
import re
import sys

ROOMS = ("sys arch stack heap registry unwind publish trap engine trace report "
         "sched uv malloc sigsegv").split()
STATUS = re.compile(r"\bMOAT_E_(INVAL|LIMIT|UNSUPPORTED|SYSTEM|FULL)\b")
NOTES = re.compile(r"\b(refuse\w*|moat_refuse\w*|moat_refusal_note"
                   r"|moat_error_note)\(")
COMPARES = re.compile(r"[!=]= MOAT_E_\w+")
# Statuses that a caller in the same room takes: locked pages are cleared
# instead; a scrub that fails drops the pages; a trim goes on, and its pages have
# noted why; a script's error is a text; the errno of a descriptor is passed on to
# the calls, some of which only set it. What notes returns what it was given.
TAKEN = {
    ("sys/linux/pages.c", "errno == EINVAL ?"),
    ("stack/scrub.c", "moat_status status = MOAT_E_SYSTEM"),
    ("stack/trim.c", "status = MOAT_E_SYSTEM"),
    ("trace/script.c", "moat_status_str(MOAT_E_LIMIT)"),
    ("sched/io/child.c", "moat_sched_wake(worker, task, taken > 0"),
    ("sched/io/descriptors.c", "answer(task, MOAT_E_SYSTEM)"),
    ("sched/io/descriptors.c", "error == EPERM ? MOAT_E_UNSUPPORTED"),
    ("sched/io/dial.c", "moat_sched_wake(worker, task, MOAT_E_SYSTEM)"),
    ("sched/io/dial.c", "moat_status status = MOAT_E_SYSTEM"),
    ("sched/io/newcomer.c", "answer(task, MOAT_E_SYSTEM)"),
    ("sched/refuse.h", "return MOAT_E_INVAL"),
}
FEWEST = 100


def statements(text):
    """Returns the statements, each in one line, without comments."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"^#.*$", "", text, flags=re.M)
    text = re.sub(r"\bcase \w+:", "", text)
    return re.split(r"[;{}]", re.sub(r"\s+", " ", text))


def main():
    root = pathlib.Path(sys.argv[1])
    noted, bare = 0, []
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.[ch]")):
            name = str(path.relative_to(root))
            if "/include/" in name:
                continue
            for statement in statements(path.read_text()):
                if NOTES.search(statement):
                    noted += 1
                elif (STATUS.search(statement)
                      and not COMPARES.search(statement)
                      and not any(name == file and words in statement
                                  for file, words in TAKEN)):
                    bare.append("%s:%s" % (name, statement))
    if noted < FEWEST:
        print("only %d refusals were found" % noted)
    if bare:
        print("these note no reason:", *bare, sep="\n")
    return noted < FEWEST or bool(bare)


if __name__ == "__main__":
    sys.exit(main())
