/*
 * syscall_ways.c: ways of a guest to reach the kernel.
 *
 * SPDX-License-Identifier: MIT
 */
#include "syscall_ways.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define DISPATCH      59 /* PR_SET_SYSCALL_USER_DISPATCH */
#define X32           0x40000000L
#define GETPID_OF_386 20

long raw(long number, uint64_t a, uint64_t b, uint64_t c)
{
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

#define RAW(name, number, a, b, c)                                      \
    static void name(void)                                              \
    {                                                                   \
        (void)raw(number, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c)); \
    }

/* ---- By the C library ---- */

static char page[4096];

static void libc_open(void)
{
    (void)!open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static void libc_write(void)
{
    (void)!write(STDOUT_FILENO, "the guest has written\n", 22);
}

static void libc_stat(void)
{
    struct stat file;

    (void)stat("/etc/passwd", &file);
}

static void libc_read(void)
{
    (void)!read(STDIN_FILENO, page, 1);
}

static void libc_unlink(void)
{
    (void)unlink("/nonexistent/file");
}

static void libc_socket(void)
{
    (void)socket(AF_INET, SOCK_STREAM, 0);
}

static void libc_exec(void)
{
    char *arguments[] = {(char *)(uintptr_t) "true", NULL};

    (void)execv("/bin/true", arguments);
}

static void libc_exit(void)
{
    (void)syscall(SYS_exit_group, 0);
}

static void libc_kill(void)
{
    (void)kill(getppid(), 0);
}

static void libc_mmap(void)
{
    (void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void libc_mprotect(void)
{
    (void)mprotect(page, sizeof page, PROT_READ);
}

static void libc_sbrk(void)
{
    (void)sbrk(4096);
}

static void libc_malloc(void)
{
    void *volatile block = malloc((size_t)256 << 20);

    free(block);
}

static void libc_sleep(void)
{
    const struct timespec time = {0, 1};

    (void)nanosleep(&time, NULL);
}

static void libc_random(void)
{
    (void)!getrandom(page, 8, 0);
}

static void libc_limits(void)
{
    struct rlimit limit;

    (void)getrlimit(RLIMIT_NOFILE, &limit);
}

static void libc_sigaction(void)
{
    (void)signal(SIGUSR1, SIG_IGN);
}

static void libc_dispatch_off(void)
{
    (void)prctl(DISPATCH, 0UL, 0UL, 0UL, 0UL);
}

static void libc_sched_yield(void)
{
    (void)sched_yield();
}

/* The vDSO answers for the clocks that it can read. */
static void vdso_cpu_clock(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
}

static void vdso_process_clock(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
}

static void vdso_resolution(void)
{
    struct timespec time;

    (void)clock_getres(CLOCK_PROCESS_CPUTIME_ID, &time);
}

/* ---- By an instruction of its own ---- */

RAW(raw_getpid, SYS_getpid, 0, 0, 0)
RAW(raw_dispatch_off, SYS_prctl, DISPATCH, 0, 0)
RAW(raw_seccomp, SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0)
RAW(raw_fork, SYS_fork, 0, 0, 0)
RAW(raw_vfork, SYS_vfork, 0, 0, 0)
RAW(raw_clone, SYS_clone, SIGCHLD, 0, 0)
RAW(raw_thread, SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND,
    page + sizeof page, 0)
RAW(raw_clone3, 435, page, 88, 0)
RAW(raw_execveat, SYS_execveat, AT_FDCWD, "/bin/true", 0)
RAW(raw_ring_setup, SYS_io_uring_setup, 1, page, 0)
RAW(raw_ring_enter, SYS_io_uring_enter, 0, 1, 0)
RAW(raw_ring_register, SYS_io_uring_register, 0, 0, 0)
RAW(raw_ptrace, SYS_ptrace, 0, 0, 0)
RAW(raw_peek, SYS_process_vm_readv, 1, 0, 0)
RAW(raw_poke, SYS_process_vm_writev, 1, 0, 0)
RAW(raw_altstack, SYS_sigaltstack, page, 0, 0)
RAW(raw_segment, SYS_arch_prctl, 0x1002, page, 0)
RAW(raw_descriptors, SYS_modify_ldt, 1, page, 16)
RAW(raw_mask, SYS_rt_sigprocmask, SIG_BLOCK, page, 0)
RAW(raw_handler, SYS_rt_sigaction, SIGSYS, page, 0)
RAW(raw_memfd, SYS_memfd_create, "file", 0, 0)
RAW(raw_bpf, SYS_bpf, 0, page, 0)
RAW(raw_perf, SYS_perf_event_open, page, 0, 0)
RAW(raw_faults, SYS_userfaultfd, 0, 0, 0)
RAW(raw_unshare, SYS_unshare, CLONE_NEWUSER, 0, 0)
RAW(raw_futex, SYS_futex, page, 1, 1)
RAW(raw_exit, SYS_exit, 0, 0, 0)
RAW(raw_none, 100000, 0, 0, 0)
RAW(raw_negative, -1, 0, 0, 0)
RAW(raw_x32, X32 | SYS_getpid, 0, 0, 0)

static void raw_int80(void)
{
    long result;

    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(GETPID_OF_386)
                     : "memory");
}

/* A frame as the kernel would push it, which leads to a function of the
 * guest's. */
static void forged(void)
{
    static ucontext_t context;
    static char image[1024] __attribute__((aligned(64)));

    context.uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)raw_getpid;
    context.uc_mcontext.gregs[REG_RSP] =
        (greg_t)(uintptr_t)__builtin_frame_address(0) - 4096;
    context.uc_mcontext.gregs[REG_CSGSFS] = 0x002b000000000033;
    context.uc_mcontext.gregs[REG_EFL] = 0x202;
    context.uc_mcontext.fpregs = (void *)image;
    __asm__ volatile("movq %0, %%rsp\n\t"
                     "movl $15, %%eax\n\t"
                     "syscall"
                     :
                     : "r"(&context)
                     : "memory", "rax", "rcx", "r11");
    __builtin_unreachable();
}

const struct way ways[] = {
    {"open", libc_open, SYS_openat, false},
    {"write", libc_write, SYS_write, false},
    {"stat", libc_stat, SYS_newfstatat, false},
    {"read", libc_read, SYS_read, false},
    {"unlink", libc_unlink, SYS_unlink, false},
    {"socket", libc_socket, SYS_socket, false},
    {"execv", libc_exec, SYS_execve, false},
    {"syscall(2), exit_group", libc_exit, SYS_exit_group, false},
    {"kill", libc_kill, SYS_getppid, false},
    {"mmap", libc_mmap, SYS_mmap, false},
    {"mprotect", libc_mprotect, SYS_mprotect, false},
    {"sbrk", libc_sbrk, SYS_brk, false},
    {"a large malloc", libc_malloc, SYS_mmap, false},
    {"nanosleep", libc_sleep, SYS_clock_nanosleep, false},
    {"getrandom", libc_random, SYS_getrandom, false},
    {"getrlimit", libc_limits, SYS_prlimit64, false},
    {"signal", libc_sigaction, SYS_rt_sigaction, false},
    {"sched_yield", libc_sched_yield, SYS_sched_yield, false},
    {"prctl, filter off", libc_dispatch_off, SYS_prctl, false},
    {"the thread's clock", vdso_cpu_clock, SYS_clock_gettime, false},
    {"the process's clock", vdso_process_clock, SYS_clock_gettime, false},
    {"a clock's resolution", vdso_resolution, SYS_clock_getres, false},
    {"raw getpid", raw_getpid, SYS_getpid, false},
    {"raw prctl, filter off", raw_dispatch_off, SYS_prctl, false},
    {"seccomp", raw_seccomp, SYS_seccomp, false},
    {"fork", raw_fork, SYS_fork, false},
    {"vfork", raw_vfork, SYS_vfork, false},
    {"clone", raw_clone, SYS_clone, false},
    {"clone of a thread", raw_thread, SYS_clone, false},
    {"clone3", raw_clone3, 435, false},
    {"execveat", raw_execveat, SYS_execveat, false},
    {"io_uring_setup", raw_ring_setup, SYS_io_uring_setup, false},
    {"io_uring_enter", raw_ring_enter, SYS_io_uring_enter, false},
    {"io_uring_register", raw_ring_register, SYS_io_uring_register, false},
    {"ptrace", raw_ptrace, SYS_ptrace, false},
    {"process_vm_readv", raw_peek, SYS_process_vm_readv, false},
    {"process_vm_writev", raw_poke, SYS_process_vm_writev, false},
    {"sigaltstack", raw_altstack, SYS_sigaltstack, false},
    {"arch_prctl, another fs", raw_segment, SYS_arch_prctl, false},
    {"modify_ldt", raw_descriptors, SYS_modify_ldt, false},
    {"rt_sigprocmask", raw_mask, SYS_rt_sigprocmask, false},
    {"rt_sigaction of SIGSYS", raw_handler, SYS_rt_sigaction, false},
    {"memfd_create", raw_memfd, SYS_memfd_create, false},
    {"bpf", raw_bpf, SYS_bpf, false},
    {"perf_event_open", raw_perf, SYS_perf_event_open, false},
    {"userfaultfd", raw_faults, SYS_userfaultfd, false},
    {"unshare", raw_unshare, SYS_unshare, false},
    {"futex", raw_futex, SYS_futex, false},
    {"exit", raw_exit, SYS_exit, false},
    {"a number without a call", raw_none, 100000, false},
    {"a negative number", raw_negative, -1, true},
    {"a forged signal return", forged, SYS_rt_sigreturn, false},
    {"the x32 ABI", raw_x32, X32 | SYS_getpid, true},
    {"int 0x80", raw_int80, GETPID_OF_386, true},
};

const size_t way_count = sizeof ways / sizeof ways[0];

/* ---- Instructions of others ---- */

void jump_to(uintptr_t instruction)
{
    __asm__ volatile("jmp *%1"
                     :
                     : "a"((long)SYS_getppid), "r"(instruction)
                     : "rcx", "r11", "memory");
    __builtin_unreachable();
}

struct search {
    void (*found)(uintptr_t instruction, const char *object);
    size_t count;
};

static void search_in(const unsigned char *from, size_t bytes,
                      const char *object, struct search *search)
{
    for (size_t i = 0; i + 1 < bytes; i++) {
        if (from[i] != 0x0f || from[i + 1] != 0x05)
            continue;
        search->found((uintptr_t)(from + i), object);
        search->count++;
    }
}

static int search_object(struct dl_phdr_info *object, size_t size, void *arg)
{
    (void)size;
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];

        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0)
            search_in((const unsigned char *)object->dlpi_addr + part->p_vaddr,
                      part->p_memsz, object->dlpi_name, arg);
    }
    return 0;
}

size_t each_syscall(void (*found)(uintptr_t instruction, const char *object))
{
    struct search search = {found, 0};

    (void)dl_iterate_phdr(search_object, &search);
    return search.count;
}
