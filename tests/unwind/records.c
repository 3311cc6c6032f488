/*
 * records.c: single-steps the switch with the CPU's trap flag. At every
 * instruction, the handler calls moat_backtrace_fp and moat_backtrace: each
 * chain must contain main once. (In the middle of a transfer, the chain by
 * frame pointers may end at the border.)
 *
 *   records SCENE stack|alternate   the stack that the handler runs on
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "tests/unwind/chain.h"

#define TRAP_FLAG  0x100
#define MAX_FRAMES 64
#define MAX_SHOWN  12

void *echo_entry(moat_co *self, void *input);
void *nested_entry(moat_co *self, void *input);
void *transfer_entry(moat_co *self, void *input);
void *partner_entry(moat_co *self, void *input);
void scene(moat_co *co);

typedef moat_status (*walk_here)(moat_frame *, size_t, size_t *);

static moat_co *inner;
static bool transfers;
static volatile sig_atomic_t stepping;
static unsigned long steps, wrong;

/* --- in the handler --------------------------------------------------------
 */

/* In the middle of a transfer, the frame pointer belongs to the coroutine that
 * is left, to which nothing refers any more, and the other one does not run
 * yet. */
static bool may_end(void)
{
    const moat_co *current = moat_co_current();

    return transfers && current != NULL &&
           moat_co_get_state(current) != MOAT_CO_RUNNING;
}

static void show(uintptr_t pc, const moat_frame *frames, size_t count)
{
    if (++wrong > MAX_SHOWN)
        return;
    printf("in %s, %#lx:", chain_name(pc + 1), (unsigned long)pc);
    for (size_t i = 0; i < count; i++)
        printf(" %s", chain_name(frames[i].pc));
    printf("\n");
}

/* main must belong to the host and occur once. */
static void look(uintptr_t pc, walk_here walk, bool may_be_short)
{
    moat_frame frames[MAX_FRAMES];
    size_t count = 0, mains = 0;
    bool of_host = true;

    if (walk(frames, MAX_FRAMES, &count) != MOAT_OK)
        wrong++;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(chain_name(frames[i].pc), "main") == 0) {
            mains++;
            of_host = frames[i].co == NULL;
        }
    }
    if (!of_host || (mains != 1 && !(mains == 0 && may_be_short)))
        show(pc, frames, count);
}

static void on_step(int signo, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

    (void)signo;
    (void)info;
    if (!stepping) {
        registers[REG_EFL] &= ~TRAP_FLAG;
        return;
    }
    steps++;
    look((uintptr_t)registers[REG_RIP], moat_backtrace_fp, may_end());
    look((uintptr_t)registers[REG_RIP], moat_backtrace, false);
}

/* --- the scenes ----------------------------------------------------------- */

FRAME void *echo_entry(moat_co *self, void *input)
{
    for (int i = 0; i < 3; i++)
        input = moat_co_yield(self, input);
    return input;
}

static inline __attribute__((always_inline)) void resume(moat_co *co)
{
    moat_event event;

    if (moat_co_resume(co, NULL, &event) != MOAT_OK)
        exit(1);
}

FRAME void *nested_entry(moat_co *self, void *input)
{
    for (int i = 0; i < 3; i++) {
        resume(inner);
        input = moat_co_yield(self, input);
    }
    return input;
}

static inline __attribute__((always_inline)) void switch_to(moat_co *self,
                                                            moat_co *other)
{
    void *got;

    if (moat_co_switch_to(self, other, self, &got) != MOAT_OK)
        exit(1);
}

FRAME void *transfer_entry(moat_co *self, void *input)
{
    switch_to(self, inner);
    switch_to(self, inner);
    return input;
}

/* Already started when it is entered: the long way is in C, and the library may
 * have been compiled without frame pointers. */
FRAME void *partner_entry(moat_co *self, void *input)
{
    input = moat_co_yield(self, input);
    switch_to(self, input);
    (void)moat_co_yield(self, NULL);
    return input;
}

FRAME void scene(moat_co *co)
{
    stepping = 1;
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::
                         : "cc", "memory");
    for (int i = 0; i < 3 && moat_co_get_state(co) != MOAT_CO_DONE; i++)
        resume(co);
    stepping = 0;
    KEEP_FRAME();
}

static const struct {
    const char *name;
    moat_entry entry, inner;
} scenes[] = {
    {"switch", echo_entry, echo_entry},
    {"nested", nested_entry, echo_entry},
    {"transfer", transfer_entry, partner_entry},
};

/* Replaces moat's handler, which would treat the steps as traps of a guest. */
static void handle_steps(bool on_alternate)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_step;
    action.sa_flags = SA_SIGINFO | (on_alternate ? SA_ONSTACK : 0);
    CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
}

int main(int argc, char **argv)
{
    moat_co *co = NULL;

    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        if (argc == 3 && strcmp(argv[1], scenes[i].name) == 0) {
            CHECK(moat_co_create(&co, scenes[i].entry, NULL) == MOAT_OK);
            CHECK(moat_co_create(&inner, scenes[i].inner, NULL) == MOAT_OK);
        }
    }
    if (co == NULL || inner == NULL)
        return 2;
    resume(inner);
    transfers = strcmp(argv[1], "transfer") == 0;
    handle_steps(strcmp(argv[2], "alternate") == 0);
    scene(co);
    moat_co_destroy(co);
    moat_co_destroy(inner);
    printf("%lu instructions\n", steps);
    CHECK(steps > 100);
    CHECK(wrong == 0);
    return chain_result();
}
