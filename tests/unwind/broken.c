/*
 * broken.c: faults after which the guest's part of the stack cannot be walked.
 * The host's part must still be complete and in order.
 *
 *   broken CASE   one of the names in `cases`
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/unwind/chain.h"

#define FRAMES 128
#define PAGE   4096

void call_null(void);
void jump_wild(void);
void smash_rbp(void);
void smash_rsp(void);
void clear_rsp(void);
void run_bare_code(void);
void run_framed_code(void);
void *guest_entry(moat_co *self, void *input);
void middle_call(void);
void *middle_entry(moat_co *self, void *input);
void host_call(void);

typedef void (*function)(void);

static function volatile target; /* NULL, unknown to the compiler */
static unsigned char *code;      /* a page of machine code without CFI */
static moat_co *guest_co, *middle_co;

/* sub $24,%rsp; xor %eax,%eax; mov %eax,(%rax); add $24,%rsp; ret */
static const unsigned char bare_code[] = {0x48, 0x83, 0xec, 0x18, 0x31,
                                          0xc0, 0x89, 0x00, 0x48, 0x83,
                                          0xc4, 0x18, 0xc3};

/* push %rbp; mov %rsp,%rbp; sub $16,%rsp; the same fault; leave; ret */
static const unsigned char framed_code[] = {0x55, 0x48, 0x89, 0xe5, 0x48,
                                            0x83, 0xec, 0x10, 0x31, 0xc0,
                                            0x89, 0x00, 0xc9, 0xc3};

FRAME void call_null(void)
{
    target();
    KEEP_FRAME();
}

FRAME void jump_wild(void)
{
    __asm__ volatile("movabsq $0x4141414141414141, %%rax\n\t"
                     "jmp *%%rax" ::
                         : "rax");
}

FRAME void smash_rbp(void)
{
    __asm__ volatile("movabsq $0x7fffffff0000, %%rbp\n\t"
                     "ud2" ::
                         : "memory");
}

FRAME void smash_rsp(void)
{
    __asm__ volatile("movabsq $0x123456789000, %%rsp\n\t"
                     "pushq $1" ::
                         : "memory");
}

FRAME void clear_rsp(void)
{
    __asm__ volatile("xorl %%esp, %%esp\n\t"
                     "xorl %%ebp, %%ebp\n\t"
                     "pushq $1" ::
                         : "memory");
}

static void run_code(const unsigned char *bytes, size_t size)
{
    memcpy(code, bytes, size);
    memcpy((void *)(uintptr_t)&target, &code, sizeof(code));
    target();
    KEEP_FRAME();
}

FRAME void run_bare_code(void)
{
    run_code(bare_code, sizeof(bare_code));
    KEEP_FRAME();
}

FRAME void run_framed_code(void)
{
    run_code(framed_code, sizeof(framed_code));
    KEEP_FRAME();
}

static const struct broken_case {
    const char *name;
    function fault;
    const char *own; /* a guest frame that must be found, or NULL */
} cases[] = {
    {"call-null", call_null, "call_null"},
    {"jump-wild", jump_wild, NULL},
    {"smash-rbp", smash_rbp, "smash_rbp"},
    {"smash-rsp", smash_rsp, "smash_rsp"},
    {"clear-rsp", clear_rsp, "clear_rsp"},
    {"bare-code", run_bare_code, NULL},
    {"framed-code", run_framed_code, "run_framed_code"},
};

static const struct broken_case *chosen;

FRAME void *guest_entry(moat_co *self, void *input)
{
    (void)self;
    chosen->fault();
    KEEP_FRAME();
    return input;
}

static size_t find_root(const moat_frame *frames, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if ((frames[i].flags & MOAT_FRAME_ROOT) && frames[i].co == guest_co)
            return i;
    return count;
}

static bool has_own_frame(const moat_frame *frames, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(chain_name(frames[i].pc +
                              !!(frames[i].flags & MOAT_FRAME_TRAP)),
                   chosen->own) == 0)
            return true;
    return false;
}

static void check_chain(void)
{
    static const char *const resumers[] = {"middle_call", "middle_entry", "*",
                                           "host_call",   "main",         NULL};
    static struct chain chain;
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_frame frames[FRAMES];
    size_t count = 0, root;

    CHECK(moat_co_backtrace(guest_co, frames, FRAMES, &count) == MOAT_OK);
    CHECK(moat_co_trap_info(guest_co, &info) == MOAT_OK);
    CHECK(count > 0 && frames[0].pc == info.pc &&
          (frames[0].flags & MOAT_FRAME_TRAP));
    root = find_root(frames, count);
    CHECK(root < count);
    chain_from_frames(&chain, frames, count, root);
    CHECK(chain.count > 1 && chain_matches(chosen->name, &chain, resumers));
    /* No frames between the root and the function that resumed. */
    CHECK(chain.count > 1 &&
          (chain_is_library(chain.pc[1]) ||
           strcmp(chain_name(chain.pc[1]), "middle_call") == 0));
    CHECK(chosen->own == NULL || has_own_frame(frames, root));
}

FRAME void middle_call(void)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};

    CHECK(moat_co_resume(guest_co, NULL, &event) == MOAT_OK &&
          event.kind == MOAT_EVENT_TRAP);
    check_chain();
    KEEP_FRAME();
}

FRAME void *middle_entry(moat_co *self, void *input)
{
    (void)self;
    middle_call();
    KEEP_FRAME();
    return input;
}

FRAME void host_call(void)
{
    moat_event event;

    CHECK(moat_co_resume(middle_co, NULL, &event) == MOAT_OK &&
          event.kind == MOAT_EVENT_RETURN);
    KEEP_FRAME();
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (argc == 2 && strcmp(cases[i].name, argv[1]) == 0)
            chosen = &cases[i];
    if (chosen == NULL) {
        fprintf(stderr, "usage: broken CASE\n");
        return 2;
    }
    code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!CHECK(code != MAP_FAILED) ||
        !CHECK(moat_co_create(&guest_co, guest_entry, NULL) == MOAT_OK) ||
        !CHECK(moat_co_create(&middle_co, middle_entry, NULL) == MOAT_OK))
        return 1;
    /* Twice: the first walk fills the unwinder's caches. */
    host_call();
    CHECK(moat_co_reset(guest_co) == MOAT_OK);
    CHECK(moat_co_reset(middle_co) == MOAT_OK);
    target = NULL;
    host_call();
    moat_co_destroy(guest_co);
    moat_co_destroy(middle_co);
    return chain_result();
}
