/*
 * script_frames.c: an interpreter's script faults, and one backtrace shows both
 * the interpreter's native frames and the script's functions.
 *
 * Shows: moat_script. `walk` lists the script's calls, `runs` recognises the
 * interpreter's loop among the native frames. The loop runs many script calls
 * in one native frame and is entered again when native code calls back.
 * Run: build/debug/examples/script_frames
 * Prints: the report, then a line from the host (expected/script_frames.txt;
 * addresses differ).
 * Try: let walk write to NULL first. The report says so and goes on.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <moat/moat.h>

/* --- the language: functions of operations, each with its line ------------ */

enum code { PUSH, DIVIDE, CALL, CALL_BACK, RETURN };

struct operation {
    enum code code;
    int operand; /* PUSH: a number; CALL, CALL_BACK: a function */
    int line;
};

struct function {
    const char *name;
    const struct operation *operations;
};

enum { AVERAGE, REPORT, MAIN };

static const struct function functions[] = {
    [AVERAGE] = {"average", (const struct operation[]){{PUSH, 100, 5},
                                                       {PUSH, 0, 6},
                                                       {DIVIDE, 0, 7},
                                                       {RETURN, 0, 8}}},
    [REPORT] = {"report", (const struct operation[]){{CALL, AVERAGE, 12},
                                                     {RETURN, 0, 13}}},
    [MAIN] = {"main", (const struct operation[]){{CALL_BACK, REPORT, 21},
                                                 {RETURN, 0, 22}}},
};

/* --- the interpreter ------------------------------------------------------ */

struct call {
    const struct function *function;
    const struct operation *next;
    bool entered; /* by a new native frame of the loop */
};

struct interpreter {
    struct call calls[32];
    size_t depth;
    int values[32];
    size_t used;
};

static volatile int done; /* work after a call, so that it has a frame */

__attribute__((noinline)) static void divide(struct interpreter *in)
{
    int by = in->values[--in->used];

    in->values[in->used - 1] /= by;
    done++;
}

static void push_call(struct interpreter *in, int function, bool entered)
{
    const struct function *called = &functions[function];

    in->calls[in->depth++] = (struct call){called, called->operations, entered};
}

static void call_back(struct interpreter *in, int function);

/* The loop. Returns when the call that it was entered for returns. */
__attribute__((noinline)) static void run(struct interpreter *in, int function)
{
    size_t base = in->depth;

    push_call(in, function, true);
    while (in->depth > base) {
        const struct operation *operation = in->calls[in->depth - 1].next++;

        switch (operation->code) {
        case PUSH:
            in->values[in->used++] = operation->operand;
            break;
        case DIVIDE:
            divide(in);
            break;
        case CALL:
            push_call(in, operation->operand, false);
            break;
        case CALL_BACK:
            call_back(in, operation->operand);
            break;
        case RETURN:
            in->depth--;
            break;
        }
    }
    done++;
}

/* A native function that the script calls and that calls the script. */
__attribute__((noinline)) static void call_back(struct interpreter *in,
                                                int function)
{
    run(in, function);
    done++;
}

/* --- what moat needs to know ---------------------------------------------- */

/* Innermost first. The interpreter may be in any state, so this may fault. */
static void walk(const moat_co *co, moat_script_walk *out)
{
    const struct interpreter *in = moat_co_user(co);

    for (size_t i = in->depth; i > 0; i--) {
        const struct call *call = &in->calls[i - 1];
        moat_script_frame frame = {call->function->name, "tally.toy",
                                   call->next[-1].line,
                                   call->entered ? MOAT_SCRIPT_ENTERED : 0, 0};

        moat_script_put(out, &frame);
    }
}

static bool runs(const moat_frame *frame, const char *function)
{
    (void)frame;
    return function != NULL && strcmp(function, "run") == 0;
}

/* --- the host ------------------------------------------------------------- */

static void *guest(moat_co *self, void *input)
{
    run(moat_co_user(self), MAIN);
    done++;
    return input;
}

int main(void)
{
    static struct interpreter interpreter;
    moat_script script = MOAT_SCRIPT_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    moat_co *co;

    script.language = "toy";
    script.walk = walk;
    script.runs = runs;
    options.name = "tally";
    options.user = &interpreter;
    options.script = &script;
    if (moat_co_create(&co, guest, &options) != MOAT_OK)
        return 1;
    if (moat_co_resume(co, NULL, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_TRAP ||
        moat_co_print_report(co, STDOUT_FILENO) != MOAT_OK)
        return 1;
    printf("the host goes on\n");
    moat_co_destroy(co);
    return 0;
}
