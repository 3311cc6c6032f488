/*
 * main.c: compiles a script of the small language Ditch to machine code and
 * runs it in a coroutine.
 *
 * Shows: hosting a JIT compiler. Its code is registered with moat, so the
 * policy MOAT_CO_RECOVER_CODE can distinguish faults of the guest from faults
 * of the host, and reports name functions and lines of the script. Resume and
 * yield are emitted inline instead of called (switch.c). Bounds checks are left
 * to memory without access.
 * Run: build/debug/examples/ditch examples/jit/primes.ditch
 * Usage: ditch [--stack KIB] [--wall MS] FILE
 * Prints: the values that the script prints and yields, then its result or the
 * report of its fault (expected/ditch_*.txt). The host resumes the script with
 * 1, 2, 3 and so on, and cancels it after MAX_YIELDS values.
 * Try: add an operator, from lexer.c to compile_expression.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program.h"
#include "service.h"

#define MAX_YIELDS 10

/* --- printing ------------------------------------------------------------ */

static void *print_value(void *value)
{
    printf("%" PRId64 "\n", *(const int64_t *)value);
    return NULL;
}

/* printf takes a lock, so it must not run on a guest's stack. */
static void print(moat_co *self, int64_t value)
{
    (void)self;
    (void)service_call(print_value, &value);
}

/* --- results ------------------------------------------------------------- */

/* Prints the script's line in which the coroutine is suspended. It is the line
 * of the innermost JIT frame: with limits, moat's own frames come before it. */
static void print_line(const moat_co *co)
{
    moat_frame frames[8];
    char text[256];
    const char *line = NULL;
    size_t count = 0;

    (void)moat_co_backtrace(co, frames, 8, &count);
    for (size_t i = 0; i < count && line == NULL; i++)
        if ((frames[i].flags & MOAT_FRAME_JIT) &&
            moat_frame_describe(&frames[i], text, sizeof text) == MOAT_OK)
            line = strstr(text, " at ");
    printf("%s\n", line != NULL ? line : " somewhere");
}

static int report(const struct program *program, const moat_co *co)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;
    const char *error = NULL;
    struct element element;

    fflush(stdout);
    if (moat_co_trap_info(co, &trap) != MOAT_OK)
        return 1;
    if (trap.kind == MOAT_TRAP_RAISED)
        error = generators_error(trap.user_code);
    if (error != NULL)
        printf("error: %s\n", error);
    fflush(stdout);
    if (error != NULL && generators_error_is_passed_on(trap.user_code))
        return 0;
    if (moat_co_print_report(co, STDOUT_FILENO) != MOAT_OK)
        return 1;
    element = program_element_at(program, trap.address);
    if (trap.kind == MOAT_TRAP_MEMORY && element.array != NULL)
        printf("index %" PRIu64 " of the array '%s', which has %" PRIu32
               " elements\n",
               element.index, element.array->name, element.array->count);
    return 0;
}

/* Called while the frames of the generator's resumers are still there. */
static void report_generator(const moat_co *co, void *program)
{
    (void)report(program, co);
}

static void *as_input(int64_t number)
{
    return (void *)(intptr_t)number;
}

/* noinline gives it its own frame in the report. */
__attribute__((noinline)) static int run(const struct program *program,
                                         moat_co *co)
{
    moat_event event;

    for (int64_t count = 0; count < MAX_YIELDS; count++) {
        if (moat_co_resume(co, as_input(count), &event) != MOAT_OK)
            return 1;
        if (event.kind == MOAT_EVENT_TRAP)
            return report(program, co);
        if (event.kind != MOAT_EVENT_YIELD) {
            printf("returned %" PRId64 "\n", (int64_t)(intptr_t)event.value);
            return 0;
        }
        printf("yielded %" PRId64, (int64_t)(intptr_t)event.value);
        print_line(co);
    }
    if (moat_co_cancel(co, &event) != MOAT_OK)
        return 1;
    printf("cancelled\n");
    return 0;
}

/* --- the program --------------------------------------------------------- */

struct options {
    moat_limits limits;
    moat_co_options co;
    const char *file;
};

static int usage(void)
{
    fprintf(stderr, "usage: ditch [--stack KIB] [--wall MS] FILE\n");
    return 2;
}

/* Reads a number from 1 to `max`. Returns 0 for any other text. */
static uint64_t number_from(const char *text, uint64_t max)
{
    char *end;
    unsigned long long number;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' ||
        number > max)
        return 0;
    return number;
}

static bool read_options(struct options *out, int argc, char **argv)
{
    const moat_limits no_limits = MOAT_LIMITS_INIT;
    const moat_co_options defaults = MOAT_CO_OPTIONS_INIT;
    uint64_t number = 1;
    int i;

    out->limits = no_limits;
    out->co = defaults;
    for (i = 1; i + 1 < argc && argv[i][0] == '-' && number != 0; i += 2) {
        number = number_from(argv[i + 1], 1000000);
        if (strcmp(argv[i], "--stack") == 0)
            out->co.stack_bytes = number * 1024;
        else if (strcmp(argv[i], "--wall") == 0)
            out->limits.wall_ns = number * 1000000;
        else
            return false;
    }
    if (number == 0 || i + 1 != argc)
        return false;
    out->file = argv[i];
    return true;
}

/* Returns the text, which the caller frees, or NULL after an error message. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text =
        calloc(1, MAX_SCRIPT_BYTES + 2); /* one byte detects a longer text */
    const char *failure = NULL;
    size_t bytes = 0;

    if (file == NULL || text == NULL)
        failure = strerror(errno);
    else
        bytes = fread(text, 1, MAX_SCRIPT_BYTES + 1, file);
    if (file != NULL && ferror(file))
        failure = strerror(errno);
    else if (text != NULL && strlen(text) != bytes)
        failure = "there is a byte 0 in it";
    if (file != NULL)
        (void)fclose(file);
    if (failure == NULL)
        return text;
    fprintf(stderr, "%s: %s\n", path, failure);
    free(text);
    return NULL;
}

__attribute__((noinline)) static int run_program(struct program *program,
                                                 struct options *options)
{
    const char *name = strrchr(options->file, '/');
    moat_co *co;
    moat_status status;
    int failed;

    program->generators.report = report_generator;
    program->generators.user = program;
    options->co.limits = &options->limits;
    options->co.flags = MOAT_CO_RECOVER_CODE;
    options->co.name = name != NULL ? name + 1 : options->file;
    status = moat_co_create(&co, program->entry, &options->co);
    if (status != MOAT_OK) {
        fprintf(stderr, "%s: %s\n", options->file, moat_status_str(status));
        return 1;
    }
    failed = run(program, co);
    moat_co_destroy(co);
    return failed;
}

int main(int argc, char **argv)
{
    struct options options;
    struct parse_error error = {0, ""};
    struct program program;
    char *text;
    int failed;

    if (!read_options(&options, argc, argv))
        return usage();
    text = read_file(options.file);
    if (text == NULL)
        return 1;
    if (!program_load(&program, options.file, text, print, &error)) {
        fprintf(stderr, "%s:%d: %s\n", options.file, error.line, error.text);
        free(text);
        return 1;
    }
    failed = run_program(&program, &options);
    program_unload(&program);
    free(text);
    return failed;
}
