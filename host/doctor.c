/*
 * doctor.c: `moat doctor`: what this machine supports, and a self-test.
 *
 * SPDX-License-Identifier: MIT
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <moat/moat.h>

#include "commands.h"
#include "json_line.h"
#include "machine.h"
#include "quantity.h"
#include "self_test.h"
#include "start.h"
#include "usage.h"

/* Everything is gathered before anything is written. */
struct findings {
    moat_engine_info engine;
    struct machine machine;
    struct bound bounds[BOUNDS_MAX];
    size_t bound_count;
    struct self_test *tests;
    bool contained;
};

static const char *guard_text(const moat_engine_info *engine)
{
    return engine->guard == MOAT_GUARD_MADVISE
               ? "MADV_GUARD_INSTALL: no mapping per stack"
               : "PROT_NONE: two mappings per stack";
}

static const char *scrubbing(const moat_engine_info *engine)
{
    if (!engine->pagemap)
        return "drop";
    return engine->pagemap_scan ? "pagemap_scan" : "pagemap";
}

static const char *scrubbing_text(const moat_engine_info *engine)
{
    if (!engine->pagemap)
        return "drops all pages: their contents cannot be queried";
    return engine->pagemap_scan ? "PAGEMAP_SCAN: many stacks at a time"
                                : "/proc/self/pagemap: a word for each page";
}

static const char *trimming_text(const moat_engine_info *engine)
{
    return engine->process_madvise ? "process_madvise: many stacks at a time"
                                   : "madvise: neighbours at a time";
}

static const char *yes_no(unsigned value)
{
    return value != 0 ? "yes" : "no";
}

/* Without a port to the CPU, moat's handlers alone. */
static const char *sources_text(const moat_engine_info *engine)
{
    return strcmp(engine->arch, "generic") == 0 ? "sigaction"
                                                : "sigaction, manual";
}

static void write_engine(const moat_engine_info *engine)
{
    printf("moat               %s\n", moat_version());
    printf("port               %s\n", engine->arch);
    printf("switch             %s\n", engine->switch_backend);
    printf("guards             %s\n", guard_text(engine));
    printf("MADV_GUARD_INSTALL %s\n", yes_no(engine->guards_by_madvise));
    printf("/proc/self/pagemap %s\n", yes_no(engine->pagemap));
    printf("scrubbing          %s\n", scrubbing_text(engine));
    printf("trimming           %s\n", trimming_text(engine));
    printf("fault source       %s (available: %s)\n", engine->source,
           sources_text(engine));
    printf("deadline signal    %d (SIGRTMAX-%d)\n", engine->deadline_signal,
           SIGRTMAX - engine->deadline_signal);
    printf("signal stack       %zu bytes per thread\n",
           engine->signal_stack_bytes);
    printf("page               %zu bytes\n", engine->page_bytes);
    printf("file:line          %s\n", yes_no(engine->symbolise_lines));
}

static void write_machine(const struct machine *machine)
{
    char text[32];

    printf("kernel             %s %s %s\n", machine->kernel.sysname,
           machine->kernel.release, machine->kernel.machine);
    printf("PAGEMAP_SCAN       %s\n", yes_no(machine->pagemap_scan));
    printf("CPU                %s\n",
           *machine->cpu != '\0' ? machine->cpu : "unknown");
    printf("vm.max_map_count   %" PRIu64 "\n", machine->max_map_count);
    printf("vm.overcommit      %" PRIu64 "\n", machine->overcommit);
    printf("memory available   %s\n",
           quantity_size_text(machine->memory_available, text, sizeof(text)));
    if (machine->address_space_limit == UINT64_MAX)
        printf("RLIMIT_AS          unlimited\n");
    else
        printf("RLIMIT_AS          %s\n",
               quantity_size_text(machine->address_space_limit, text,
                                  sizeof(text)));
}

static int write_text(const struct findings *findings)
{
    write_engine(&findings->engine);
    write_machine(&findings->machine);
    printf("\nstacks of 256 KiB, with guards of 64 KiB:\n");
    for (size_t i = 0; i < findings->bound_count; i++)
        printf("  at most %-12" PRIu64 " %s%s\n", findings->bounds[i].stacks,
               findings->bounds[i].why, i == 0 ? "  <- the bound" : "");
    printf("\nself-test, in guests:\n");
    for (size_t i = 0; i < self_test_count; i++)
        printf("  %-19s %s\n", findings->tests[i].name,
               findings->tests[i].outcome);
    printf("\n%s\n", findings->contained
                         ? "All is well: this host survives its guests."
                         : "Something is wrong: see the self-test.");
    return findings->contained ? EXIT_FINE : EXIT_BAD_SCRIPT;
}

static json_t *engine_json(const moat_engine_info *engine)
{
    return json_pack(
        "{s:s, s:s, s:s, s:b, s:b, s:s, s:s, s:s, s:i, s:I, s:I, s:b}", "port",
        engine->arch, "switch", engine->switch_backend, "guard",
        engine->guard == MOAT_GUARD_MADVISE ? "madvise" : "mprotect",
        "madv_guard_install", (int)engine->guards_by_madvise, "pagemap",
        (int)engine->pagemap, "scrubbing", scrubbing(engine), "trimming",
        engine->process_madvise ? "process_madvise" : "madvise", "source",
        engine->source, "deadline_signal", engine->deadline_signal,
        "signal_stack_bytes", (json_int_t)engine->signal_stack_bytes,
        "page_bytes", (json_int_t)engine->page_bytes, "file_line",
        (int)engine->symbolise_lines);
}

static json_t *machine_json(const struct machine *machine)
{
    bool unlimited = machine->address_space_limit == UINT64_MAX;

    return json_pack(
        "{s:s, s:s, s:b, s:s, s:I, s:I, s:I, s:o}", "kernel",
        machine->kernel.release, "arch", machine->kernel.machine,
        "pagemap_scan", (int)machine->pagemap_scan, "cpu", machine->cpu,
        "max_map_count", (json_int_t)machine->max_map_count, "overcommit",
        (json_int_t)machine->overcommit, "memory_available_bytes",
        (json_int_t)machine->memory_available, "rlimit_as_bytes",
        unlimited ? json_null()
                  : json_integer((json_int_t)machine->address_space_limit));
}

static json_t *bounds_json(const struct findings *findings)
{
    json_t *array = json_array();

    for (size_t i = 0; i < findings->bound_count; i++)
        json_array_append_new(array,
                              json_pack("{s:I, s:s}", "stacks",
                                        (json_int_t)findings->bounds[i].stacks,
                                        "why", findings->bounds[i].why));
    return array;
}

static json_t *tests_json(const struct findings *findings)
{
    json_t *array = json_array();

    for (size_t i = 0; i < self_test_count; i++)
        json_array_append_new(
            array,
            json_pack("{s:s, s:b, s:s, s:I}", "name", findings->tests[i].name,
                      "contained", (int)findings->tests[i].contained, "outcome",
                      findings->tests[i].outcome, "frames",
                      (json_int_t)findings->tests[i].frames));
    return array;
}

static int write_json(const struct findings *findings)
{
    json_t *object = json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:b}", "moat", moat_version(), "engine",
        engine_json(&findings->engine), "machine",
        machine_json(&findings->machine), "bounds", bounds_json(findings),
        "self_test", tests_json(findings), "ok", (int)findings->contained);

    bool written = json_line_write(stdout, object);

    json_decref(object);
    if (!written) {
        complain("doctor", "out of memory");
        return EXIT_BAD_INPUT;
    }
    return findings->contained ? EXIT_FINE : EXIT_BAD_SCRIPT;
}

static int examine(bool json)
{
    struct findings findings = {.engine = MOAT_ENGINE_INFO_INIT};
    int exit_status;

    if (!engine_start("doctor"))
        return EXIT_BAD_INPUT;
    findings.tests = calloc(self_test_count, sizeof(*findings.tests));
    if (findings.tests == NULL ||
        moat_engine_get_info(&findings.engine) != MOAT_OK) {
        complain("doctor", "out of memory");
        free(findings.tests);
        return EXIT_BAD_INPUT;
    }
    machine_read(&findings.machine);
    findings.bound_count =
        machine_bounds(&findings.machine, &findings.engine, findings.bounds);
    findings.contained = self_test_run(findings.tests);
    exit_status = json ? write_json(&findings) : write_text(&findings);
    free(findings.tests);
    return exit_status;
}

int command_doctor(int argc, char **argv)
{
    enum { KEY_JSON = OPTION_FIRST, KEY_HELP };
    static const struct option options[] = {
        {"json", no_argument, NULL, KEY_JSON},
        {"help", no_argument, NULL, KEY_HELP},
        {NULL, 0, NULL, 0}};
    bool json = false;
    int key;

    opterr = 0;
    while ((key = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (key == KEY_HELP) {
            usage_write(stdout, "doctor");
            return EXIT_FINE;
        }
        if (key != KEY_JSON) {
            complain_of_option("doctor", key, argv, options);
            return usage_refuse("doctor");
        }
        json = true;
    }
    if (optind < argc)
        return usage_refuse_argument("doctor", argv[optind]);
    return examine(json);
}
