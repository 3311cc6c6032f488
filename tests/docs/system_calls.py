#!/usr/bin/env python3
#
# system_calls.py PROGRAM DOCUMENT FOLDER: the program, traced by strace, makes
# the system calls that the document's table lists, when it lists them: no
# other, and each of them at least once. It runs with each choice that changes
# the calls. Files for perf go to the folder.
#
# At the end a table with a row too many, and one with a row too few, must be
# refused.
#
# SPDX-License-Identifier: MIT
import os
import re
import subprocess
import sys
import tempfile

MARK = re.compile(r'write\(1000, "([^"]*)"')
CALL = re.compile(r'(?:\[pid +\d+\] |\d+ +)?(\w+)\(')
ROW = re.compile(r'^\| (`\w+`(?:, `\w+`)*) \| ([^|]*) \| [^|]* \|$')
ANY_TIME = 'whenever the heap is asked'

CHOICES = [
    {},
    {'MOAT_PAGES': 'old'},
    {'MOAT_GUARD': 'mprotect'},
    {'MOAT_PERF_MAP': '1', 'MOAT_JITDUMP': None},
]


def skip(reason):
    print('skipped: docs.system_calls:', reason)
    sys.exit(77)


def listed(document):
    """The table: pairs of a time and a call."""
    pairs = set()
    with open(document) as lines:
        for row in filter(None, map(ROW.match, lines)):
            for call in re.findall(r'\w+', row[1]):
                pairs |= {(when, call) for when in row[2].split(', ')}
    return pairs


def traced(program, choice, folder):
    """The pairs of one run, and the calls that this kernel lacks."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith('MOAT_')}
    environment.update({name: value if value is not None else folder
                        for name, value in choice.items()})
    with tempfile.NamedTemporaryFile('r') as trace:
        run = subprocess.run(['strace', '-o', trace.name, program],
                             env=environment, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        lines = trace.readlines()
    if 'ptrace' in run.stderr and 'ermi' in run.stderr:
        skip('this process may not trace another')
    if run.returncode != 0:
        sys.exit(f'{program} under {choice}: {run.stderr}')
    lacking = {line.split()[0] for line in run.stdout.splitlines()
               if line.endswith(' 0')}
    return pairs_of(lines), lacking


def pairs_of(lines):
    pairs = set()
    when = 'end'
    for line in lines:
        mark = MARK.search(line)
        call = CALL.match(line)
        if mark:
            when = mark[1]
        elif call and when != 'end':
            pairs.add((when, call[1]))
    return pairs


def differences(table, made, lacking):
    any_time = {call for when, call in table if when == ANY_TIME}
    complaints = [f'{when}: {call} is made, but not listed'
                  for when, call in sorted(made - table)
                  if call not in any_time]
    calls_made = {call for _, call in made}
    complaints += [f'{when}: {call} is listed, but not made'
                   for when, call in sorted(table - made)
                   if call not in lacking and
                   not (when == ANY_TIME and call in calls_made)]
    return complaints


def main(program, document, folder):
    table = listed(document)
    made, lacking = set(), set()
    for choice in CHOICES:
        pairs, absent = traced(program, choice, folder)
        made |= pairs
        if not choice:
            lacking = absent
    complaints = differences(table, made, lacking)
    for complaint in complaints:
        print(complaint)
    if complaints or not table:
        return 1
    print(f'{len(table)} calls at their times')
    for planted in (table | {('resume', 'openat')},
                    table - {('create', 'mprotect')}):
        if len(differences(planted, made, lacking)) != 1:
            print('a wrong table is not refused')
            return 1
    return 0


try:
    sys.exit(main(*sys.argv[1:4]))
except FileNotFoundError as error:
    if error.filename != 'strace':
        raise
    skip('strace is not installed')
