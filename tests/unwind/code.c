/*
 * code.c: registered code three coroutines deep. Every unwinder walks across it
 * to main, however the frames of the code were described.
 *
 *   code SCENE     shapes, throw, reuse, many, over, storm
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "tests/support/eh_frame.h"
#include "tests/unwind/chain.h"
#include "tests/unwind/code.h"

#define PAGE ((size_t)4096)
#define RBX  UINT64_C(0x5afe)

/* Looked up by dladdr, so not static. */
void bottom(void);
void *inner_entry(moat_co *self, void *input);
void *middle_entry(moat_co *self, void *input);
void *outer_entry(moat_co *self, void *input);
void host_call(void);

static const char *const expected[] = {
    "bottom",      "?", "inner_entry", "*", "middle_entry", "*",
    "outer_entry", "*", "host_call",   "*", "main",         NULL};

/* --- code ---------------------------------------------------------------- */

/* A function that calls its argument. */
struct shape {
    const char *name;
    moat_code_unwind unwind;
    size_t frame_bytes;
    unsigned char bytes[32];
    size_t size;
    unsigned char rules[32]; /* unwind instructions */
    size_t rule_bytes;
};

enum { FP, FIXED, CFI, CFI_DEEPER, SHAPES };

static const struct shape shapes[SHAPES] = {
    /* push %rbp; mov %rsp, %rbp; sub $48, %rsp; call *%rdi; leave; ret */
    {"fp", MOAT_CODE_UNWIND_FP, 0,
     "\x55\x48\x89\xe5\x48\x83\xec\x30\xff\xd7\xc9\xc3", 12, "", 0},
    /* sub $56, %rsp; call *%rdi; add $56, %rsp; ret */
    {"fixed", MOAT_CODE_UNWIND_FIXED, 56,
     "\x48\x83\xec\x38\xff\xd7\x48\x83\xc4\x38\xc3", 11, "", 0},
    /* push %rbx; sub $32, %rsp; mov $-1, %rbx; call *%rdi; add $32, %rsp;
     * pop %rbx; ret
     * +1: CFA is rsp + 16, rbx below; +4: + 48; +13: + 16; +1: + 8 */
    {"cfi", MOAT_CODE_UNWIND_CFI, 0,
     "\x53\x48\x83\xec\x20\x48\xc7\xc3\xff\xff\xff\xff\xff\xd7\x48\x83\xc4\x20"
     "\x5b\xc3",
     20, "\x41\x0e\x10\x83\x02\x44\x0e\x30\x4d\x0e\x10\x41\x0e\x08", 14},
    /* The same with 64 bytes more. */
    {"deeper", MOAT_CODE_UNWIND_CFI, 0,
     "\x53\x48\x83\xec\x60\x48\xc7\xc3\xff\xff\xff\xff\xff\xd7\x48\x83\xc4\x60"
     "\x5b\xc3",
     20, "\x41\x0e\x10\x83\x02\x44\x0e\x70\x4d\x0e\x10\x41\x0e\x08", 14},
};

static unsigned char *pages;

/* Copies the code of the shape to that page. */
static code_function place(unsigned char *at, const struct shape *shape)
{
    code_function function;

    CHECK(mprotect(at, PAGE, PROT_READ | PROT_WRITE) == 0);
    memcpy(at, shape->bytes, shape->size);
    CHECK(mprotect(at, PAGE, PROT_READ | PROT_EXEC) == 0);
    memcpy(&function, &at, sizeof function);
    return function;
}

static moat_code_id enrol(const void *at, const struct shape *shape,
                          unsigned char encoding)
{
    static const moat_code_line lines[] = {{0, 10}, {4, 12}};
    struct eh_frame *eh = (void *)(pages + 40 * PAGE); /* within reach */
    struct eh_frame own = {.used = 0};
    moat_code code = MOAT_CODE_INIT;
    moat_code_id id = 0;

    if (encoding != EH_PCREL_SDATA4)
        eh = &own;
    code.start = at;
    code.size = shape->size;
    code.name = shape->name;
    code.unwind = shape->unwind;
    code.frame_bytes = shape->frame_bytes;
    code.file = "script.lua";
    code.lines = lines;
    code.line_count = 2;
    if (shape->unwind == MOAT_CODE_UNWIND_CFI) {
        memset(eh, 0, sizeof *eh);
        eh_cie(eh, encoding);
        eh_fde(eh, at, shape->size, shape->rules, shape->rule_bytes);
        code.eh_frame = eh->bytes;
        code.eh_frame_bytes = eh->used;
    }
    CHECK(moat_code_register(&code, &id) == MOAT_OK);
    memset(eh, 0, sizeof *eh);
    return id;
}

static void leave(moat_code_id id)
{
    CHECK(moat_code_unregister(id) == MOAT_OK);
}

/* --- three coroutines deep ------------------------------------------------ */

static code_function in_the_middle;
static void (*at_the_bottom)(void);
static moat_co *inner_co, *middle_co;

FRAME void bottom(void)
{
    at_the_bottom();
    KEEP_FRAME();
}

/* Calls the code with a value in rbx, which it must preserve. */
FRAME void *inner_entry(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("call *%1"
                     :
                     : "D"(bottom), "r"(in_the_middle), "b"(RBX)
                     : "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11",
                       "cc", "memory");
    KEEP_FRAME();
    return input;
}

FRAME void *middle_entry(moat_co *self, void *input)
{
    moat_event event;

    (void)self;
    CHECK(moat_co_resume(inner_co, NULL, &event) == MOAT_OK);
    KEEP_FRAME();
    return input;
}

FRAME void *outer_entry(moat_co *self, void *input)
{
    moat_event event;

    (void)self;
    CHECK(moat_co_resume(middle_co, NULL, &event) == MOAT_OK);
    KEEP_FRAME();
    return input;
}

static moat_co *make(const char *name, moat_entry entry)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.name = name;
    if (!CHECK(moat_co_create(&co, entry, &options) == MOAT_OK))
        exit(1);
    return co;
}

FRAME void host_call(void)
{
    moat_co *outer_co = make("outer", outer_entry);
    moat_event event;

    inner_co = make("inner", inner_entry);
    middle_co = make("middle", middle_entry);
    CHECK(moat_co_resume(outer_co, NULL, &event) == MOAT_OK);
    moat_co_destroy(outer_co);
    moat_co_destroy(middle_co);
    moat_co_destroy(inner_co);
    KEEP_FRAME();
}

/* --- shapes -------------------------------------------------------------- */

/* libunwind, too, restores the caller's rbx. */
static void check_rbx(void)
{
    uintptr_t begin, found = 0;
    unw_context_t context;
    unw_cursor_t cursor;
    unw_word_t pc = 0, rbx = 0;

    memcpy(&begin, &in_the_middle, sizeof begin);
    CHECK(unw_getcontext(&context) == 0);
    CHECK(unw_init_local(&cursor, &context) == 0);
    while (found == 0 && unw_step(&cursor) > 0) {
        CHECK(unw_get_reg(&cursor, UNW_REG_IP, &pc) == 0);
        found = pc - begin < PAGE;
    }
    CHECK(found && unw_step(&cursor) > 0);
    CHECK(unw_get_reg(&cursor, UNW_X86_64_RBX, &rbx) == 0 && rbx == RBX);
}

/* libunwind's backtrace() caches the rules of an address for the thread's
 * lifetime. */
static bool reused;

static void walk_all(void)
{
    static struct chain chain;

    for (const struct chain_walker *w = chain_walkers; w->name != NULL; w++) {
        if (reused && strcmp(w->name, "backtrace as linked") == 0)
            continue;
        chain.count = 0;
        w->walk(&chain);
        CHECK(chain_matches(w->name, &chain, expected));
    }
    check_rbx();
}

static void scene_shapes(void)
{
    static const unsigned char encodings[] = {EH_ABSPTR, EH_PCREL_SDATA4};

    at_the_bottom = walk_all;
    for (size_t i = 0; i < SHAPES; i++) {
        for (size_t j = 0; j < sizeof encodings; j++) {
            unsigned char *page = pages + (2 + 2 * i + j) * PAGE;
            moat_code_id id;

            in_the_middle = place(page, &shapes[i]);
            id = enrol(page, &shapes[i], encodings[j]);
            host_call();
            leave(id);
        }
    }
}

/* --- exceptions ---------------------------------------------------------- */

static void scene_throw(void)
{
    for (size_t i = 0; i < SHAPES; i++) {
        code_function function = place(pages, &shapes[i]);
        moat_code_id id = enrol(pages, &shapes[i], EH_ABSPTR);

        CHECK(code_catches(function));
        leave(id);
    }
}

/* --- the same address again ----------------------------------------------- */

/* A walk before and one after: an unwinder must not use stale rules. */
static void scene_reuse(void)
{
    at_the_bottom = walk_all;
    reused = true;
    for (size_t i = 0; i < 4 * SHAPES; i++) {
        const struct shape *shape = &shapes[i % SHAPES];
        moat_code_id id;

        in_the_middle = place(pages, shape);
        id = enrol(pages, shape, EH_ABSPTR);
        host_call();
        CHECK(code_catches(in_the_middle));
        leave(id);
    }
}

/* --- many ---------------------------------------------------------------- */

#define MANY  ((size_t)10000)
#define APART ((size_t)64)

static moat_code_id ids[MANY];

/* NOLINTNEXTLINE(bugprone-reserved-identifier): libgcc's */
extern const void *_Unwind_Find_FDE(void *pc, void *bases);

static bool knows(unsigned char *pc)
{
    void *bases[3]; /* struct dwarf_eh_bases */
    unw_proc_info_t info;
    bool libgcc = _Unwind_Find_FDE(pc, bases) != NULL;
    bool libunwind =
        unw_get_proc_info_by_ip(unw_local_addr_space, (unw_word_t)(uintptr_t)pc,
                                &info, NULL) == 0 &&
        info.start_ip != 0;

    CHECK(libgcc == libunwind);
    return libgcc;
}

/* Expects all of the codes or, later, those with odd numbers, and none at the
 * addresses of the others. */
static void expect_known(unsigned char *block, bool even)
{
    for (size_t i = 0; i < MANY; i++)
        CHECK(knows(block + i * APART + 4) == (even || i % 2 == 1));
}

static void enrol_shape(unsigned char *block, size_t number, size_t shape)
{
    ids[number] =
        enrol(block + number * APART, &shapes[shape % SHAPES], EH_ABSPTR);
}

static void expect_catch(unsigned char *at)
{
    code_function function;

    memcpy(&function, &at, sizeof function);
    CHECK(code_catches(function));
}

/* Each of them is found among the others; the gaps between them are not. */
static void scene_many(void)
{
    const size_t bytes = MANY * APART;
    unsigned char *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(block != MAP_FAILED);
    for (size_t i = 0; i < MANY; i++)
        memcpy(block + i * APART, shapes[i % SHAPES].bytes,
               shapes[i % SHAPES].size);
    CHECK(mprotect(block, bytes, PROT_READ | PROT_EXEC) == 0);
    for (size_t i = 0; i < MANY; i++)
        enrol_shape(block, i * 7919 % MANY, i * 7919 % MANY);
    expect_known(block, true);
    for (size_t i = 0; i < MANY; i += 2) /* the others change groups */
        leave(ids[i]);
    expect_known(block, false);
    for (size_t i = 1; i < MANY; i += 2)
        expect_catch(block + i * APART);
    CHECK(code_throws());
    /* Other code with other rules, at the addresses of the removed ones. */
    CHECK(mprotect(block, bytes, PROT_READ | PROT_WRITE) == 0);
    for (size_t i = 0; i < MANY; i += 2)
        memcpy(block + i * APART, shapes[(i + 1) % SHAPES].bytes,
               shapes[(i + 1) % SHAPES].size);
    CHECK(mprotect(block, bytes, PROT_READ | PROT_EXEC) == 0);
    for (size_t i = 0; i < MANY; i += 2)
        enrol_shape(block, i, i + 1);
    expect_known(block, true);
    for (size_t i = 0; i < MANY; i++)
        expect_catch(block + i * APART);
    for (size_t i = 0; i < MANY; i++)
        leave(ids[i * 7919 % MANY]);
    CHECK(munmap(block, bytes) == 0);
}

/* --- at addresses of removed code ----------------------------------------- */

/* More than fit into one group. */
#define FILLING ((size_t)140)

/* Removes the first code of the second group and the last of the first group,
 * then registers another that overlaps both. */
static void scene_over(void)
{
    unsigned char *block = mmap(NULL, FILLING * APART, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    moat_code larger = MOAT_CODE_INIT;

    CHECK(block != MAP_FAILED);
    for (size_t i = 0; i < FILLING; i++)
        enrol_shape(block, i, i);
    /* A search sorts the group. */
    CHECK(knows(block + 128 * APART + 4));
    leave(ids[128]);
    leave(ids[127]);
    larger.start = block + 127 * APART + APART / 2;
    larger.size = APART;
    larger.unwind = MOAT_CODE_UNWIND_FP;
    CHECK(moat_code_register(&larger, &ids[127]) == MOAT_OK);
    for (size_t i = 0; i < APART; i++)
        CHECK(knows((unsigned char *)larger.start + i));
    CHECK(!knows(block + 127 * APART + 4));
    for (size_t i = 0; i < FILLING; i++)
        if (i != 128)
            leave(ids[i]);
    CHECK(munmap(block, FILLING * APART) == 0);
}

/* --- while others register -------------------------------------------------
 */

#define THREADS 3

static atomic_int over;

static void walk_moat(void)
{
    moat_frame frames[64];
    size_t count = 0;

    CHECK(moat_backtrace(frames, 64, &count) == MOAT_OK);
    CHECK(count > 2);
}

static void *come_and_go(void *arg)
{
    unsigned char *own = (unsigned char *)pages + 16 * PAGE;
    size_t number = (size_t)(uintptr_t)arg;

    for (size_t i = 0; !atomic_load(&over); i++) {
        size_t at = (i * 31 + number) % 256 * THREADS + number;

        leave(enrol(own + at * 32, &shapes[CFI], EH_ABSPTR));
    }
    return NULL;
}

/* A child can throw, walk and register. */
static void fork_one(code_function code)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        moat_code_id id = enrol(pages + 8 * PAGE, &shapes[CFI], EH_ABSPTR);
        moat_frame frames[64];
        size_t count = 0;

        CHECK(moat_backtrace(frames, 64, &count) == MOAT_OK);
        CHECK(code_catches(code));
        leave(id);
        _exit(chain_result());
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void scene_storm(void)
{
    code_function function = place(pages, &shapes[CFI]);
    moat_code_id id = enrol(pages, &shapes[CFI], EH_ABSPTR);
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, come_and_go,
                             (void *)(uintptr_t)i) == 0);
    for (size_t i = 0; i < 2000; i++) {
        CHECK(code_catches(function));
        at_the_bottom = walk_moat;
        function(bottom);
        if (i % 100 == 0)
            fork_one(function);
    }
    atomic_store(&over, 1);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    leave(id);
}

/* --- main ---------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*run)(void);
} scenes[] = {{"shapes", scene_shapes}, {"throw", scene_throw},
              {"reuse", scene_reuse},   {"many", scene_many},
              {"over", scene_over},     {"storm", scene_storm}};

int main(int argc, char **argv)
{
    pages = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        if (argc == 2 && strcmp(argv[1], scenes[i].name) == 0) {
            scenes[i].run();
            return chain_result();
        }
    }
    return 2;
}
