/*
 * plugin_host.c: a host that outlives what its plugins do.
 *
 * Shows: moat-malloc, by which a plugin's exit, abort and malloc are its own; a
 * quota and a limit in CPU time; the reason of a trap in one line; the question
 * whether a lock may still be held.
 * Run: build/debug/examples/plugin_host build/debug/examples/plugin.so
 * Prints: what became of each command (expected/plugin_host.txt).
 * Try: the same without moat-malloc: `exit` ends the host.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <moat/malloc.h>
#include <moat/moat.h>

/* A process with a held lock should not go on for long: what the plugin did
 * last may be saved, then the host starts anew. */
static int must_restart;

static void report(const moat_co *co)
{
    char line[256];
    const char *function = NULL;

    if (moat_co_format_report(co, MOAT_REPORT_LINE, line, sizeof line, NULL) ==
        MOAT_E_FULL)
        strcpy(line + sizeof line - 4, "...");
    printf("%s\n", line);
    if (moat_co_lock_function(co, &function) != MOAT_OK || function != NULL)
        must_restart = 1;
}

static int run(moat_entry plugin, char *command)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    moat_status status;
    moat_co *co;

    limits.resume_cpu_ns = 100000000; /* 100 ms */
    limits.memory_bytes = (size_t)8 << 20;
    options.limits = &limits;
    options.name = command;
    status = moat_co_create(&co, plugin, &options);
    if (status == MOAT_OK)
        status = moat_co_resume(co, command, &event);
    if (status != MOAT_OK) {
        fprintf(stderr, "plugin_host: %s\n", moat_error_str(status));
        return 1;
    }
    if (event.kind == MOAT_EVENT_RETURN)
        printf("plugin '%s' returned: %s\n", command, (char *)event.value);
    else
        report(co);
    moat_co_destroy(co);
    return 0;
}

int main(int argc, char **argv)
{
    char commands[][8] = {"hello", "crash", "exit", "abort",
                          "leak",  "hang",  "bye"};
    void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
    void *found = library != NULL ? dlsym(library, "plugin_run") : NULL;
    moat_entry plugin;
    int failed = 0;

    if (found == NULL) {
        fprintf(stderr, "usage: plugin_host PLUGIN\n");
        return 2;
    }
    memcpy(&plugin, &found, sizeof plugin);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        failed |= run(plugin, commands[i]);
    printf("the host goes on%s\n", must_restart ? ", and restarts" : "");
    return failed;
}
