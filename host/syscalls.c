/*
 * syscalls.c: --syscalls: the system calls that scripts and their C modules may
 * make.
 *
 * SPDX-License-Identifier: MIT
 */
#include "syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "usage.h"

/* Sets of calls, memory first. An open counts as a read if it cannot change a
 * file. */
static const struct {
    const char *name;
    long numbers[16]; /* a negative one ends it */
} sets[] = {{"memory",
             {SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_madvise,
              SYS_mprotect, -1}},
            {"read-only",
             {SYS_read, SYS_pread64, SYS_readv, SYS_lseek, SYS_close, SYS_fstat,
              SYS_newfstatat, SYS_stat, SYS_lstat, SYS_access, SYS_readlink,
              SYS_getdents64, SYS_getcwd, -1}}};

static void allow(struct syscalls *syscalls, long number)
{
    syscalls->allowed[number / 64] |= UINT64_C(1) << number % 64;
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

static bool add_set(struct syscalls *syscalls, const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        if (!is_word(text, length, sets[i].name))
            continue;
        for (const long *number = sets[i].numbers; *number >= 0; number++)
            allow(syscalls, *number);
        syscalls->reads |= is_word(text, length, "read-only");
        return true;
    }
    return false;
}

static bool add_name(struct syscalls *syscalls, const char *text, size_t length)
{
    for (long number = 0; number < SYSCALLS_MAX; number++) {
        const char *name = moat_syscall_name(number);

        if (name[0] == '?' || !is_word(text, length, name))
            continue;
        allow(syscalls, number);
        return true;
    }
    return false;
}

bool syscalls_parse(const char *text, struct syscalls *out)
{
    *out = (struct syscalls){.filtered = strcmp(text, "all") != 0};
    if (!out->filtered || strcmp(text, "none") == 0)
        return true;
    for (;;) {
        size_t length = strcspn(text, ",");

        if (!add_set(out, text, length) && !add_name(out, text, length))
            return complain("run",
                            "--syscalls: '%.*s' is no system call, nor "
                            "memory or read-only; all and none stand alone",
                            (int)length, text);
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

static bool is_read(uint64_t flags)
{
    return (flags & O_ACCMODE) == O_RDONLY &&
           (flags & (O_CREAT | O_TRUNC | O_TMPFILE)) == 0;
}

static bool allows(const struct syscalls *syscalls, const moat_syscall *call)
{
    long number = call->number;

    if (number < 0 || number >= SYSCALLS_MAX)
        return false;
    if ((syscalls->allowed[number / 64] >> number % 64 & 1) != 0)
        return true;
    return syscalls->reads &&
           ((number == SYS_open && is_read(call->args[1])) ||
            (number == SYS_openat && is_read(call->args[2])));
}

/* A brk that is refused returns the present end, as brk(0) does. */
static moat_syscall_verdict refuse_memory(moat_syscall *call)
{
    call->result = -ENOMEM;
    if (call->number != SYS_brk)
        return MOAT_SYSCALL_EMULATE;
    call->args[0] = 0;
    return MOAT_SYSCALL_PERFORM;
}

moat_syscall_verdict syscalls_decide(const struct syscalls *syscalls,
                                     moat_syscall *call)
{
    if (allows(syscalls, call))
        return MOAT_SYSCALL_PERFORM;
    for (const long *number = sets[0].numbers; *number >= 0; number++) {
        if (call->number == *number)
            return refuse_memory(call);
    }
    return MOAT_SYSCALL_TRAP;
}
