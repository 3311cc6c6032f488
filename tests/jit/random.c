/*
 * random.c: runs random scripts, compiled, in coroutines whose policy allows
 * only registered code to be stopped, and compares them with an interpreter of
 * their trees: the values that they print and yield, their result, the kind of
 * their fault and its line. If the interpreter gives up, a time limit or the
 * end of its stack stops the compiled script; in any case the host survives.
 * Then the same with a damaged text, which must be refused with a line, or run.
 *
 *   random COUNT [FIRST]    runs scripts FIRST to FIRST + COUNT - 1
 *   random show SEED        prints a script
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/jit/program.h"
#include "tests/jit/generator.h"
#include "tests/jit/interpreter.h"
#include "tests/unwind/chain.h"

#define FILE_NAME    "random"
#define STACK_BYTES  ((size_t)1 << 20)
#define SHORT_NS     ((uint64_t)5 * 1000 * 1000)
#define MAX_C_FRAMES 6
#define LONG_NS      ((uint64_t)60 * 1000 * 1000 * 1000)

static char text[MAX_SCRIPT_BYTES + 1];
static struct trace expected, seen;
static const struct program *running;
static struct trace *tracing;
static unsigned long emitted; /* yields that did not need the library */

/* --- the compiled script ------------------------------------------------- */

static void *note_print(void *value)
{
    (void)trace_add(tracing, 'p', *(int64_t *)value);
    return NULL;
}

static void print(moat_co *self, int64_t value)
{
    (void)moat_call_on_parent(self, note_print, &value);
}

/* Returns the line of the script's innermost frame; 0 if it is unknown. C
 * frames come before it if an error was raised. */
static int line_of_trap(const moat_co *co, size_t before)
{
    moat_frame frames[8];
    char description[256];
    const char *at;
    size_t count, i = 0;

    (void)moat_co_backtrace(co, frames, 8, &count);
    while (i < before && i < count && !(frames[i].flags & MOAT_FRAME_JIT))
        i++;
    if (i == count || !(frames[i].flags & MOAT_FRAME_JIT) ||
        moat_frame_describe(&frames[i], description, sizeof description) !=
            MOAT_OK)
        return 0;
    at = strstr(description, " at " FILE_NAME ":");
    return at != NULL ? atoi(at + strlen(" at " FILE_NAME ":")) : 0;
}

static void note_trap(struct trace *out, const moat_co *co)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;

    if (moat_co_trap_info(co, &trap) != MOAT_OK)
        abort();
    if (trap.kind == MOAT_TRAP_RAISED &&
        generators_error_is_passed_on(trap.user_code))
        return; /* recorded before */
    out->outcome = OUTCOME_RUNAWAY;
    if (trap.kind == MOAT_TRAP_RAISED)
        out->outcome = OUTCOME_ERROR;
    else if (trap.kind == MOAT_TRAP_ARITHMETIC)
        out->outcome = OUTCOME_ARITHMETIC;
    else if (trap.kind == MOAT_TRAP_MEMORY)
        out->outcome = OUTCOME_MEMORY;
    else if (trap.kind != MOAT_TRAP_DEADLINE &&
             trap.kind != MOAT_TRAP_STACK_OVERFLOW)
        out->outcome = OUTCOMES; /* not an outcome of scripts */
    if (out->outcome != OUTCOME_RUNAWAY)
        out->line =
            line_of_trap(co, out->outcome == OUTCOME_ERROR ? MAX_C_FRAMES : 0);
}

static void note_generator(const moat_co *co, void *unused)
{
    (void)unused;
    note_trap(tracing, co);
}

static void resume_to_end(moat_co *co, struct trace *out)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};

    while (event.kind == MOAT_EVENT_YIELD) {
        int64_t input = trace_input(out->yields);

        if (moat_co_resume(co, (void *)(intptr_t)input, &event) != MOAT_OK)
            abort();
        if (event.kind != MOAT_EVENT_YIELD)
            break;
        (void)trace_add(out, 'y', (intptr_t)event.value);
        emitted += co->pc - (uintptr_t)running->code < running->code_bytes;
        if (++out->yields == MAX_YIELDS) {
            out->outcome = OUTCOME_ABANDONED;
            return;
        }
    }
    if (event.kind == MOAT_EVENT_TRAP) {
        note_trap(out, co);
    } else {
        out->outcome = OUTCOME_RETURNED;
        out->value = (intptr_t)event.value;
    }
}

static void run_compiled(struct program *program, uint64_t wall_ns,
                         struct trace *out)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co;

    memset(out, 0, sizeof *out);
    limits.wall_ns = wall_ns;
    options.limits = &limits;
    options.flags = MOAT_CO_RECOVER_CODE;
    options.stack_bytes = STACK_BYTES;
    if (moat_co_create(&co, program->entry, &options) != MOAT_OK)
        abort();
    tracing = out;
    running = program;
    program->generators.report = note_generator;
    resume_to_end(co, out);
    moat_co_destroy(co);
}

/* --- comparison ---------------------------------------------------------- */

static bool complain(uint64_t seed, const char *what)
{
    fprintf(stderr, "script %" PRIu64 ": another %s\n", seed, what);
    return false;
}

/* A runaway was stopped anywhere, and elsewhere in each of the two. */
static bool are_equal(uint64_t seed)
{
    size_t count = expected.count;

    if (expected.outcome == OUTCOME_RUNAWAY && seen.count < count)
        count = seen.count;
    for (size_t i = 0; i < count && i < seen.count; i++)
        if (expected.events[i].kind != seen.events[i].kind ||
            expected.events[i].value != seen.events[i].value)
            return complain(seed, "value printed or yielded");
    if (expected.outcome == OUTCOME_RUNAWAY)
        return seen.outcome != OUTCOMES || complain(seed, "kind of trap");
    if (expected.count != seen.count)
        return complain(seed, "number of values printed and yielded");
    if (expected.outcome != seen.outcome)
        return complain(seed, "end");
    if (expected.outcome == OUTCOME_RETURNED && expected.value != seen.value)
        return complain(seed, "result");
    if (expected.line != seen.line)
        return complain(seed, "line of the fault");
    return true;
}

static bool test_script(uint64_t seed)
{
    struct program program;
    struct parse_error error;
    uint64_t wall_ns;
    bool passed;

    generate_script(text, seed);
    if (!program_load(&program, FILE_NAME, text, print, &error)) {
        fprintf(stderr, "script %" PRIu64 ": line %d: %s\n", seed, error.line,
                error.text);
        return false;
    }
    interpret(&program.script, &expected);
    /* Yields are emitted switches without a limit, and calls with one. */
    wall_ns = seed % 2 == 0 ? 0 : LONG_NS;
    if (expected.outcome == OUTCOME_RUNAWAY)
        wall_ns = SHORT_NS;
    run_compiled(&program, wall_ns, &seen);
    passed = are_equal(seed);
    program_unload(&program);
    return passed;
}

/* Changes a digit into another one, or any byte into another sign. */
static void damage(uint64_t seed)
{
    static const char signs[] = "(){}[];,=!<>&|+-*/%#9a \n\x80";
    size_t bytes = strlen(text);
    size_t at = (size_t)(seed * UINT64_C(0x9e3779b97f4a7c15) >> 33) % bytes;

    if (seed % 3 == 0) {
        text[at] = signs[seed / 3 % (sizeof signs - 1)];
        return;
    }
    while (text[at] < '0' || text[at] > '9')
        at = (at + 1) % bytes;
    text[at] = (char)('0' + seed / 3 % 10);
}

static bool test_damaged(uint64_t seed, unsigned *refused)
{
    struct program program;
    struct parse_error error = {0, ""};

    generate_script(text, seed);
    damage(seed);
    if (program_load(&program, FILE_NAME, text, print, &error)) {
        run_compiled(&program, SHORT_NS, &seen);
        program_unload(&program);
        return seen.outcome != OUTCOMES || complain(seed, "kind of trap");
    }
    *refused += 1;
    return (error.line > 0 && error.text[0] != '\0') ||
           complain(seed, "an error without a place in the text");
}

/* A generator of scripts that all end alike tests little. */
static bool is_varied(const unsigned *outcomes, unsigned count)
{
    bool varied = true;

    for (int i = 0; i < OUTCOMES; i++) {
        printf("outcome %d: %u\n", i, outcomes[i]);
        varied = varied && outcomes[i] >= count / 100;
    }
    return varied;
}

int main(int argc, char **argv)
{
    unsigned outcomes[OUTCOMES + 1] = {0};
    unsigned count, refused = 0, failures = 0;
    uint64_t first;

    if (argc == 3 && strcmp(argv[1], "show") == 0) {
        generate_script(text, strtoull(argv[2], NULL, 10));
        (void)fputs(text, stdout);
        return 0;
    }
    if (argc < 2)
        return 2;
    count = (unsigned)strtoul(argv[1], NULL, 10);
    first = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    for (unsigned i = 0; i < count; i++) {
        failures += !test_script(first + i);
        outcomes[expected.outcome]++;
        failures += !test_damaged(first + i, &refused);
    }
    printf("%u scripts, %u failures; damaged ones: %u refused; %lu emitted "
           "switches\n",
           count, failures, refused, emitted);
    /* The library reports each switch to AddressSanitizer. */
    return failures > 0 || (emitted > 0) == UNDER_ASAN ||
           !is_varied(outcomes, count) || refused < count / 4 ||
           refused == count;
}
