#!/usr/bin/env python3
"""trace.py: the trace of a run is valid JSON in Chrome's format, and says what
the run has done (`traces` of test_seen.c).

    trace.py PROGRAM

SPDX-License-Identifier: MIT
"""

import json
import subprocess
import sys
from collections import Counter


def trace(name):
    text = subprocess.run([sys.argv[1], "trace", name], check=True,
                          stdout=subprocess.PIPE).stdout
    whole = json.loads(text)
    assert whole["displayTimeUnit"] == "ns"
    assert whole["otherData"]["clock"] == "monotonic"
    for event in whole["traceEvents"]:
        assert isinstance(event["pid"], int) and event["name"], event
        if event["ph"] != "M":
            assert event["ts"] > 0 and isinstance(event["tid"], int), event
    return whole["traceEvents"], whole["otherData"]["lost_events"]


def phase(events, letter):
    return [event for event in events if event["ph"] == letter]


def check_spans(events):
    """A thread runs one task at a time."""
    for thread in {event["tid"] for event in phase(events, "X")}:
        spans = sorted((event["ts"], event["ts"] + event["dur"])
                       for event in phase(events, "X")
                       if event["tid"] == thread)
        for (_, end), (begin, _) in zip(spans, spans[1:]):
            assert end <= begin + 0.0005, (end, begin)


def check_waits(events):
    """Each begin of a wait has an end, and a task has one wait at a time."""
    waits = {}
    for event in events:
        if event["ph"] in "be":
            waits.setdefault(event["id"], []).append(event)
    for each in waits.values():
        assert [event["ph"] for event in each] == ["b", "e"] * (len(each) // 2)
        times = [event["ts"] for event in each]
        assert all(end >= begin for begin, end in
                   zip(times[0::2], times[1::2])), times
    return Counter(event["name"] for event in phase(events, "b"))


def check_flows(events, number):
    """An arrow from each spawn to the first turn, which come later."""
    begins = {event["id"]: event["ts"] for event in phase(events, "s")}
    ends = {event["id"]: event["ts"] for event in phase(events, "f")}
    assert len(begins) == number and begins.keys() <= ends.keys()
    for task, begin in begins.items():
        assert ends[task] >= begin - 1000, (begin, ends[task])


def check_exchange(name, threads):
    events, lost = trace(name)
    assert lost == 0
    names = [event["args"]["name"] for event in phase(events, "M")
             if event["name"] == "thread_name"]
    assert names == ["thread %d" % i for i in range(threads)]
    check_spans(events)
    waits = check_waits(events)
    # A sleep whose time has passed before it begins is no wait.
    assert waits["sleeps"] <= 10, waits
    assert waits["receives from channel"] >= 1, waits
    check_flows(events, 2)
    ran = Counter(event["name"] for event in phase(events, "X"))
    assert ran['echo "quoted"'] >= 1 and ran["task 1"] >= 1, ran
    assert ran["task 3"] == 1, ran
    ended = {event["args"]["task"]: event["name"]
             for event in phase(events, "i")}
    assert ended == {1: "returned", 2: "returned",
                     3: "null pointer access"}, ended


check_exchange("one", 1)
check_exchange("three", 3)

# The last events are kept, the others are counted.
events, lost = trace("lost")
assert lost > 0
recorded = [event for event in events if event["ph"] not in "Me"]
assert len(recorded) == 16, len(recorded)
assert phase(events, "i")[-1]["args"]["task"] == 1

# A deadlock: the last thing that the trace shows.
events, lost = trace("stuck")
assert lost == 0
assert check_waits(events)["receives from channel"] == 2
assert len(phase(events, "i")) == 2
