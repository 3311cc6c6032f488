/*
 * record.c: runs a guest with the assembly in docs/record.md, and prints that
 * document's table of offsets.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <moat/moat.h>

/* Defined in docs/record.md. */
uint64_t jit_resume(moat_co *co, void *input, void **value);
void *jit_yield(moat_co *co, void *value);

static void print_offsets(void)
{
#define ROW(type, field)                                    \
    printf("| %zu | %zu | `%s` |\n", offsetof(type, field), \
           sizeof((type){0}.field), #field)
    ROW(struct moat_co, resumer_fp);
    ROW(struct moat_co, resumer_pc);
    ROW(struct moat_co, resumer_sp);
    ROW(struct moat_co, resumer_bx);
    ROW(struct moat_co, fp);
    ROW(struct moat_co, pc);
    ROW(struct moat_co, sp);
    ROW(struct moat_co, bx);
    ROW(struct moat_co, state);
    ROW(struct moat_co, token);
    ROW(struct moat_co, resumer);
    ROW(struct moat_co, entry);
    ROW(struct moat_co, mxcsr);
    ROW(struct moat_co, fcw);
    ROW(struct moat_co, flags);
    ROW(struct moat_co, root_sp);
    ROW(struct moat_co, home);
    ROW(struct moat_co, user);
    ROW(struct moat_tls, current);
    ROW(struct moat_tls, token);
    ROW(struct moat_tls, poll);
    ROW(struct moat_tls, home);
    ROW(struct moat_tls, homes);
    ROW(struct moat_tls, reach);
    ROW(struct moat_tls, fuel);
#undef ROW
}

static int failures;

static void expect(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "record: expected %s\n", what);
    failures++;
}

/* Returns the number of borders between the caller and main; -1 if the walk
 * ended early. */
static int borders(void)
{
    moat_frame frames[64];
    size_t count;
    int found = 0;
    moat_status status = moat_backtrace(frames, 64, &count);

    if (status == MOAT_E_UNSUPPORTED)
        return 1;
    if (status != MOAT_OK || count < 5 || frames[count - 1].co != NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        found += (frames[i].flags & MOAT_FRAME_ROOT) != 0;
    return found;
}

static void *guest(moat_co *self, void *input)
{
    uintptr_t sum = 0;

    while (input != NULL) {
        sum += (uintptr_t)input;
        input = jit_yield(self, (void *)sum);
    }
    expect(borders() == 1, "a backtrace from the guest through to main");
    expect(moat_co_current() == self, "the guest to be the current one");
    /* In assembly, so that no sanitizer reports the fault first. */
    __asm__ volatile("movl $1, (%0)" : : "r"(input) : "memory");
    return NULL;
}

static void run(moat_co *co)
{
    void *value = NULL;

    for (uintptr_t i = 1; i <= 1000; i++) {
        expect(jit_resume(co, (void *)i, &value) == MOAT_EVENT_YIELD,
               "a yield");
        expect((uintptr_t)value == i * (i + 1) / 2, "the guest's sum");
        expect(moat_co_get_state(co) == MOAT_CO_SUSPENDED, "SUSPENDED");
        expect(moat_co_current() == NULL, "the host to run again");
    }
    expect(jit_resume(co, NULL, &value) == MOAT_EVENT_TRAP, "a trap");
    expect(moat_co_get_state(co) == MOAT_CO_TRAPPED, "TRAPPED");
    expect(moat_co_current() == NULL, "the host to run after the trap");
}

/* A guest whose yield is compiled C. */
static void *c_guest(moat_co *self, void *input)
{
    for (int i = 0; i < 3; i++)
        input = moat_co_yield(self, input);
    return input;
}

static void run_c_guest(void)
{
    void *value = NULL;
    moat_co *co = NULL;

    if (moat_co_create(&co, c_guest, NULL) != MOAT_OK)
        exit(1);
    for (int i = 0; i < 3; i++)
        expect(jit_resume(co, &value, &value) == MOAT_EVENT_YIELD &&
                   value == &value,
               "a yield of C");
    expect(jit_resume(co, NULL, &value) == MOAT_EVENT_RETURN, "a return");
    moat_co_destroy(co);
}

static void cancel(moat_co *co)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};
    void *value = NULL;

    expect(jit_resume(co, &value, &value) == MOAT_EVENT_YIELD, "a yield");
    expect(moat_co_cancel(co, &event) == MOAT_OK, "a cancel");
    expect(event.kind == MOAT_EVENT_RETURN, "the unwinding to reach its end");
    expect(moat_co_get_state(co) == MOAT_CO_DONE, "DONE");
}

int main(int argc, char **argv)
{
    moat_event event;
    moat_co *co = NULL;

    (void)argv;
    if (argc > 1) {
        print_offsets();
        return 0;
    }
    if (moat_co_create(&co, guest, NULL) != MOAT_OK)
        return 1;
    run(co);
    /* The inline functions continue after the emitted code, and the other way
     * round. */
    expect(moat_co_reset(co) == MOAT_OK, "a reset");
    expect(moat_co_resume(co, (void *)5, &event) == MOAT_OK, "a resume");
    expect(event.value == (void *)5, "the first sum");
    expect(moat_co_reset(co) == MOAT_OK, "another reset");
    run(co);
    expect(moat_co_reset(co) == MOAT_OK, "a third reset");
    run_c_guest();
    cancel(co);
    moat_co_destroy(co);
    return failures != 0;
}
