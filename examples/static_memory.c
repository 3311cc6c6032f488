/*
 * static_memory.c: coroutines in memory of the program's own.
 *
 * Shows: MOAT_STACK_CALLER. Record and stack lie in static arrays, and moat
 * allocates nothing for them. To prove it, once the engine is ready and the
 * thread attached, malloc aborts, and a seccomp filter kills the process at the
 * first mmap, mremap or brk.
 * Run: build/debug/examples/static_memory
 * Prints: what three guests did: one counted, one overflowed its stack into the
 * guard, and one wrote to a null pointer (expected/static_memory.txt).
 * Try: options.name; a time limit, whose timer moat makes when the first such
 * coroutine is created, so create one before the filter.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/moat.h>

#define STACK_BYTES ((size_t)16 * 1024)
#define GUARD_BYTES ((size_t)16 * 1024)

static char small[MOAT_CO_RECORD_BYTES + STACK_BYTES];

/* A guard takes whole pages. */
static _Alignas(
    4096) char guarded[MOAT_CO_RECORD_BYTES + GUARD_BYTES + STACK_BYTES];

/* --- no more memory from the system --------------------------------------- */

static int started;

/* Until the start memory comes from here and never goes back. */
static _Alignas(16) char heap[1 << 20];
static size_t taken;

static void *take(size_t bytes, size_t alignment)
{
    size_t begin = (taken + alignment - 1) / alignment * alignment;
    static const char text[] = "malloc was called\n";

    if (started) {
        (void)!write(STDERR_FILENO, text, sizeof text - 1);
        abort();
    }
    if (bytes > sizeof heap - begin)
        return NULL;
    taken = begin + bytes;
    return heap + begin;
}

void *malloc(size_t bytes)
{
    return take(bytes, 16);
}

void *calloc(size_t count, size_t bytes)
{
    return take(count * bytes, 16); /* it has not been used before */
}

void *realloc(void *old, size_t bytes)
{
    void *memory = take(bytes, 16);

    /* The old block may be shorter, but not its neighbours in the array. */
    if (old != NULL && memory != NULL)
        memmove(memory, old, bytes);
    return memory;
}

int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    *out = take(bytes, alignment);
    return *out != NULL ? 0 : ENOMEM;
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return take(bytes, alignment);
}

void free(void *memory)
{
    (void)memory;
}

#define KILL_AT(number)                                            \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(number), 0, 1), \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

static int forbid_mappings(void)
{
    static struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        KILL_AT(SYS_mmap),
        KILL_AT(SYS_mremap),
        KILL_AT(SYS_brk),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {
        .len = sizeof filter / sizeof filter[0],
        .filter = filter,
    };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return 0;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* --- guests --------------------------------------------------------------- */

static void *count(moat_co *self, void *input)
{
    for (uintptr_t i = 1; i <= 3; i++)
        (void)moat_co_yield(self, (void *)i);
    return input;
}

/* The frame is read after the inner call, so that it is no loop. */
__attribute__((noinline)) static int descend(int depth)
{
    volatile char frame[512];

    frame[0] = 1;
    return depth == 0 ? frame[0] : descend(depth - 1) + frame[0];
}

static void *go_too_deep(moat_co *self, void *input)
{
    (void)self;
    (void)descend(1000);
    return input;
}

static int *volatile nowhere;

static void *write_to_null(moat_co *self, void *input)
{
    (void)self;
    *nowhere = 1;
    return input;
}

/* --- host ----------------------------------------------------------------- */

static void run(const char *name, moat_co *co)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;
    moat_event event;

    do {
        if (moat_co_resume(co, NULL, &event) != MOAT_OK)
            return;
        if (event.kind == MOAT_EVENT_YIELD)
            printf("%s: %d\n", name, (int)(uintptr_t)event.value);
    } while (event.kind == MOAT_EVENT_YIELD);
    if (moat_co_trap_info(co, &trap) == MOAT_OK)
        printf("%s: %s\n", name, moat_trap_kind_str(trap.kind));
    else
        printf("%s: returned\n", name);
}

static void run_in(const char *name, moat_entry entry, void *memory,
                   size_t bytes, size_t guard_bytes)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_status status;
    moat_co *co;

    options.stack_kind = MOAT_STACK_CALLER;
    options.stack_memory = memory;
    options.stack_bytes = bytes;
    options.guard_bytes = guard_bytes;
    status = moat_co_create(&co, entry, &options);
    if (status != MOAT_OK) {
        printf("%s: %s\n", name, moat_error_str(status));
        return;
    }
    run(name, co);
    moat_co_destroy(co);
}

int main(void)
{
    static char buffer[BUFSIZ];

    (void)setvbuf(stdout, buffer, _IOLBF, sizeof buffer);
    if (moat_engine_init(NULL) != MOAT_OK || moat_thread_attach() != MOAT_OK)
        return 1;
    started = 1;
    if (!forbid_mappings())
        return 1;
    for (int i = 0; i < 2; i++)
        run_in("counter", count, small, sizeof small, 0);
    run_in("recursion", go_too_deep, guarded, sizeof guarded, GUARD_BYTES);
    run_in("writer", write_to_null, small, sizeof small, 0);
    return 0;
}
