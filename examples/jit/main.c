/*
 * main.c: runs scripts of the language Ditch, each in a coroutine, by a
 * compiler to machine code.
 *
 * Shows: hosting a JIT. Its code is registered with moat, so that the policy
 * MOAT_CO_RECOVER_CODE tells the guest's faults from the host's, and so that
 * reports name functions and lines of the script; a resume and a yield that are
 * emitted instead of called (switch.c); a bounds check by memory that cannot be
 * touched. Try this: add an operator, from lexer.c to compile_expression.c.
 * Expected output: expected/.
 *
 * Usage: ditch [--stack KIB] [--wall MS] FILE
 *
 * The host prints what the script yields, and resumes it with 1, 2, 3 and so
 * on; after YIELDS_MOST values it cancels it.
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

#define YIELDS_MOST 10

/* --- what scripts call --------------------------------------------------- */

static void *print_value(void *value)
{
    printf("%" PRId64 "\n", *(const int64_t *)value);
    return NULL;
}

/* printf takes a lock: not on a stack that can be cut. */
static void print(moat_co *self, int64_t value)
{
    (void)self;
    (void)service_call(print_value, &value);
}

/* --- what came of it ----------------------------------------------------- */

/* The script's line in which the coroutine waits: in the innermost frame, but
 * where moat has yielded for it, for its limits' sake. */
static void print_place(const moat_co *co)
{
    moat_frame frames[8];
    char text[256];
    const char *place = NULL;
    size_t count = 0;

    (void)moat_co_backtrace(co, frames, 8, &count);
    for (size_t i = 0; i < count && place == NULL; i++)
        if ((frames[i].flags & MOAT_FRAME_JIT) &&
            moat_frame_describe(&frames[i], text, sizeof text) == MOAT_OK)
            place = strstr(text, " at ");
    printf("%s\n", place != NULL ? place : " somewhere");
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

/* While those who have resumed it still stand where they did. */
static void report_generator(const moat_co *co, void *program)
{
    (void)report(program, co);
}

static void *as_input(int64_t number)
{
    return (void *)(intptr_t)number;
}

/* noinline: a frame of its own in the report, whatever the compiler does. */
__attribute__((noinline)) static int run(const struct program *program,
                                         moat_co *co)
{
    moat_event event;

    for (int64_t count = 0; count < YIELDS_MOST; count++) {
        if (moat_co_resume(co, as_input(count), &event) != MOAT_OK)
            return 1;
        if (event.kind == MOAT_EVENT_TRAP)
            return report(program, co);
        if (event.kind != MOAT_EVENT_YIELD) {
            printf("returned %" PRId64 "\n", (int64_t)(intptr_t)event.value);
            return 0;
        }
        printf("yielded %" PRId64, (int64_t)(intptr_t)event.value);
        print_place(co);
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

/* 1 to `most`; 0 for any other text. */
static uint64_t number_from(const char *text, uint64_t most)
{
    char *end;
    unsigned long long number;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' ||
        number > most)
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

/* The text, to be freed; NULL and a message if it cannot be read. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = calloc(1, SCRIPT_BYTES_MOST + 2); /* one more: too long */
    const char *failure = NULL;
    size_t bytes = 0;

    if (file == NULL || text == NULL)
        failure = strerror(errno);
    else
        bytes = fread(text, 1, SCRIPT_BYTES_MOST + 1, file);
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
