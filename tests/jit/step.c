/*
 * step.c: single-steps compiled scripts and, at each of their instructions,
 * walks the stack with the unwinders of libgcc, libunwind and moat: from the
 * instruction through the script's functions, each coroutine's border and the
 * function that resumed it, to main. This proves that the emitted unwind rows
 * are right at each instruction of a prologue, an epilogue, an expression and
 * an emitted switch, wherever a signal arrives.
 *
 *   step FILE STEPS WINDOWS   the minimum number of instructions of the script
 *                             that must be seen, and of those in the window of
 *                             a switch
 *   step FILE --alone         runs it without steps, for a debugger
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

#define TRAP_FLAG   0x100
#define MAX_FRAMES  64
#define MAX_SHOWN   10
#define MAX_STEPS   20000 /* then the script runs without steps */
#define RESUMES     4
#define STACK_BYTES ((uintptr_t)256 << 10) /* the default */

struct seen {
    const char *walker;
    bool knows_fp;
    uintptr_t pc[MAX_FRAMES];
    uintptr_t fp[MAX_FRAMES];
    size_t count;
};

static struct program program;
static bool *entries; /* whether the byte of code is part of an entry */
static volatile sig_atomic_t stepping;
static unsigned long steps, windows, failures;

/* --- the expected chain --------------------------------------------------- */

static bool is_compiled(uintptr_t pc)
{
    return pc - (uintptr_t)program.code < program.code_bytes;
}

/* Returns the name of a function, also of compiled code. */
static const char *name_of(uintptr_t pc)
{
    return is_compiled(pc) ? "script" : chain_name(pc);
}

static void complain(const struct seen *seen, const char *what)
{
    if (++failures > MAX_SHOWN)
        return;
    printf("%s: script+%#" PRIxPTR ": %s:", seen->walker,
           seen->pc[0] - (uintptr_t)program.code, what);
    for (size_t i = 0; i < seen->count; i++)
        printf(" %s", name_of(seen->pc[i]));
    printf("\n");
}

/* Done once for each byte of the code, because describing frames is slow. */
static bool learn_entries(void)
{
    entries = calloc(program.code_bytes, sizeof *entries);
    for (size_t i = 0; entries != NULL && i < program.code_bytes; i++) {
        const moat_frame frame = {(uintptr_t)program.code + i, 0, NULL,
                                  MOAT_FRAME_TRAP | MOAT_FRAME_JIT};
        char text[256];

        (void)moat_frame_describe(&frame, text, sizeof text);
        entries[i] = strstr(text, "[entry]") || strstr(text, "[generator]");
    }
    return entries != NULL;
}

static const moat_co *resumer_of(const moat_co *co)
{
    /* Bit 0 selects the slow path. */
    return (const moat_co *)(co->resumer & ~(uintptr_t)1);
}

/* Checks a coroutine's frames from number `first` on: the script's out to its
 * entry, then the root. Returns the number of the next frame. */
static size_t check_coroutine(const struct seen *seen, const moat_co *co,
                              size_t first)
{
    size_t i = first;

    while (i < seen->count && is_compiled(seen->pc[i]))
        i++;
    if (i == first || !entries[seen->pc[i - 1] - (uintptr_t)program.code])
        complain(seen, "an entry is missing");
    if (i == seen->count || strcmp(name_of(seen->pc[i]), "moat_root") != 0)
        complain(seen, "a root is missing");
    else if (seen->fp[i] != (uintptr_t)co && seen->knows_fp)
        complain(seen, "a root's frame pointer is lost");
    return i + 1;
}

static void check(const struct seen *seen, uintptr_t sp)
{
    const moat_co *co = (const moat_co *)(moat_tls.current & ~(uintptr_t)1);
    size_t i = 0;

    if (seen->count > 1 && seen->pc[1] == co->resumer_pc) {
        /* In the window of a switch, the next frame is the resumer, at the
         * address where the switch returns. */
        windows++;
        co = resumer_of(co);
        i = 1;
    } else if (co->root_sp - sp > STACK_BYTES) {
        /* A resume has started, or has not finished yet. */
        co = resumer_of(co);
    }
    for (; co != NULL; co = resumer_of(co))
        i = check_coroutine(seen, co, i);
    if (i >= seen->count || strcmp(name_of(seen->pc[i]), "run") != 0)
        complain(seen, "run is missing");
    else if (strcmp(name_of(seen->pc[i + 1]), "main") != 0)
        complain(seen, "main is missing");
}

/* --- steps --------------------------------------------------------------- */

static void add(struct seen *seen, uintptr_t pc, uintptr_t fp)
{
    /* Skips the handler's own frames. */
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

static void walk_libgcc(void *context, struct seen *seen)
{
    (void)context;
    (void)_Unwind_Backtrace(take, seen);
}

static void walk_moat(void *context, struct seen *seen)
{
    static moat_frame frames[MAX_FRAMES];
    size_t count = 0;

    (void)context;
    (void)moat_backtrace(frames, MAX_FRAMES, &count);
    for (size_t i = 0; i < count; i++)
        add(seen, frames[i].pc, 0);
}

static const struct walker {
    const char *name;
    bool knows_fp;
    void (*walk)(void *context, struct seen *seen);
} walkers[] = {{"libgcc", true, walk_libgcc},
               {"libunwind", true, walk_libunwind},
               {"moat", false, walk_moat}};
#define WALKERS (sizeof walkers / sizeof *walkers)

static void walk_from(const struct walker *walker, void *context)
{
    const greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    struct seen seen = {.walker = walker->name, .knows_fp = walker->knows_fp};

    walker->walk(context, &seen);
    if (seen.count == 0 || seen.pc[0] != (uintptr_t)registers[REG_RIP])
        complain(&seen, "the instruction is missing");
    else
        check(&seen, (uintptr_t)registers[REG_RSP]);
}

static void on_step(int signo, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

    (void)signo;
    (void)info;
    if (!stepping || steps == MAX_STEPS) {
        registers[REG_EFL] &= ~TRAP_FLAG;
        return;
    }
    if (!is_compiled((uintptr_t)registers[REG_RIP]))
        return;
    steps++;
    for (size_t i = 0; i < WALKERS; i++)
        walk_from(&walkers[i], context);
}

static inline __attribute__((always_inline)) void step_from_here(void)
{
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::
                         : "cc", "memory");
}

/* --- the script ---------------------------------------------------------- */

/* For a debugger's breakpoints: called by "print 1" and "print 2". */
FRAME void scene_begin(void);
FRAME void scene_end(void);

FRAME void scene_begin(void)
{
    KEEP_FRAME();
}

FRAME void scene_end(void)
{
    KEEP_FRAME();
}

static void print(moat_co *self, int64_t value)
{
    (void)self;
    if (value == 1)
        scene_begin();
    if (value == 2)
        scene_end();
}

FRAME int run(moat_co *co);
FRAME int run(moat_co *co)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};

    for (int i = 0; i < RESUMES && event.kind == MOAT_EVENT_YIELD; i++) {
        if (stepping)
            step_from_here();
        if (moat_co_resume(co, NULL, &event) != MOAT_OK)
            return 1;
    }
    stepping = 0;
    KEEP_FRAME();
    return event.kind == MOAT_EVENT_TRAP;
}

static bool load(const char *path)
{
    static char text[MAX_SCRIPT_BYTES + 1];
    struct parse_error error;
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return false;
    (void)fread(text, 1, MAX_SCRIPT_BYTES, file);
    (void)fclose(file);
    return program_load(&program, path, text, print, &error);
}

/* Handlers run on the current stack: the alternate stacks are small. */
static bool catch_steps(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_step;
    action.sa_flags = SA_SIGINFO;
    return learn_entries() && sigaction(SIGTRAP, &action, NULL) == 0;
}

int main(int argc, char **argv)
{
    unsigned long wanted[2] = {0, 0};
    moat_co *co;
    int failed;

    if ((argc != 3 && argc != 4) || !load(argv[1]))
        return 2;
    stepping = argc == 4;
    for (int i = 0; stepping && i < 2; i++)
        wanted[i] = strtoul(argv[2 + i], NULL, 10);
    if (moat_co_create(&co, program.entry, NULL) != MOAT_OK ||
        (stepping && !catch_steps()))
        return 1;
    failed = run(co);
    moat_co_destroy(co);
    program_unload(&program);
    free(entries);
    windows /= WALKERS;
    printf("%lu instructions, %lu of them in a switch's window; %lu failures\n",
           steps, windows, failures);
    return failed || failures > 0 || steps < wanted[0] || windows < wanted[1];
}
