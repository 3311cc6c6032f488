/*
 * jitted.c: a guest in registered code, as a JIT compiler would make it from a
 * script; each statement of the script has its line.
 *
 *   jitted stop   the code calls a function that stops, by a SIGQUIT
 *   jitted spin   the code runs for a quarter of a second
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

/* The script:
 *   10  function call(f)
 *   11      local kept = -1
 *   12      f()
 *   13  end */
static const unsigned char code[] = {
    0x53,                                     /*  0: push %rbx         */
    0x48, 0x83, 0xec, 0x20,                   /*  1: sub $32, %rsp     */
    0x48, 0xc7, 0xc3, 0xff, 0xff, 0xff, 0xff, /*  5: mov $-1, %rbx     */
    0xff, 0xd7,                               /* 12: call *%rdi        */
    0x48, 0x83, 0xc4, 0x20,                   /* 14: add $32, %rsp     */
    0x5b,                                     /* 18: pop %rbx          */
    0xc3,                                     /* 19: ret               */
};
static const moat_code_line lines[] = {{0, 10}, {5, 11}, {12, 12}, {14, 13}};
static const unsigned char cie[] = {
    20,   0,   0, 0,    0,    0,  0, 0, 1,
    'z',  'R', 0, 1,    0x78, 16, 1, 0, /* absolute addresses           */
    0x0c, 7,   8, 0x90, 1,    0,  0,    /* the CFA is rsp + 8, rip below it */
};
static const unsigned char rules[] = {
    0,                               /* no augmentation      */
    0x41,      0x0e, 16, 0x83, 2,    /*  1: rsp + 16, rbx    */
    0x44,      0x0e, 48,             /*  5: rsp + 48         */
    0x40 | 13, 0x0e, 16,             /* 18: rsp + 16         */
    0x41,      0x0e, 8,              /* 19: rsp + 8          */
    0,         0,    0,  0,    0, 0, /* padding to a multiple of four */
};

/* pause; dec %rdi; jne to pause; ret */
static const unsigned char loop[] = {0xf3, 0x90, 0x48, 0xff,
                                     0xcf, 0x75, 0xf9, 0xc3};

typedef void (*call_function)(void (*callee)(void));
typedef void (*loop_function)(long turns);

static void *put(const void *bytes, size_t count)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        _exit(1);
    memcpy(page, bytes, count);
    if (mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0)
        _exit(1);
    return page;
}

static void enrol(const void *start, size_t size, const char *name,
                  const void *eh_frame, size_t bytes)
{
    moat_code made = MOAT_CODE_INIT;
    moat_code_id id;

    made.start = start;
    made.size = size;
    made.name = name;
    made.file = "script.lua";
    made.lines = lines;
    made.line_count = eh_frame != NULL ? 4 : 1;
    made.unwind =
        eh_frame != NULL ? MOAT_CODE_UNWIND_CFI : MOAT_CODE_UNWIND_FIXED;
    made.eh_frame = eh_frame;
    made.eh_frame_bytes = bytes;
    if (moat_code_register(&made, &id) != MOAT_OK)
        _exit(1);
}

static void stop(void)
{
    (void)syscall(SYS_tgkill, getpid(), gettid(), SIGQUIT);
}

/* The unwind rules, with the address of the code. */
static void *caller(moat_co *self, void *input)
{
    unsigned char eh_frame[sizeof cie + 24 + sizeof rules] = {0};
    const void *start = put(code, sizeof code);
    const uint32_t head[] = {sizeof eh_frame - sizeof cie - 4, sizeof cie + 4};
    const uint64_t size = sizeof code;
    call_function call;

    (void)self;
    memcpy(eh_frame, cie, sizeof cie);
    memcpy(eh_frame + sizeof cie, head, sizeof head);
    memcpy(eh_frame + sizeof cie + 8, &start, sizeof start);
    memcpy(eh_frame + sizeof cie + 16, &size, sizeof size);
    memcpy(eh_frame + sizeof cie + 24, rules, sizeof rules);
    enrol(start, sizeof code, "call", eh_frame, sizeof eh_frame);
    memcpy(&call, &start, sizeof call);
    call(stop);
    return input;
}

static void *spinner(moat_co *self, void *input)
{
    const void *start = put(loop, sizeof loop);
    struct timespec time;
    loop_function spin;
    time_t end;

    (void)self;
    enrol(start, sizeof loop, "spin", NULL, 0);
    memcpy(&spin, &start, sizeof spin);
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    end = time.tv_sec * 1000 + time.tv_nsec / 1000000 + 250;
    do {
        spin(100000);
        (void)clock_gettime(CLOCK_MONOTONIC, &time);
    } while (time.tv_sec * 1000 + time.tv_nsec / 1000000 < end);
    return input;
}

int main(int argc, char **argv)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    bool spins = argc == 2 && strcmp(argv[1], "spin") == 0;
    moat_event event;
    moat_co *co = NULL;

    options.name = "script";
    if (moat_co_create(&co, spins ? spinner : caller, &options) != MOAT_OK ||
        moat_co_resume(co, NULL, &event) != MOAT_OK)
        return 1;
    return event.kind == MOAT_EVENT_RETURN ? 0 : 1;
}
