/*
 * step.c: single-steps compiled scripts and, at each instruction of theirs,
 * walks the stack with libgcc's unwinder and with libunwind: from the
 * instruction through the script's functions, the coroutine's border and the
 * function that resumed it to main. So the rows that the emitter writes are
 * right at each place of a prologue, an epilogue, an expression and an emitted
 * switch.
 *
 *   step FILE STEPS   STEPS: how many instructions of the script are to be
 *                     seen at least
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unwind.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "examples/jit/program.h"
#include "tests/unwind/chain.h"

#define TRAP_FLAG  0x100
#define MAX_FRAMES 64
#define MAX_SHOWN  10
#define MAX_STEPS  20000 /* then the script runs on by itself */
#define RESUMES    4
#define ENTRY_MOST 48 /* the first piece's size, about */

struct seen {
    uintptr_t pc[MAX_FRAMES];
    uintptr_t fp[MAX_FRAMES];
    size_t count;
};

static struct program program;
static moat_co *stepped;
static volatile sig_atomic_t stepping;
static unsigned long steps, windows, failures;

/* --- what a chain must look like ----------------------------------------- */

static bool is_compiled(uintptr_t pc)
{
    return pc - (uintptr_t)program.code < program.code_bytes;
}

/* The function's name, also of compiled code. */
static const char *name_of(uintptr_t pc)
{
    return is_compiled(pc) ? "script" : chain_name(pc);
}

static void complain(const struct seen *seen, const char *what)
{
    if (++failures > MAX_SHOWN)
        return;
    printf("script+%#" PRIxPTR ": %s:", seen->pc[0] - (uintptr_t)program.code,
           what);
    for (size_t i = 0; i < seen->count; i++)
        printf(" %s", name_of(seen->pc[i]));
    printf("\n");
}

/* From the script's frames: [entry], called by the root, called by ... */
static void check(const struct seen *seen)
{
    /* Once a yield has written the state, the frame may be the resumer's. */
    bool left = stepped->state == stepped->token;
    size_t i = 0;

    while (i < seen->count && is_compiled(seen->pc[i]))
        i++;
    if (left && i == 1) {
        windows++; /* by each of the walkers */
    } else {
        if (seen->pc[i - 1] - (uintptr_t)program.code > ENTRY_MOST)
            complain(seen, "the entry is missing");
        if (i == seen->count || strcmp(name_of(seen->pc[i]), "moat_root") != 0)
            complain(seen, "the root is missing");
        else if (seen->fp[i] != (uintptr_t)stepped)
            complain(seen, "the root's frame pointer is lost");
        i++;
    }
    if (i >= seen->count || strcmp(name_of(seen->pc[i]), "run") != 0)
        complain(seen, "run is missing");
    else if (strcmp(name_of(seen->pc[i + 1]), "main") != 0)
        complain(seen, "main is missing");
}

/* --- steps --------------------------------------------------------------- */

static void add(struct seen *seen, uintptr_t pc, uintptr_t fp)
{
    /* The handler's own frames come first. */
    if ((seen->count > 0 || is_compiled(pc)) && seen->count < MAX_FRAMES) {
        seen->fp[seen->count] = fp;
        seen->pc[seen->count++] = pc;
    }
}

static _Unwind_Reason_Code take(struct _Unwind_Context *context, void *argument)
{
    add(argument, _Unwind_GetIP(context), _Unwind_GetGR(context, 6));
    return _URC_NO_REASON;
}

static void walk_libunwind(void *context, struct seen *seen)
{
    unw_cursor_t cursor;
    unw_word_t pc = 0, fp = 0;

    if (unw_init_local2(&cursor, context, UNW_INIT_SIGNAL_FRAME) != 0)
        return;
    do {
        (void)unw_get_reg(&cursor, UNW_REG_IP, &pc);
        (void)unw_get_reg(&cursor, UNW_X86_64_RBP, &fp);
        add(seen, pc, fp);
    } while (unw_step(&cursor) > 0);
}

static void check_from(const struct seen *seen, uintptr_t pc)
{
    if (seen->count == 0 || seen->pc[0] != pc)
        complain(seen, "the instruction is missing");
    else
        check(seen);
}

static void on_step(int signo, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    struct seen seen;

    (void)signo;
    (void)info;
    if (!stepping || steps == MAX_STEPS) {
        registers[REG_EFL] &= ~TRAP_FLAG;
        return;
    }
    if (!is_compiled((uintptr_t)registers[REG_RIP]))
        return;
    steps++;
    memset(&seen, 0, sizeof seen);
    (void)_Unwind_Backtrace(take, &seen);
    check_from(&seen, (uintptr_t)registers[REG_RIP]);
    memset(&seen, 0, sizeof seen);
    walk_libunwind(context, &seen);
    check_from(&seen, (uintptr_t)registers[REG_RIP]);
}

static inline __attribute__((always_inline)) void step_from_here(void)
{
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::
                         : "cc", "memory");
}

/* --- the script ---------------------------------------------------------- */

static void print(moat_co *self, int64_t value)
{
    (void)self;
    (void)value;
}

FRAME int run(moat_co *co);
FRAME int run(moat_co *co)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};

    for (int i = 0; i < RESUMES && event.kind == MOAT_EVENT_YIELD; i++) {
        stepping = 1;
        step_from_here();
        if (moat_co_resume(co, NULL, &event) != MOAT_OK)
            return 1;
        stepping = 0;
    }
    KEEP_FRAME();
    return event.kind == MOAT_EVENT_TRAP;
}

static bool load(const char *path)
{
    static char text[SCRIPT_BYTES_MOST + 1];
    struct parse_error error;
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return false;
    (void)fread(text, 1, SCRIPT_BYTES_MOST, file);
    (void)fclose(file);
    return program_load(&program, path, text, print, &error);
}

int main(int argc, char **argv)
{
    struct sigaction action;
    unsigned long steps_wanted;
    int failed;

    if (argc != 3 || !load(argv[1]))
        return 2;
    steps_wanted = strtoul(argv[2], NULL, 10);
    if (moat_co_create(&stepped, program.entry, NULL) != MOAT_OK)
        return 1;
    /* On the stack that is in use: those of the handlers are small. */
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_step;
    action.sa_flags = SA_SIGINFO;
    if (sigaction(SIGTRAP, &action, NULL) != 0)
        return 1;
    failed = run(stepped);
    moat_co_destroy(stepped);
    program_unload(&program);
    printf("%lu instructions, %lu of them in a switch's window; %lu failures\n",
           steps, windows / 2, failures);
    return failed || failures > 0 || steps < steps_wanted;
}
