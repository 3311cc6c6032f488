/*
 * errors.c: a script's misuse of its generators. Each is reported as an error
 * at the script's line, and the host survives. Then the signal of a time limit
 * that arrives anywhere in the emitted switches of a generator and its resumer.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "examples/jit/program.h"
#include "tests/unwind/chain.h"

#define ROUNDS 400 /* two generators each, all of one program */

static struct program program;
static moat_trap_kind reported; /* from the innermost generator that trapped */
static int reported_code;
static unsigned reports;

static void print(moat_co *self, int64_t value)
{
    (void)self;
    (void)value;
}

static void report(const moat_co *co, void *unused)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;

    (void)unused;
    CHECK(moat_co_trap_info(co, &trap) == MOAT_OK);
    reported = trap.kind;
    reported_code = trap.user_code;
    reports++;
}

static void load(const char *text)
{
    struct parse_error error;

    if (!program_load(&program, "errors", text, print, &error)) {
        printf("line %d: %s\n", error.line, error.text);
        exit(1);
    }
    program.generators.report = report;
    reports = 0;
}

/* Runs main until it traps. */
static moat_trap_info run(uint64_t wall_ns)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;
    moat_event event = {.kind = MOAT_EVENT_YIELD};
    moat_co *co;

    limits.wall_ns = wall_ns;
    options.limits = &limits;
    options.flags = MOAT_CO_RECOVER_CODE;
    CHECK(moat_co_create(&co, program.entry, &options) == MOAT_OK);
    CHECK(moat_co_resume(co, NULL, &event) == MOAT_OK);
    CHECK(event.kind == MOAT_EVENT_TRAP);
    CHECK(moat_co_trap_info(co, &trap) == MOAT_OK);
    moat_co_destroy(co);
    return trap;
}

static bool is_error(moat_trap_kind kind, int code, const char *text)
{
    const char *error = generators_error(code);

    if (kind == MOAT_TRAP_RAISED && error != NULL && strcmp(error, text) == 0)
        return true;
    printf("%s, code %d; not '%s'\n", moat_trap_kind_str(kind), code, text);
    return false;
}

/* --- errors -------------------------------------------------------------- */

static const struct wrong {
    const char *text, *error;
} wrong[] = {
    {"func main() { next 0; }", "there is no such generator"},
    {"func main() { value 1; }", "there is no such generator"},
    {"func main() { next 0 - 1; }", "there is no such generator"},
    {"func main() { next 1024 with 1; }", "there is no such generator"},
    {"func main() { value 4294967297; }", "there is no such generator"},
    {"func g() {} func main() { let a = start g(); next a; next a; }",
     "the generator has ended"},
    {"func g() {} func main() { while 1 { start g(); } }",
     "too many generators"},
};

static void errors_of_main(void)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        moat_trap_info trap;

        load(wrong[i].text);
        trap = run(0);
        CHECK(is_error(trap.kind, trap.user_code, wrong[i].error));
        CHECK(reports == 0);
        program_unload(&program);
    }
}

/* Errors in a generator are reported once, there, and are an error at each
 * `next`. */
static const struct wrong wrong_inside[] = {
    {"array me[1]; func g() { next me[0]; }"
     "func main() { me[0] = start g(); next me[0]; }",
     "the generator is running"},
    {"array outer[1]; func i() { next outer[0]; }"
     "func o() { next start i(); }"
     "func main() { outer[0] = start o(); next outer[0]; }",
     "the generator is running"},
    {"func a() { next 0; } func b() { next start a(); }"
     "func c() { next start b(); } func main() { next start c(); }",
     "there is no such generator"},
};

static void errors_of_generators(void)
{
    for (size_t i = 0; i < sizeof wrong_inside / sizeof *wrong_inside; i++) {
        moat_trap_info trap;

        load(wrong_inside[i].text);
        trap = run(0);
        CHECK(is_error(reported, reported_code, wrong_inside[i].error));
        CHECK(reports == 1);
        CHECK(is_error(trap.kind, trap.user_code, "an error in a generator"));
        program_unload(&program);
    }
}

/* Memory ends before the pool has enough stacks. Skipped under
 * AddressSanitizer, which needs address space of its own. */
static void no_memory(void)
{
    struct rlimit before, little = {0, 0};
    moat_trap_info trap;

    load("func g() {} func main() { while 1 { start g(); } }");
    (void)getrlimit(RLIMIT_AS, &before);
    little.rlim_max = before.rlim_max;
    CHECK(setrlimit(RLIMIT_AS, &little) == 0);
    trap = run(0);
    CHECK(setrlimit(RLIMIT_AS, &before) == 0);
    CHECK(is_error(trap.kind, trap.user_code, "no memory for a generator"));
    program_unload(&program);
}

static void refused_texts(void)
{
    static const char *const texts[][2] = {
        {"func g(a) {} func main() { start g(); }", "'g' takes 1 arguments"},
        {"func main() { start g(); }", "there is no function 'g'"},
        {"func main() { start 1; }", "a name is missing"},
        {"func main() { start main; }", "'(' is missing"},
        {"func main() { next; }", "a name is missing"},
        {"func main() { value; }", "a name is missing"},
        {"func main() { next 1 with; }", "a name is missing"},
        {"func main() { let with = 1; }", "a name is missing"},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct parse_error error = {0, ""};

        CHECK(!program_load(&program, "errors", texts[i][0], print, &error));
        if (!CHECK(strcmp(error.text, texts[i][1]) == 0))
            printf("%s\n", error.text);
    }
}

/* --- a signal anywhere --------------------------------------------------- */

/* The running coroutine is stopped when the time is over. */
static void time_limits(void)
{
    unsigned in_generators = 0;

    load("func leaf() { while 1 { yield 1; } }"
         "func tree() { let l = start leaf(); while next l { yield 2; } }"
         "func main() { let t = start tree(); while next t { value t; } }");
    for (unsigned i = 0; i < ROUNDS; i++) {
        moat_trap_info trap;

        reports = 0;
        trap = run(20000 + i % 100 * 1000);
        if (trap.kind != MOAT_TRAP_DEADLINE) {
            CHECK(
                is_error(trap.kind, trap.user_code, "an error in a generator"));
            CHECK(reports == 1 && reported == MOAT_TRAP_DEADLINE);
            in_generators++;
        }
    }
    printf("%u of %u limits passed in a generator\n", in_generators, ROUNDS);
    CHECK(in_generators > 0);
    CHECK(in_generators < ROUNDS);
    program_unload(&program);
}

int main(void)
{
    errors_of_generators();
    if (!UNDER_ASAN)
        no_memory();
    errors_of_main();
    refused_texts();
    time_limits();
    return chain_result();
}
