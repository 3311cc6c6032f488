/*
 * test_backtrace.c: backtraces as arrays, frames as text, and reports that
 * cannot be written. tests/unwind checks that the frames are right.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <moat/moat.h>

#include "support/fixture.h"
#include "support/frame.h"

#define FRAMES ((size_t)64)

static moat_frame frames[FRAMES];

static bool has_unwinder(void)
{
    size_t count;

    return moat_backtrace(frames, FRAMES, &count) != MOAT_E_UNSUPPORTED;
}

static void *echo(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

static void *raise_1(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    moat_trap_raise(1);
}

static void *walk(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(moat_backtrace(frames, FRAMES, input), MOAT_OK);
    return NULL;
}

static moat_co *create(moat_entry entry)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.name = "somebody";
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static moat_co *stop(moat_entry entry, void *input)
{
    moat_co *co = create(entry);
    moat_event event;

    REQUIRE(moat_co_resume(co, input, &event) == MOAT_OK);
    return co;
}

/* ---- Arrays ---- */

static void a_short_array_gets_the_innermost(const void *arg)
{
    moat_frame few[3];
    size_t all = 0, count = 77;

    (void)arg;
    if (!has_unwinder())
        return;
    EXPECT_EQ(moat_backtrace(frames, FRAMES, &all), MOAT_OK);
    EXPECT(all > 3 && all < FRAMES);
    EXPECT_EQ(moat_backtrace(few, 3, &count), MOAT_E_FULL);
    EXPECT_EQ(count, 3);
    EXPECT_EQ(few[1].pc, frames[1].pc);
    EXPECT_EQ(moat_backtrace(few, 0, &count), MOAT_E_FULL);
    EXPECT_EQ(count, 0);
    EXPECT_EQ(moat_backtrace(frames, all, &count), MOAT_OK);
    EXPECT_EQ(count, all);
}

static void frames_name_their_coroutine(const void *arg)
{
    size_t count = 0, root = 0;
    moat_co *co;

    (void)arg;
    if (!has_unwinder())
        return;
    co = stop(walk, &count);
    while (root < count && !(frames[root].flags & MOAT_FRAME_ROOT))
        EXPECT(frames[root++].co == co);
    REQUIRE(root < count);
    EXPECT(root >= 1);
    EXPECT(frames[root].co == co);
    for (size_t i = root + 1; i < count; i++) {
        EXPECT(frames[i].co == NULL);
        EXPECT_EQ(frames[i].flags, 0);
    }
    moat_co_destroy(co);
}

static void stopped_coroutines_have_the_frames_of_their_state(const void *arg)
{
    moat_co *fresh, *suspended, *trapped;
    size_t count = 77;

    (void)arg;
    if (!has_unwinder())
        return;
    fresh = create(echo);
    suspended = stop(echo, NULL);
    trapped = stop(raise_1, NULL);
    EXPECT_EQ(moat_co_backtrace(fresh, frames, FRAMES, &count), MOAT_OK);
    EXPECT_EQ(count, 0);
    EXPECT_EQ(moat_co_backtrace(suspended, frames, FRAMES, &count), MOAT_OK);
    EXPECT(count >= 2);
    EXPECT_EQ(frames[0].flags, 0);
    EXPECT_EQ(frames[count - 1].flags, MOAT_FRAME_ROOT);
    EXPECT_EQ(frames[count - 1].co, suspended);
    EXPECT_EQ(moat_co_backtrace(trapped, frames, FRAMES, &count), MOAT_OK);
    EXPECT(count >= 3);
    EXPECT_EQ(frames[0].flags, MOAT_FRAME_TRAP);
    EXPECT_EQ(moat_co_backtrace(trapped, frames, 2, &count), MOAT_E_FULL);
    EXPECT_EQ(count, 2);
    moat_co_destroy(trapped);
    moat_co_destroy(suspended);
    moat_co_destroy(fresh);
}

/* ---- By frame pointers ---- */

struct records {
    size_t count;
    moat_status status;
};

FRAME static void walk_records(struct records *out)
{
    out->status = moat_backtrace_fp(frames, FRAMES, &out->count);
    KEEP_FRAME();
}

FRAME static void walk_records_below(struct records *out)
{
    walk_records(out);
    KEEP_FRAME();
}

FRAME static void walk_with_little_room(void)
{
    moat_frame few[1];
    size_t count = 77;

    EXPECT_EQ(moat_backtrace_fp(few, 1, &count), MOAT_E_FULL);
    EXPECT_EQ(count, 1);
    EXPECT_EQ(moat_backtrace_fp(few, 0, &count), MOAT_E_FULL);
    EXPECT_EQ(count, 0);
}

static void wrong_arguments_are_refused(const void *arg)
{
    size_t count = 77;

    (void)arg;
    EXPECT_EQ(moat_backtrace_fp(NULL, FRAMES, &count), MOAT_E_INVAL);
    EXPECT_EQ(moat_backtrace_fp(frames, FRAMES, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_backtrace(NULL, FRAMES, &count), MOAT_E_INVAL);
    EXPECT_EQ(moat_backtrace(frames, FRAMES, NULL), MOAT_E_INVAL);
    EXPECT_EQ(count, 77);
    EXPECT_EQ(moat_backtrace_fp(frames, FRAMES, &count), MOAT_E_THREAD);
    EXPECT_EQ(count, 0);
    REQUIRE(moat_thread_attach() == MOAT_OK);
    walk_with_little_room();
    KEEP_FRAME();
}

static void *records_entry(moat_co *self, void *input)
{
    (void)self;
    walk_records_below(input);
    KEEP_FRAME();
    return NULL;
}

/* Expects the frames of `co` up to its root, at most one of them guessed, then
 * the host's. */
static void expect_borders(const moat_co *co, size_t count, bool guessed)
{
    size_t root = 0;

    while (root < count && (frames[root].flags & MOAT_FRAME_ROOT) == 0)
        EXPECT(frames[root++].co == co);
    REQUIRE(root + 1 < count);
    EXPECT(frames[root].co == co);
    EXPECT_EQ((frames[root].flags & MOAT_FRAME_GUESSED) != 0, guessed);
    EXPECT(frames[root + 1].pc == co->resumer_pc);
    for (size_t i = root + 1; i < count; i++)
        EXPECT(frames[i].co == NULL);
}

static void records_lead_over_the_border(const void *arg)
{
    struct records records = {0, MOAT_E_STATE};
    moat_co *co = stop(records_entry, &records);

    (void)arg;
    EXPECT_EQ(records.status, MOAT_OK);
    EXPECT(records.count > 5);
    expect_borders(co, records.count, false);
    moat_co_destroy(co);
}

/* A function that uses the frame-pointer register for another value. */
FRAME static void walk_without_fp(struct records *records, uintptr_t other)
{
    __asm__ volatile("pushq %%rbp\n\t"
                     "movq %1, %%rbp\n\t"
                     "movq %0, %%rdi\n\t"
                     "movq %%rsp, %%rbx\n\t"
                     "subq $256, %%rsp\n\t"
                     "andq $-16, %%rsp\n\t"
                     "call *%2\n\t"
                     "movq %%rbx, %%rsp\n\t"
                     "popq %%rbp"
                     :
                     : "r"(records), "r"(other), "r"(walk_records)
                     : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9",
                       "r10", "r11", "cc", "memory");
}

static uintptr_t other_value;

static void *clobbered_entry(moat_co *self, void *input)
{
    (void)self;
    walk_without_fp(input, other_value);
    KEEP_FRAME();
    return NULL;
}

static void a_register_with_anything_ends_at_the_root(const void *arg)
{
    struct records records;
    moat_frame on_the_host[1];
    const uintptr_t values[] = {0,
                                1,
                                8,
                                UINTPTR_MAX - 7,
                                (uintptr_t)&records,
                                (uintptr_t)on_the_host,
                                (uintptr_t)frames,
                                (uintptr_t)1 << 63};

    (void)arg;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        moat_co *co;

        other_value = values[i];
        co = stop(clobbered_entry, &records);
        EXPECT_EQ(records.status, MOAT_OK);
        expect_borders(co, records.count, true);
        EXPECT(records.count >= 3);
        moat_co_destroy(co);
    }
}

static void *walk_service(void *arg)
{
    walk_records(arg);
    KEEP_FRAME();
    return NULL;
}

static void *visiting_entry(moat_co *self, void *input)
{
    (void)moat_call_on_parent(self, walk_service, input);
    return NULL;
}

/* The frames of the host call are the host's. They are followed by the guest's,
 * then by the host's again. */
static void frame_records_lead_across_a_host_call(const void *arg)
{
    struct records records;
    moat_co *co = stop(visiting_entry, &records);
    size_t i = 0, changes = 0;

    (void)arg;
    EXPECT_EQ(records.status, MOAT_OK);
    for (i = 1; i < records.count; i++)
        changes += frames[i].co != frames[i - 1].co;
    REQUIRE(records.count > 0);
    EXPECT(frames[0].co == NULL);
    EXPECT(frames[records.count - 1].co == NULL);
    EXPECT_EQ(changes, 2);
    moat_co_destroy(co);
}

/* ---- In a handler ---- */

static struct records by_records, by_rules;
static moat_frame rule_frames[FRAMES];

static void on_signal(int signo)
{
    (void)signo;
    by_rules.status = moat_backtrace(rule_frames, FRAMES, &by_rules.count);
    walk_records(&by_records);
    KEEP_FRAME();
}

static void *raising_entry(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    (void)raise(SIGUSR1);
    return NULL;
}

static void walk_in_a_handler(int flags)
{
    struct sigaction action;
    size_t root = 0;
    moat_co *co;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = flags;
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    co = stop(raising_entry, NULL);
    EXPECT_EQ(by_records.status, MOAT_OK);
    EXPECT(by_records.count > 1);
    if (has_unwinder()) {
        EXPECT_EQ(by_rules.status, MOAT_OK);
        while (root < by_rules.count &&
               rule_frames[root].flags != MOAT_FRAME_ROOT)
            EXPECT(rule_frames[root++].co == co);
        /* The handler, the trampoline, raise, the function that called it, the
         * entry. */
        EXPECT(root >= 4 && root + 1 < by_rules.count);
    }
    moat_co_destroy(co);
}

static void a_handler_may_walk(const void *arg)
{
    (void)arg;
    walk_in_a_handler(0);
}

static void a_handler_on_its_own_stack_may_walk(const void *arg)
{
    (void)arg;
    walk_in_a_handler(SA_ONSTACK);
}

/* The signal comes while the frame pointer leads far below the stack, where
 * nothing is mapped and, because of the limit, the stack cannot grow. */
static void a_handler_may_walk_from_a_wild_frame_pointer(const void *arg)
{
    const struct rlimit little = {(rlim_t)1 << 20, RLIM_INFINITY};
    struct sigaction action;
    pthread_attr_t attributes;
    void *low = NULL;
    size_t bytes = 0;
    long number = SYS_kill, process = getpid();

    (void)arg;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    REQUIRE(pthread_getattr_np(pthread_self(), &attributes) == 0);
    REQUIRE(pthread_attr_getstack(&attributes, &low, &bytes) == 0);
    (void)pthread_attr_destroy(&attributes);
    REQUIRE(setrlimit(RLIMIT_STACK, &little) == 0);
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_ONSTACK;
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    __asm__ volatile("pushq %%rbp\n\t"
                     "movq %3, %%rbp\n\t"
                     "syscall\n\t"
                     "popq %%rbp"
                     : "+a"(number)
                     : "D"(process), "S"((long)SIGUSR1),
                       "r"((uintptr_t)low + 64)
                     : "rcx", "r11", "memory");
    EXPECT_EQ(number, 0);
    EXPECT_EQ(by_records.status, MOAT_OK);
}

/* Guest and host keep the same value in the register, and it is no frame
 * pointer. */
__asm__(".text\n"
        ".type with_in_register, @function\n"
        "with_in_register:\n" /* (function, argument, what) */
        "    pushq %rbp\n"
        "    movq %rdx, %rbp\n"
        "    movq %rdi, %rax\n"
        "    movq %rsi, %rdi\n"
        "    call *%rax\n"
        "    popq %rbp\n"
        "    ret\n"
        ".type raise_usr1, @function\n"
        "raise_usr1:\n"
        "    movl $39, %eax\n" /* getpid */
        "    syscall\n"
        "    movl %eax, %edi\n"
        "    movl $10, %esi\n"
        "    movl $62, %eax\n" /* kill */
        "    syscall\n"
        "    ret\n");
void with_in_register(void (*function)(moat_co *), moat_co *co, uintptr_t what);
void raise_usr1(moat_co *unused);
void resume_in_register(moat_co *co);

static void *raising_without_fp(moat_co *self, void *input)
{
    with_in_register(raise_usr1, self, other_value);
    return input;
}

static void on_signal_by_records(int signo)
{
    (void)signo;
    walk_records(&by_records);
    KEEP_FRAME();
}

static void registers_that_are_equal_by_chance(const void *arg)
{
    struct sigaction action;

    (void)arg;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal_by_records;
    action.sa_flags = SA_ONSTACK;
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    for (other_value = 0; other_value < 2; other_value++) {
        moat_co *co = create(raising_without_fp);
        size_t root = 0;

        with_in_register(resume_in_register, co, other_value);
        EXPECT_EQ(by_records.status, MOAT_OK);
        while (root < by_records.count &&
               !(frames[root].flags & MOAT_FRAME_ROOT))
            root++;
        EXPECT(root + 1 < by_records.count);
        moat_co_destroy(co);
    }
}

/* A host that is single-stepped has its own handler for the steps. */
#define TRACE_FLAG 0x100

static volatile bool stepping;
static volatile unsigned steps;
static struct records stepped;

static void on_step(int signo, siginfo_t *info, void *context)
{
    ucontext_t *ucontext = context;

    (void)signo;
    (void)info;
    steps++;
    if (!stepping)
        ucontext->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRACE_FLAG;
}

static void walk_stepped(int signo)
{
    (void)signo;
    stepping = true;
    __asm__ volatile("pushfq\n\t"
                     "orl %0, (%%rsp)\n\t"
                     "popfq"
                     :
                     : "i"(TRACE_FLAG)
                     : "memory", "cc");
    walk_records(&stepped);
    stepping = false;
    __asm__ volatile("nop\n\tnop");
}

static void a_walk_may_be_stepped_through(const void *arg)
{
    struct sigaction action;

    (void)arg;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_step;
    action.sa_flags = SA_SIGINFO;
    REQUIRE(sigaction(SIGTRAP, &action, NULL) == 0);
    REQUIRE(moat_thread_attach() == MOAT_OK);
    memset(&action, 0, sizeof action);
    action.sa_flags = SA_ONSTACK;
    action.sa_handler = on_signal;
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    REQUIRE(raise(SIGUSR1) == 0);
    action.sa_handler = walk_stepped;
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    REQUIRE(raise(SIGUSR1) == 0);
    EXPECT(steps > 20);
    EXPECT_EQ(stepped.status, MOAT_OK);
    EXPECT_EQ(stepped.count, by_records.count);
}

/* Unwind rules that lead from a frame to itself, as if a signal had interrupted
 * it: the CFA is rsp, the return address a constant in the code. */
static moat_co *dead;

static void walk_the_circle(void)
{
    size_t count = 0;

    EXPECT_EQ(moat_backtrace(frames, FRAMES, &count), MOAT_E_FULL);
    EXPECT_EQ(moat_co_backtrace(dead, frames, FRAMES, &count), MOAT_OK);
    EXPECT(count > 1);
}

static void a_circle_of_rules_ends(const void *arg)
{
    /* sub $8, %rsp; call *%rdi; nop; add $8, %rsp; ret */
    static const unsigned char body[] = {0x48, 0x83, 0xec, 0x08, 0xff, 0xd7,
                                         0x90, 0x48, 0x83, 0xc4, 0x08, 0xc3};
    /* A CIE "zRS"; an FDE: DW_CFA_def_cfa rsp 0; DW_CFA_val_expression 16:
     * DW_OP_const8u pc. */
    unsigned char rules[64] = {
        20, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R', 'S', 0, 1, 0x78, 16, 1, 0,
        /* 24: length, distance of the CIE, start, size, augmentation */
        [24] = 36, [28] = 28, [48] = 0, 0x0c, 7, 0, 0x16, 16, 9, 0x0e};
    const uint64_t size = sizeof body;
    moat_code code = MOAT_CODE_INIT;
    unsigned char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uintptr_t behind = (uintptr_t)at + 6;
    void (*function)(void (*)(void));
    moat_code_id id;

    (void)arg;
    if (!has_unwinder())
        return;
    REQUIRE(at != MAP_FAILED);
    memcpy(at, body, sizeof body);
    memcpy(rules + 32, &at, sizeof at);
    memcpy(rules + 40, &size, sizeof size);
    memcpy(rules + 56, &behind, sizeof behind);
    code.start = at;
    code.size = sizeof body;
    code.unwind = MOAT_CODE_UNWIND_CFI;
    code.eh_frame = rules;
    code.eh_frame_bytes = sizeof rules;
    REQUIRE(moat_code_register(&code, &id) == MOAT_OK);
    dead = stop(raise_1, NULL);
    memcpy(&function, &at, sizeof function);
    function(walk_the_circle);
    moat_co_destroy(dead);
    EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
}

/* ---- Text ---- */

static void a_frame_is_described(const void *arg)
{
    moat_co *co = create(echo);
    const moat_frame here = {(uintptr_t)&a_frame_is_described + 1, 0, NULL, 0};
    const moat_frame root = {1, 0, co, MOAT_FRAME_ROOT};
    const moat_frame nowhere = {0x10, 0, NULL, MOAT_FRAME_TRAP};
    char text[512];

    (void)arg;
    EXPECT_EQ(moat_frame_describe(&here, text, sizeof text), MOAT_OK);
    EXPECT(strstr(text, "api_backtrace") != NULL);
    EXPECT_EQ(moat_frame_describe(&root, text, sizeof text), MOAT_OK);
    EXPECT_STR(text, "[coroutine 'somebody']");
    EXPECT_EQ(moat_frame_describe(&nowhere, text, sizeof text), MOAT_OK);
    EXPECT_STR(text, "0x10");
    moat_co_destroy(co);
}

static void a_short_buffer_is_terminated(const void *arg)
{
    const moat_frame here = {(uintptr_t)&a_short_buffer_is_terminated + 1, 0,
                             NULL, 0};
    char whole[512], text[512];

    (void)arg;
    EXPECT_EQ(moat_frame_describe(&here, whole, sizeof whole), MOAT_OK);
    for (size_t size = 1; size <= strlen(whole) + 1; size++) {
        memset(text, '#', sizeof text);
        EXPECT_EQ(moat_frame_describe(&here, text, size), MOAT_OK);
        EXPECT_EQ(strlen(text), size - 1);
        EXPECT(memcmp(text, whole, size - 1) == 0);
        EXPECT_EQ(text[size], '#');
    }
}

/* ---- Reports ---- */

/* The root frame has the name of its coroutine. */
static void hostile_names_stay_on_their_line(const void *arg)
{
    static const char name[] = "a\x1b[2J\nb\xff\xe2\x80\xae\xc3\xa9";
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_frame frame = {.flags = MOAT_FRAME_ROOT};
    moat_co *co = NULL;
    char line[256];

    (void)arg;
    options.name = name;
    REQUIRE(moat_co_create(&co, walk, &options) == MOAT_OK);
    frame.co = co;
    EXPECT_EQ(moat_frame_describe(&frame, line, sizeof line), MOAT_OK);
    EXPECT_STR(line, "[coroutine 'a\\x1b[2J\\x0ab\\xff\\xe2\\x80\\xae"
                     "\xc3\xa9']");
    /* No character is truncated. */
    for (size_t size = 1; size < sizeof line; size++) {
        EXPECT_EQ(moat_frame_describe(&frame, line, size), MOAT_OK);
        EXPECT((line[strlen(line) - (line[0] != '\0')] & 0xc0) != 0xc0);
    }
    moat_co_destroy(co);
}

static void a_report_that_cannot_be_written_says_so(const void *arg)
{
    moat_co *co = stop(raise_1, NULL);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)arg;
    REQUIRE(full >= 0);
    errno = 0;
    EXPECT_EQ(moat_co_print_report(co, full), MOAT_E_SYSTEM);
    EXPECT_EQ(errno, ENOSPC);
    errno = 0;
    EXPECT_EQ(moat_co_write_json(co, full), MOAT_E_SYSTEM);
    EXPECT_EQ(errno, ENOSPC);
    EXPECT_EQ(moat_co_print_report(co, 9999), MOAT_E_SYSTEM);
    EXPECT_EQ(errno, EBADF);
    EXPECT_EQ(moat_co_print_report(co, -1), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_write_json(co, -1), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_TRAPPED);
    moat_co_destroy(co);
}

/* Returns the text that a report writes, in static storage. */
static const char *written(moat_status (*write_it)(const moat_co *, int),
                           const moat_co *co)
{
    static char text[65536];
    FILE *file = tmpfile();
    ssize_t length;

    REQUIRE(file != NULL);
    EXPECT_EQ(write_it(co, fileno(file)), MOAT_OK);
    length = pread(fileno(file), text, sizeof text - 1, 0);
    REQUIRE(length > 0);
    text[length] = '\0';
    (void)fclose(file);
    return text;
}

static void a_report_can_be_written_twice(const void *arg)
{
    moat_co *co = stop(raise_1, NULL);
    char *first = strdup(written(moat_co_print_report, co));

    (void)arg;
    REQUIRE(first != NULL);
    EXPECT(strncmp(first, "coroutine 'somebody' trapped: raised on purpose\n",
                   48) == 0);
    EXPECT(strstr(first, "\n  raised   1\n") != NULL);
    EXPECT(strstr(first, "\n  bytes    ") != NULL);
    EXPECT(strstr(first, "code ") == NULL); /* printed for signals only */
    /* Except the caller's own frame, whose pc has moved on. */
    EXPECT(strncmp(written(moat_co_print_report, co), first,
                   (size_t)(strstr(first, "  #2 ") - first)) == 0);
    free(first);
    moat_co_destroy(co);
}

static void *loop(moat_co *self, void *input)
{
    (void)self;
    for (;;)
        __asm__ volatile("" : : : "memory");
    return input;
}

/* Stops a guest by its deadline, with this number as the deadline's signal. */
static moat_co *stop_by_deadline(int signal)
{
    moat_engine_options engine = MOAT_ENGINE_OPTIONS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_event event;
    moat_co *co = NULL;

    engine.deadline_signal = signal;
    limits.wall_ns = 1000000;
    options.limits = &limits;
    REQUIRE(moat_engine_init(&engine) == MOAT_OK);
    REQUIRE(moat_co_create(&co, loop, &options) == MOAT_OK);
    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    return co;
}

static void a_real_time_signal_has_a_name(const void *arg)
{
    moat_co *co = stop_by_deadline(0);

    (void)arg;
    EXPECT(strstr(written(moat_co_print_report, co),
                  "\n  signal   SIGRTMAX-3, code ") != NULL);
    moat_co_destroy(co);
}

static void the_last_real_time_signal_has_a_name(const void *arg)
{
    moat_co *co = stop_by_deadline(SIGRTMAX);

    (void)arg;
    EXPECT(strstr(written(moat_co_print_report, co),
                  "\n  signal   SIGRTMAX, code ") != NULL);
    moat_co_destroy(co);
}

#define TIME_CASE(function)                                                  \
    {                                                                        \
#        function, function, NULL,                                           \
            UNDER_TSAN ? "it delays signals in a loop without calls" : NULL, \
            0, 0                                                             \
    }

static void a_json_report_is_one_line(const void *arg)
{
    moat_co *co = stop(raise_1, NULL);
    const char *text = written(moat_co_write_json, co);

    (void)arg;
    EXPECT(strchr(text, '\n') == text + strlen(text) - 1);
    EXPECT(strstr(text, "\"kind\":\"MOAT_TRAP_RAISED\"") != NULL);
    EXPECT(strstr(text, "\"user_code\":1") != NULL);
    moat_co_destroy(co);
}

static void a_name_that_is_not_utf8_is_replaced_in_json(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    moat_co *co = NULL;

    (void)arg;
    options.name = "a\xff\"b";
    REQUIRE(moat_co_create(&co, raise_1, &options) == MOAT_OK);
    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    EXPECT(strstr(written(moat_co_write_json, co),
                  "\"coroutine\":\"a?\\\"b\"") != NULL);
    moat_co_destroy(co);
}

/* ---- On a small stack ---- */

static void *walk_where_there_is_no_room(moat_co *self, void *input)
{
    size_t count = 77;
    char some[1024];

    /* Recurses until too little stack is left for the call. */
    if (moat_stack_reserve((size_t)8 << 10) == MOAT_OK) {
        (void)walk_where_there_is_no_room(self, input);
        __asm__ volatile("" : : "r"(some) : "memory");
        return NULL;
    }
    (void)self;
    (void)input;
    EXPECT_EQ(moat_backtrace(frames, FRAMES, &count), MOAT_E_LIMIT);
    EXPECT_EQ(count, 0);
    return NULL;
}

static void a_guest_with_little_stack_gets_no_backtrace(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    moat_co *co = NULL;

    (void)arg;
    if (!has_unwinder())
        return;
    options.stack_bytes = (size_t)16 << 10;
    REQUIRE(moat_co_create(&co, walk_where_there_is_no_room, &options) ==
            MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

/* Reports on another guest with enough stack for the names of frames, but not
 * for their lines. */
static void *report_with_some_room(moat_co *self, void *input)
{
    const char *text;

    (void)self;
    EXPECT(strstr(written(moat_co_print_report, input), "[coroutine '"));
    text = written(moat_co_write_json, input);
    EXPECT(strstr(text, "\"root\":true") != NULL);
    EXPECT(strstr(text, "\"function\":\"raise_1\"") != NULL);
    EXPECT(strstr(text, "\"names_missing\":\"lines\"") != NULL);
    return NULL;
}

static void *report_with_little_room(moat_co *self, void *input)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)self;
    EXPECT_EQ(moat_co_print_report(input, fd), MOAT_E_LIMIT);
    EXPECT_EQ(moat_co_write_json(input, fd), MOAT_E_LIMIT);
    return NULL;
}

static void report_from(moat_entry entry, size_t stack_bytes)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL, *trapped = stop(raise_1, NULL);
    moat_event event;

    options.stack_bytes = stack_bytes;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, trapped, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    moat_co_destroy(trapped);
}

static void a_guest_with_little_stack_reports_what_it_can(const void *arg)
{
    (void)arg;
    if (!has_unwinder())
        return;
    report_from(report_with_some_room, (size_t)160 << 10);
    report_from(report_with_little_room, (size_t)4 << 10);
}

#if UNDER_ASAN || UNDER_TSAN
#    define NOT_SANITIZED "the sanitizer's own handlers and frames"
#else
#    define NOT_SANITIZED NULL
#endif

int main(void)
{
    const struct child_case cases[] = {
        CHILD_CASE(a_short_array_gets_the_innermost),
        CHILD_CASE(frames_name_their_coroutine),
        CHILD_CASE(stopped_coroutines_have_the_frames_of_their_state),
        CHILD_CASE(wrong_arguments_are_refused),
        CHILD_CASE(records_lead_over_the_border),
        CHILD_CASE(a_register_with_anything_ends_at_the_root),
        CHILD_CASE(frame_records_lead_across_a_host_call),
        CHILD_CASE(a_handler_may_walk),
        CHILD_CASE(a_handler_on_its_own_stack_may_walk),
        {"a_handler_may_walk_from_a_wild_frame_pointer",
         a_handler_may_walk_from_a_wild_frame_pointer, NULL, NOT_SANITIZED, 0,
         0},
        {"registers_that_are_equal_by_chance",
         registers_that_are_equal_by_chance, NULL, NOT_SANITIZED, 0, 0},
        {"a_walk_may_be_stepped_through", a_walk_may_be_stepped_through, NULL,
         NOT_SANITIZED, 0, 0},
        {"a_circle_of_rules_ends", a_circle_of_rules_ends, NULL, NOT_SANITIZED,
         0, 0},
        CHILD_CASE(a_frame_is_described),
        CHILD_CASE(a_short_buffer_is_terminated),
        CHILD_CASE(hostile_names_stay_on_their_line),
        CHILD_CASE(a_report_that_cannot_be_written_says_so),
        CHILD_CASE(a_report_can_be_written_twice),
        TIME_CASE(a_real_time_signal_has_a_name),
        TIME_CASE(the_last_real_time_signal_has_a_name),
        CHILD_CASE(a_json_report_is_one_line),
        CHILD_CASE(a_name_that_is_not_utf8_is_replaced_in_json),
        CHILD_CASE(a_guest_with_little_stack_gets_no_backtrace),
        CHILD_CASE(a_guest_with_little_stack_reports_what_it_can),
    };

    return child_cases_run("backtrace", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
