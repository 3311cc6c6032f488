/*
 * machine.c: probes that may kill a child.
 *
 * SPDX-License-Identifier: MIT
 */
#include "machine.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE_BYTES 4096u

static _Noreturn void give_up(const char *call)
{
    perror(call);
    abort();
}

static _Noreturn void run_and_exit(void (*body)(uintptr_t), uintptr_t arg)
{
    const struct rlimit no_core = {0, 0};
    const struct sigaction standard = {.sa_handler = SIG_DFL};

    (void)setrlimit(RLIMIT_CORE, &no_core);
    for (int signo = 1; signo < 32; signo++)
        (void)sigaction(signo, &standard, NULL);
    body(arg);
    _exit(0);
}

int machine_signal_of(void (*body)(uintptr_t arg), uintptr_t arg)
{
    pid_t child = fork();
    int status;

    if (child < 0)
        give_up("fork");
    if (child == 0)
        run_and_exit(body, arg);
    if (waitpid(child, &status, 0) != child)
        give_up("waitpid");
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

struct far_target {
    uintptr_t address;
    uintptr_t selector;
};

static void jump_far(uintptr_t arg)
{
    const struct far_target *target = (const struct far_target *)arg;

    __asm__ volatile("pushq %0\n\t"
                     "pushq %1\n\t"
                     "lretq"
                     :
                     : "r"(target->selector), "r"(target->address)
                     : "memory");
}

int machine_signal_of_far_jump(unsigned selector)
{
    static const unsigned char ud2[] = {0x0f, 0x0b};
    struct far_target target = {0, selector};
    void *code = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    int signo;

    if (code == MAP_FAILED)
        give_up("mmap");
    memcpy(code, ud2, sizeof(ud2));
    target.address = (uintptr_t)code;
    signo = machine_signal_of(jump_far, (uintptr_t)&target);
    (void)munmap(code, PAGE_BYTES);
    return signo;
}

static bool planted(const char *ability)
{
    const char *lacks = getenv("MOAT_TEST_LACKS");

    return lacks != NULL && strcmp(lacks, ability) == 0;
}

const char *machine_lacks_32_bit_code(void)
{
    static int signo;

    if (signo == 0)
        signo = planted("32-bit")
                    ? SIGSEGV
                    : machine_signal_of_far_jump(MACHINE_CODE_32_BIT);
    return signo == SIGILL ? NULL : "this machine runs no 32-bit code";
}
