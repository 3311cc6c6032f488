/*
 * moat_script.c: An interpreter whose functions appear in reports, each behind
 * the native frame of interpret() that runs it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <moat/moat.h>

struct interpreter {
    const char *functions[8]; /* called and not returned, outermost first */
    int depth;
};

void *interpret(moat_co *self, void *input);

/* The loop: here the script "main" calls "divide", which traps. */
void *interpret(moat_co *self, void *input)
{
    struct interpreter *in = moat_co_user(self);

    (void)input;
    in->functions[in->depth++] = "main";
    in->functions[in->depth++] = "divide";
    moat_trap_raise(1);
}

static void walk(const moat_co *co, moat_script_walk *walk)
{
    const struct interpreter *in = moat_co_user(co);

    for (int i = in->depth - 1; i >= 0; i--) {
        moat_script_frame frame = {in->functions[i], "sums.script", 0, 0, 0};

        moat_script_put(walk, &frame);
    }
}

static bool runs(const moat_frame *frame, const char *function)
{
    (void)frame;
    return function != NULL && strcmp(function, "interpret") == 0;
}

int main(void)
{
    struct interpreter in = {{NULL}, 0};
    moat_script script = MOAT_SCRIPT_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    moat_co *co;

    script.language = "sums";
    script.walk = walk;
    script.runs = runs;
    options.user = &in;
    options.script = &script;
    if (moat_co_create(&co, interpret, &options) != MOAT_OK ||
        moat_co_resume(co, NULL, &event) != MOAT_OK ||
        moat_co_print_report(event.co, STDERR_FILENO) != MOAT_OK)
        return 1;
    moat_co_destroy(co);
    return 0;
}
