/*
 * abandon_forks.c: children at each instruction of a guest.
 *
 * The guest is stepped through once. At each instruction the handler of the
 * step forks a child, which is the same guest at the same instruction; the
 * parent steps on. The cost is linear in the number of instructions.
 *
 * Two ends are counted apart. A signal that an instruction may raise cannot
 * wait for the end of a section, as the kernel kills a thread that raises it
 * while it is blocked. If its handler faults while a lock is held, the fault is
 * the host's; inside moat_trap_try it ends that call.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/unwind/abandon_forks.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <moat/moat.h>

#include "sys/seal.h"
#include "trap/probe.h"

#define PARALLEL 2
#define HANG_S   30
#define BAD_MAX  8 /* then it stops: each may hang */
#define SIGNALS  65
/* At most: the kernel's code that is mapped into each process, and how many
 * instructions of it are stopped at on a visit. */
#define CLOCK_BYTES     ((uintptr_t)16 << 10)
#define CLOCK_STEPS     256
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* How a child ended: its exit status, or what the parent makes of it. */
enum fate {
    STOPPED_THERE = 2, /* exit, and a check that ends a process, are no fate */
    STOPPED_LATER,
    ENDED_A_PROBE,
    LEFT_A_LOCK,
    LEFT_SOMETHING,
    FATAL_BY_DESIGN,
    DIED,
    FATES
};

static const char *const fate_names[FATES] = {
    [STOPPED_THERE] = "stopped at the instruction",
    [STOPPED_LATER] = "stopped later, at the end of a sealed section",
    [ENDED_A_PROBE] = "ended a probe: the signal cannot wait",
    [FATAL_BY_DESIGN] = "killed, a lock was held: the signal cannot wait",
    [LEFT_A_LOCK] = "failed: a lock is held",
    [LEFT_SOMETHING] = "failed: something else does not hold",
    [DIED] = "failed: killed, or hanging",
};

/* A child, and where the guest was. */
struct fork {
    unsigned long instruction;
    uintptr_t pc;
    pid_t pid;
    int signo, status;
    bool locked, sealed, probing;
};

static int signals[SIGNALS];
static size_t signal_count;
static bool each_signal;

static struct fork running[PARALLEL], bad[BAD_MAX + PARALLEL];
static unsigned long instructions, repeated, forks, fates[FATES], bad_count;

/* In a child. */
static unsigned long number;
static struct fork self;
static struct sigaction replaced;
static volatile uintptr_t interrupted;
static int *volatile nowhere;

/* --- the signals -----------------------------------------------------------
 */

/* Those that no section holds back: an instruction may raise them. */
static bool is_raised_by_code(int signo)
{
    static const int raised[] = {SIGBUS,  SIGILL,  SIGFPE,
                                 SIGTRAP, SIGABRT, SIGSYS};

    for (size_t i = 0; i < COUNT_OF(raised); i++) {
        if (raised[i] == signo)
            return true;
    }
    return false;
}

/* The handlers of SIGSEGV and of the signal of deadlines are moat's own: it
 * cannot do without. */
static bool is_free(int signo)
{
    struct sigaction action;

    if (signo == SIGKILL || signo == SIGSTOP ||
        sigaction(signo, NULL, &action) != 0)
        return false;
    if (is_raised_by_code(signo))
        return true;
    return (action.sa_flags & SA_SIGINFO) == 0 &&
           (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN ||
            signo == SIGUSR1);
}

/* A child that dies need not leave a core file. */
void forks_begin(bool every_signal)
{
    const struct rlimit none = {0, 0};

    each_signal = every_signal;
    for (int signo = 1; signo < SIGNALS; signo++) {
        if (is_free(signo))
            signals[signal_count++] = signo;
    }
    (void)setrlimit(RLIMIT_CORE, &none);
}

/* --- in a child ------------------------------------------------------------
 */

static void fault(int signo, siginfo_t *info, void *context)
{
    const ucontext_t *at = context;

    (void)signo;
    (void)info;
    interrupted = (uintptr_t)at->uc_mcontext.gregs[REG_RIP];
    *nowhere = 1;
}

static void send_to_self(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = fault;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    (void)alarm(HANG_S);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (sigaction(self.signo, &action, &replaced) != 0)
        _exit(LEFT_SOMETHING);
    (void)raise(self.signo); /* blocked until the step's handler returns */
}

unsigned long forks_number(void)
{
    return number;
}

/* A probe takes the fault for one of its own: by design, as it cannot tell. All
 * signals wait that can. */
bool forks_ends_a_probe(void)
{
    return number != 0 && self.probing && is_raised_by_code(self.signo);
}

bool forks_must_stop(void)
{
    return number != 0 && !forks_ends_a_probe();
}

void forks_restore_action(void)
{
    (void)sigaction(self.signo, &replaced, NULL);
}

/* A signal that could come at once, and came later, is not explained. */
static enum fate fate_of_self(void)
{
    if (forks_ends_a_probe())
        return ENDED_A_PROBE;
    if (interrupted == self.pc)
        return STOPPED_THERE;
    return self.sealed && !is_raised_by_code(self.signo) ? STOPPED_LATER
                                                         : LEFT_SOMETHING;
}

void forks_end_child(bool failed, bool lock_held)
{
    (void)fflush(stdout);
    if (lock_held)
        _exit(LEFT_A_LOCK);
    _exit(failed ? LEFT_SOMETHING : (int)fate_of_self());
}

/* --- in the parent ---------------------------------------------------------
 */

/* A signal that cannot wait has come while a lock was held: a fault in its
 * handler is then the host's, and kills. */
static bool is_by_design(const struct fork *child)
{
    return is_raised_by_code(child->signo) && child->locked &&
           WIFSIGNALED(child->status) && WTERMSIG(child->status) == SIGSEGV;
}

static enum fate fate_of(const struct fork *child)
{
    int status = child->status;

    if (is_by_design(child))
        return FATAL_BY_DESIGN;
    if (WIFEXITED(status) && WEXITSTATUS(status) >= STOPPED_THERE &&
        WEXITSTATUS(status) <= LEFT_SOMETHING)
        return (enum fate)WEXITSTATUS(status);
    return DIED;
}

static void count(const struct fork *child)
{
    enum fate fate = fate_of(child);

    fates[fate]++;
    if (fate != LEFT_A_LOCK && fate != LEFT_SOMETHING && fate != DIED)
        return;
    bad[bad_count++] = *child;
}

/* Waits for one child, if there is one; returns its slot. */
static struct fork *reap(void)
{
    int status;
    pid_t pid = waitpid(-1, &status, 0);

    for (size_t i = 0; pid > 0 && i < PARALLEL; i++) {
        if (running[i].pid != pid)
            continue;
        running[i].status = status;
        count(&running[i]);
        running[i].pid = 0;
        return &running[i];
    }
    return NULL;
}

static struct fork *free_slot(void)
{
    for (size_t i = 0; i < PARALLEL; i++) {
        if (running[i].pid == 0)
            return &running[i];
    }
    return reap();
}

/* The bare system call, for which moat takes the child for the host's. The C
 * library goes on with the number of the parent's thread, by which it knows the
 * owner of the dynamic linker's locks; _Fork would change it, and what is held
 * at this instruction could never be released. */
static pid_t fork_here(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static _Noreturn void give_up(void)
{
    static const char text[] = "cannot fork a child\n";

    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(1);
}

static bool fork_for(int signo, const ucontext_t *at)
{
    struct fork *slot = free_slot(), child = {.signo = signo};

    child.instruction = instructions;
    child.pc = (uintptr_t)at->uc_mcontext.gregs[REG_RIP];
    child.locked = moat_seal_locks_held();
    child.probing = moat_probe != NULL && moat_probe->landing.resumer_sp != 0;
    child.sealed = sigismember(&at->uc_sigmask, SIGUSR1) == 1;
    forks++;
    child.pid = slot != NULL ? fork_here() : -1;
    if (child.pid == 0) {
        number = forks;
        self = child;
        send_to_self();
        return true;
    }
    if (child.pid < 0)
        give_up();
    *slot = child;
    return false;
}

/* The kernel's clock reads again what a tick has changed meanwhile, which with
 * a child at each instruction would be so for ever. */
static bool is_read_again(const ucontext_t *at)
{
    static unsigned long in_clock;
    uintptr_t pc = (uintptr_t)at->uc_mcontext.gregs[REG_RIP];

    if (pc - getauxval(AT_SYSINFO_EHDR) >= CLOCK_BYTES)
        in_clock = 0;
    else
        in_clock++;
    return in_clock > CLOCK_STEPS;
}

bool forks_step(const ucontext_t *at)
{
    size_t first = each_signal ? 0 : instructions % signal_count;
    size_t last = each_signal ? signal_count : first + 1;

    if (bad_count >= BAD_MAX)
        return false;
    if (is_read_again(at)) {
        repeated++;
        return false;
    }
    instructions++;
    for (size_t i = first; i < last && bad_count < BAD_MAX; i++) {
        if (fork_for(signals[i], at))
            return true;
    }
    return false;
}

/* --- the counts ------------------------------------------------------------
 */

static void print_bad(const struct fork *child)
{
    moat_frame frame = {child->pc, 0, NULL, MOAT_FRAME_TRAP};
    char line[256];

    if (moat_frame_describe(&frame, line, sizeof line) != MOAT_OK)
        line[0] = '\0';
    printf("failed: instruction %lu, %#lx %s; signal %d%s%s%s; wait status "
           "%#x\n",
           child->instruction, (unsigned long)child->pc, line, child->signo,
           child->locked ? ", a lock held" : "",
           child->sealed ? ", sealed" : "", child->probing ? ", probing" : "",
           (unsigned)child->status);
}

bool forks_end(const char *scene)
{
    while (reap() != NULL)
        ;
    for (unsigned long i = 0; i < bad_count; i++)
        print_bad(&bad[i]);
    printf("%s: %lu instructions, %zu signals %s, %lu guests\n", scene,
           instructions, signal_count, each_signal ? "each" : "in turn", forks);
    printf("%9lu more instructions read the clock again\n", repeated);
    for (int fate = STOPPED_THERE; fate < FATES; fate++)
        printf("%9lu %s\n", fates[fate], fate_names[fate]);
    return bad_count == 0 && forks != 0;
}
