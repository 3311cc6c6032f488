/*
 * handmade.c: a switch in a few instructions, that debuggers can walk over.
 *
 * A call preserves rbx, rbp, r12 to r15 and the stack pointer (psABI, 3.2.1),
 * so a switch is a function that pushes those, exchanges the stack pointer and
 * pops them. "ret" then returns to the caller of the function on the other
 * stack. moat's switch is the same idea without pushes, calls and returns: its
 * site is inline, and the compiler saves only what is live.
 *
 * A new stack begins with the words that the switch pops: a set of registers
 * and the address of an entry. Most handmade switches stop there, and a
 * backtrace from inside ends in nonsense. It can go on instead:
 *
 *   - The entry has a frame record like any function: a saved rbp and a return
 *     address. Each resume stores its caller's there, and a walk of frame
 *     pointers goes on with the caller.
 *
 *   - The entry has unwind information (.cfi) to the same effect: the CFA is
 *     rbp + 16, and the two words below it are the caller's.
 *
 * Shows: a walk from inside a coroutine to main, by frame pointers.
 * Run: build/debug/examples/handmade; or break at `look` in gdb, and "bt"
 * Prints: expected/classic_handmade.txt
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* for dladdr */

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>

/* The words at the saved stack pointer of a stack that was left. */
struct saved {
    uintptr_t r15, r14, r13, r12, rbx, rbp, rip;
};

/* The entry's frame: a frame record whose words name the resumer's frame. */
struct border {
    uintptr_t rbp, rip;
};

struct co {
    uintptr_t sp, host_sp; /* where either side was left */
    struct border *border;
    int (*run)(struct co *, int);
    int value, done;
};

static _Alignas(16) char stack[64 * 1024];

/* --- the switch ----------------------------------------------------------- */

/* void exchange(uintptr_t *save, uintptr_t load) */
void exchange(uintptr_t *save, uintptr_t load);
void entry(void);
void enter(struct co *co);

__asm__(".text\n"
        ".globl exchange\n"
        ".type exchange, @function\n"
        "exchange:\n"
        ".cfi_startproc\n"
        "    endbr64\n"
        "    pushq %rbp\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset rbp, -16\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        ".cfi_def_cfa_offset 56\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        ".cfi_def_cfa_offset 8\n"
        "    ret\n"
        ".cfi_endproc\n"
        ".size exchange, . - exchange\n"
        /* rbx is the coroutine, and rbp its border. */
        ".globl entry\n"
        ".type entry, @function\n"
        "entry:\n"
        ".cfi_startproc\n"
        ".cfi_def_cfa rbp, 16\n"
        ".cfi_offset rbp, -16\n"
        ".cfi_offset rip, -8\n"
        "    endbr64\n"
        "    movq %rbx, %rdi\n"
        "    call enter\n"
        "    ud2\n"
        ".cfi_endproc\n"
        ".size entry, . - entry\n");

/* --- coroutines ----------------------------------------------------------- */

static void make(struct co *co, int (*run)(struct co *, int))
{
    struct border *border = (struct border *)(stack + sizeof stack) - 1;
    /* A call leaves the stack pointer at a multiple of 16. */
    struct saved *saved = (struct saved *)border - 1;

    saved->rbx = (uintptr_t)co;
    saved->rbp = (uintptr_t)border;
    saved->rip = (uintptr_t)entry;
    co->border = border;
    co->sp = (uintptr_t)saved;
    co->run = run;
    co->done = 0;
}

/* The border has the caller's frame for the time of the resume: a walk goes
 * from the entry to the caller. */
__attribute__((noinline)) int resume(struct co *co, int value);

int resume(struct co *co, int value)
{
    const uintptr_t *frame = __builtin_frame_address(0);

    co->value = value;
    co->border->rbp = frame[0];
    co->border->rip = frame[1];
    exchange(&co->host_sp, co->sp);
    return co->value;
}

static int yield(struct co *co, int value)
{
    co->value = value;
    exchange(&co->sp, co->host_sp);
    return co->value;
}

void enter(struct co *co)
{
    co->value = co->run(co, co->value);
    co->done = 1;
    exchange(&co->sp, co->host_sp);
}

/* --- a walk --------------------------------------------------------------- */

static const char *name_of(uintptr_t pc)
{
    Dl_info info;

    if (dladdr((void *)(pc - 1), &info) == 0 || info.dli_sname == NULL)
        return "?";
    return info.dli_sname;
}

static int is_main(uintptr_t pc)
{
    const char *name = name_of(pc);

    return name[0] == 'm' && name[1] == 'a' && name[2] == 'i';
}

__attribute__((noinline)) void look(void);

void look(void)
{
    const uintptr_t *frame = __builtin_frame_address(0);

    printf("look");
    for (; frame != NULL; frame = (const uintptr_t *)frame[0]) {
        printf(" <- %s", name_of(frame[1]));
        if (is_main(frame[1]))
            break;
    }
    printf("\n");
}

int add_up(struct co *co, int value);

int add_up(struct co *co, int value)
{
    int sum = 0;

    while (value != 0) {
        sum += value;
        look();
        value = yield(co, sum);
    }
    return sum;
}

int ask_twice(struct co *co);

int ask_twice(struct co *co)
{
    int sum = resume(co, 3);

    return sum + resume(co, 4);
}

int main(void)
{
    struct co co;
    int sum;

    make(&co, add_up);
    printf("%d\n", resume(&co, 10));
    sum = ask_twice(&co);
    printf("%d\n", sum);
    sum = resume(&co, 0);
    printf("%d, %s\n", sum, co.done ? "done" : "not done");
    return 0;
}
