#!/usr/bin/env python3
"""metrics.py: the file of --metrics is valid for Prometheus, and has what the
scripts did, whatever they are called.

    metrics.py MOAT SCRIPTS CALLS

SPDX-License-Identifier: MIT
"""
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

try:
    from prometheus_client.parser import text_string_to_metric_families
except ImportError:
    print("skipped: host.metrics: python3-prometheus-client is not installed")
    sys.exit(77)

moat, scripts, calls = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
failures = []


def check(held, what):
    if not held:
        failures.append(what)
        print("FAILED:", what)


def run(*arguments, status=None):
    done = subprocess.run([moat, "run", *map(os.fsencode, arguments)],
                          capture_output=True, timeout=500)
    if status is not None:
        check(done.returncode == status,
              f"{arguments}: status {done.returncode}, not {status}: "
              f"{done.stderr.decode(errors='replace')}")
    return done


def read(path):
    """Returns {(name, labels): value} and {family: type}."""
    samples, families = {}, {}
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"],
                              input=path.read_bytes(), capture_output=True)
        check(done.returncode == 0, f"promtool: {done.stdout + done.stderr}")
    for family in text_string_to_metric_families(path.read_bytes().decode()):
        check(family.documentation != "", f"{family.name}: no help")
        check(family.name not in families, f"{family.name}: two heads")
        families[family.name] = family.type
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            check(key not in samples, f"twice: {key}")
            samples[key] = sample.value
    return samples, families


def of(samples, name, **labels):
    """Returns the values of a name whose labels have these values."""
    return [value for (sample, has), value in samples.items()
            if sample == name and labels.items() <= dict(has).items()]


SUMS = ["runs_total", "restarts_total", "cpu_seconds_total",
        "wall_seconds_total", "resumes_total", "preemptions_total",
        "syscalls_total",
        "heap_bytes", "heap_byte_seconds_total", "traps_total",
        "verdicts_total"]
GAUGES = {"heap_bytes", "heap_peak_bytes", "stack_peak_bytes", "scripts"}


def check_sums(samples, families):
    for name in SUMS:
        each, whole = of(samples, "moat_script_" + name), of(
            samples, "moat_run_" + name)
        check(abs(sum(each) - sum(whole)) <= 1e-6 * len(each) + 1e-3 * (
            "byte_seconds" in name) * (len(each) + 1),
            f"{name}: {sum(each)} of the scripts, {sum(whole)} of all")
    for family, kind in families.items():
        short = family.split("_", 2)[2]
        check(kind == ("gauge" if short in GAUGES else "counter"),
              f"{family}: {kind}")


def check_use(folder):
    out = folder / "use.prom"
    grow = folder / "grow.lua"
    grow.write_text("local t = {} for i = 1, 50000 do t[i] = {i} end "
                    "local n = 0 for i = 1, 3000000 do n = n + 1 end")
    run("--slice", "200us", "--cpu", "300ms", "--metrics", out,
        scripts / "endless.lua", grow, scripts / "overflow.lua",
        scripts / "broken.lua", status=1)
    samples, families = read(out)
    check_sums(samples, families)
    check(of(samples, "moat_run_scripts") == [4], "four scripts")
    check(of(samples, "moat_script_traps_total", number="1",
             kind="MOAT_TRAP_DEADLINE") == [1], "the endless one's trap")
    check(of(samples, "moat_script_traps_total", number="3",
             kind="MOAT_TRAP_STACK_OVERFLOW") == [1], "the overflow")
    check(len(of(samples, "moat_script_traps_total")) == 2, "two traps")
    check(of(samples, "moat_script_verdicts_total", number="4",
             verdict="load error") == [1], "the load error")
    check(of(samples, "moat_script_cpu_seconds_total", number="1")[0] >= 0.3,
          "the endless one's CPU time")
    check(of(samples, "moat_script_preemptions_total", number="1")[0] > 100,
          "the endless one's preemptions")
    # A script that has used up its CPU time traps before the next slice.
    check(of(samples, "moat_script_resumes_total", number="1")[0] -
          of(samples, "moat_script_preemptions_total", number="1")[0] in (0, 1),
          "a resume for each slice")
    peak = of(samples, "moat_script_heap_peak_bytes", number="2")[0]
    check(peak > 2e6, f"the heap's peak: {peak}")
    wall = of(samples, "moat_script_wall_seconds_total", number="2")[0]
    held = of(samples, "moat_script_heap_byte_seconds_total", number="2")[0]
    check(held > peak * wall / 10, f"byte-seconds: {held} in {wall} s")
    check(of(samples, "moat_script_stack_peak_bytes", number="3")[0] >=
          200 << 10, "the overflow's stack")
    check(of(samples, "moat_run_stack_peak_bytes")[0] ==
          max(of(samples, "moat_script_stack_peak_bytes")), "the peak of all")


HOSTILE = [b'quote".lua', b"back\\slash.lua", b"line\nfeed.lua", b"cr\rtab\t.lua",
           b"\xff\xfe.lua", "\u202e\u2028é.lua".encode(), b"{}= #,'.lua",
           b"\x1b[31m.lua", b"# HELP moat_run_scripts x\n.lua", b"\\n\\\".lua",
           b"\\", b'"']


def check_names(folder):
    out = folder / "names.prom"
    files = []
    for name in HOSTILE:
        path = os.path.join(os.fsencode(folder), name)
        with open(path, "wb") as script:
            script.write(b"print(1)")
        files.append(path)
    run("--metrics", out, *files, files[0], status=0)
    samples, families = read(out)
    check_sums(samples, families)
    runs = of(samples, "moat_script_runs_total")
    check(runs == [1] * (len(files) + 1), f"a sample for each name: {runs}")
    names = {dict(labels)["script"] for sample, labels in samples
             if sample == "moat_script_runs_total"}
    for name in names:
        check(all(c.isprintable() or c == "\t" for c in name),
              f"{name!r}: not printable")
    check(os.fsdecode(files[0]) in names, "the quote is kept")
    check(os.fsdecode(files[1]) in names, "the backslash is kept")
    check("\\x0a" in "".join(names), "the line feed is escaped")


def check_restarts(folder):
    out = folder / "restarts.prom"
    run("--restart", "on-failure", "--restart-max", "2", "--restart-delay",
        "0", "--metrics", out, scripts / "overflow.lua", scripts / "fine.lua",
        status=1)
    samples, families = read(out)
    check_sums(samples, families)
    check(of(samples, "moat_script_runs_total", number="1") == [3], "runs")
    check(of(samples, "moat_script_restarts_total", number="1") == [2],
          "restarts")
    check(of(samples, "moat_script_traps_total", number="1") == [3], "traps")
    check(of(samples, "moat_run_runs_total") == [4], "runs of all")


def check_calls(folder):
    out = folder / "calls.prom"
    script = folder / "calls.lua"
    script.write_text("local calls = require('calls') "
                      "for i = 1, 7 do calls.parent() end")
    for policy, count, status in [("getppid", 7, 0), ("none", 1, 1),
                                  ("all", 0, 0)]:
        done = run("--syscalls", policy, "--module", "calls=" + calls,
                   "--metrics", out, script, script)
        if b"PR_SET_SYSCALL_USER_DISPATCH" in done.stderr + done.stdout:
            print("left out: no Syscall User Dispatch here")
            return
        check(done.returncode == status, f"{policy}: {done.returncode}")
        samples, families = read(out)
        check_sums(samples, families)
        check(of(samples, "moat_script_syscalls_total") == [count, count],
              f"{policy}: {of(samples, 'moat_script_syscalls_total')}")
        check(len(of(samples, "moat_script_traps_total",
                     kind="MOAT_TRAP_SYSCALL")) == 2 * status,
              f"{policy}: traps")


def check_file(folder):
    fine = scripts / "fine.lua"
    out = folder / "file.prom"
    older = "an older one, much longer" * 1000
    out.write_text(older)
    os.umask(0o027)
    with open(out, encoding="ascii") as reader:
        run("--metrics", out, fine, status=0)
        check(reader.read() == older, "replaced as a whole")
    read(out)
    check(stat.S_IMODE(out.stat().st_mode) == 0o640, "the umask's mode")
    link = folder / "link"
    link.symlink_to(out)
    for path, why in [("-", "standard output has the results"),
                      ("/dev/null", "is not a regular file"),
                      (link, "is not a regular file"),
                      (folder, "is not a regular file"),
                      (folder / "no" / "file", "No such file")]:
        done = run("--metrics", path, fine, status=2)
        check(why in done.stderr.decode(), f"{path}: {done.stderr}")
        check(done.stdout == b"", f"{path}: something ran")
    left = [path.name for path in folder.iterdir() if ".prom." in path.name]
    check(not left, f"left behind: {left}")


def start(out, *arguments):
    """Returns a process whose first script has ended."""
    process = subprocess.Popen([moat, "run", *map(str, arguments), "--metrics",
                                out, scripts / "fine.lua",
                                scripts / "endless.lua"],
                               stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    for _ in range(6000):
        if out.exists() or process.poll() is not None:
            break
        time.sleep(0.01)
    return process


def check_signal(folder):
    out = folder / "signal.prom"
    process = start(out, "--cpu", "0", "--wall", "0")
    check(of(read(out)[0], "moat_run_runs_total") == [1], "the first script")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=500)
    check(process.returncode == 143, f"status {process.returncode}, not 143")
    samples, families = read(out)
    check_sums(samples, families)
    check(of(samples, "moat_script_verdicts_total", number="2",
             verdict="interrupted") == [1], "the one that was interrupted")


def check_folder_that_is_gone(folder):
    below = folder / "below"
    below.mkdir()
    process = start(below / "file.prom", "--cpu", "2s")
    shutil.rmtree(below)
    said = process.communicate(timeout=500)[1].decode()
    check(process.returncode == 3, f"status {process.returncode}, not 3")
    check("--metrics: " in said and "No such file" in said, said)


with tempfile.TemporaryDirectory() as name:
    for test in (check_use, check_names, check_restarts, check_calls, check_file,
                 check_signal, check_folder_that_is_gone):
        below = pathlib.Path(name) / test.__name__
        below.mkdir()
        test(below)
print(f"{len(failures)} failures")
sys.exit(bool(failures))
