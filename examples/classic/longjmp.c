/*
 * longjmp.c: coroutines from setjmp and longjmp, as in a textbook.
 *
 * setjmp notes the registers, the stack pointer among them; longjmp loads them.
 * So two functions seem able to jump back and forth between each other's
 * setjmp, each going on where it was. The standard forbids it: longjmp may only
 * go to a function that has not returned. The reason is that setjmp saves no
 * stack. All frames lie on the thread's one stack, and the function that was
 * left lies below the one that goes on. The next call of the latter, whatever
 * it is, has its frame there: locals and return address of the sleeper are
 * gone. It works in a textbook because nothing is called in between.
 *
 * Cures: give each its own stack (handmade.c, ucontext.c), or save and restore
 * the frames (copying.c).
 *
 * Shows: a sleeper that is continued after another call used its frame. It runs
 * in a coroutine of moat's, so its end is an event instead of the program's.
 * Run: build/debug/examples/longjmp
 * Prints: expected/classic_longjmp.txt
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdio.h>

#include <moat/moat.h>

static jmp_buf main_part, sleeper_part;

/* Counts, and leaves by longjmp in the middle. */
__attribute__((noinline)) static void sleeper(void)
{
    volatile unsigned count = 1;

    if (setjmp(sleeper_part) == 0)
        longjmp(main_part, 1);
    count++;
    printf("the sleeper's count is %s\n", count == 2 ? "right" : "lost");
    (void)fflush(stdout);
    /* It returns to an address that is lost, too. */
}

/* The sleeper's frame, return address included, lies well below the caller's.
 */
__attribute__((noinline)) static void call_sleeper(void)
{
    volatile unsigned char frame[1024];

    frame[0] = 1;
    sleeper();
    frame[0]++;
}

/* Some other work. Its frame covers the sleeper's. */
__attribute__((noinline)) static void work(unsigned char byte)
{
    volatile unsigned char frame[8192];

    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = byte;
}

/* noinline: the sleeper's frame must not be a part of this one. */
__attribute__((noinline)) static void alternate(void)
{
    if (setjmp(main_part) == 0)
        call_sleeper();
    work(0x77);
    longjmp(sleeper_part, 1);
}

static void *textbook(moat_co *self, void *input)
{
    (void)self;
    alternate();
    return input;
}

/* The same loop, on a stack of its own. */
static void *count_up(moat_co *self, void *input)
{
    for (unsigned count = 1;; count++)
        input = moat_co_yield(self, (void *)(uintptr_t)count);
    return input;
}

static void with_moat(void)
{
    moat_event event;
    moat_co *co;

    if (moat_co_create(&co, count_up, NULL) != MOAT_OK)
        return;
    for (unsigned turn = 1; turn <= 3; turn++) {
        work(0x77);
        if (moat_co_resume(co, NULL, &event) == MOAT_OK)
            printf("with a stack of its own the count is %u\n",
                   (unsigned)(uintptr_t)event.value);
    }
    moat_co_destroy(co);
}

int main(void)
{
    moat_event event;
    moat_co *co;

    if (moat_co_create(&co, textbook, NULL) != MOAT_OK ||
        moat_co_resume(co, NULL, &event) != MOAT_OK)
        return 1;
    printf("the textbook's way ends in a %s\n",
           event.kind == MOAT_EVENT_TRAP ? "trap" : "result");
    moat_co_destroy(co);
    with_moat();
    return 0;
}
