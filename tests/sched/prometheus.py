#!/usr/bin/env python3
"""prometheus.py: a monitor's text is valid for Prometheus, and says what the
run has done; DOCUMENT names each metric. Read by promtool too, where it is
installed.

    prometheus.py PROGRAM DOCUMENT

SPDX-License-Identifier: MIT
"""

import re
import shutil
import subprocess
import sys

try:
    from prometheus_client.parser import text_string_to_metric_families
except ImportError:
    print("skipped: sched.prometheus: python3-prometheus-client is not "
          "installed")
    sys.exit(77)

text = subprocess.run([sys.argv[1], "prometheus"], check=True,
                      stdout=subprocess.PIPE).stdout.decode("ascii")
lines = text.splitlines()
families = {family.name: family
            for family in text_string_to_metric_families(text)}


def samples(name, **labels):
    found = [sample for family in families.values()
             for sample in family.samples if sample.name == name]
    return [sample for sample in found
            if labels.items() <= sample.labels.items()]


def total(name, **labels):
    found = samples("moat_sched_" + name, **labels)
    assert found, (name, labels)
    return sum(sample.value for sample in found)


# Every family has one HELP and one TYPE, and its samples stand together.
assert text.endswith("\n") and len(families) >= 14
for family in families.values():
    assert family.documentation and family.type != "unknown", family
kinds = [line.split()[2] for line in lines if line.startswith("# TYPE ")]
helps = [line.split()[2] for line in lines if line.startswith("# HELP ")]
assert kinds == helps and len(set(kinds)) == len(kinds)
for name in kinds:
    at = [number for number, line in enumerate(lines)
          if line.startswith(name) or (" %s " % name) in line]
    assert at == list(range(at[0], at[0] + len(at))), name
keys = [line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#")]
assert len(set(keys)) == len(keys)

with open(sys.argv[2]) as file:
    table = [line for line in file if line.startswith("| `")]
shown = {name for line in table
         for name in re.findall(r"`([a-z_]+)", line.split("|")[1])}
assert {name.replace("moat_sched_", "") for name in kinds} <= shown

# The run had six tasks on two threads (test_seen.c).
assert total("tasks_spawned_total") == 6
assert total("tasks_ended_total", how="return") == 1
assert total("tasks_ended_total", how="trap") == 4
assert total("tasks_ended_total", how="cancelled") == 1
assert total("tasks_ended_total", how="panic") == 0
assert total("traps_total", kind="MOAT_TRAP_NULL") == 2
assert total("traps_total", kind="MOAT_TRAP_DEADLINE") == 1
assert total("tasks_live") == 0 and total("timers") == 0
assert total("switches_total") >= 6
assert {sample.labels["thread"] for sample in
        samples("moat_sched_switches_total")} == {"0", "1"}
assert total("longest_run_seconds") > 0

# A histogram: buckets that grow with their bound, +Inf as many as there are.
assert families["moat_sched_delay_seconds"].type == "histogram"
for thread in "01":
    buckets = samples("moat_sched_delay_seconds_bucket", thread=thread)
    bounds = [float(bucket.labels["le"]) for bucket in buckets]
    values = [bucket.value for bucket in buckets]
    assert bounds == sorted(bounds) and bounds[-1] == float("inf")
    assert values == sorted(values) and len(values) == 8
    assert values[-1] == total("delay_seconds_count", thread=thread)
    assert total("delay_seconds_sum", thread=thread) >= 0
assert total("delay_seconds_count") >= 6

if shutil.which("promtool"):
    subprocess.run(["promtool", "check", "metrics"], input=text.encode(),
                   check=True)
