/*
 * abandon_forks.c: children at each instruction of a guest.
 *
 * The guest is stepped through once. At each instruction the handler of the
 * step forks a child, which is the same guest at the same instruction; the
 * parent steps on. The cost is linear in the number of instructions.
 *
 * Every signal at every instruction is too much where there are hundreds of
 * thousands of instructions. With FORKS_EACH_STATE both are divided into
 * classes, of which one member stands for all:
 *
 *   Instructions: those with the same address, stack pointer, signal mask and
 *   forks_state. A guest that is stopped there leaves the same behind.
 *
 *   Signals: those that an instruction may raise, and all others. The library
 *   never learns which signal a handler was called for that interrupted it: it
 *   finds the handler's frame, the mask that the frame will restore, and the
 *   fault. So a signal makes a difference only by when it is delivered, and a
 *   sealed section holds back either all of a class or none. That is checked
 *   at each instruction.
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
#include <sys/mman.h>
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

/* The signals, all and by class. */
struct signals {
    int number[SIGNALS];
    size_t count;
    size_t turn; /* which is next */
};

enum class { RAISED_BY_CODE, SENT_ONLY, CLASSES };

static struct signals all_signals, classes[CLASSES];
static enum forks_plan plan;

static struct fork running[PARALLEL], bad[BAD_MAX + PARALLEL];
static unsigned long instructions, repeated, forks, fates[FATES], bad_count;
static unsigned long states, divided;

/* In a child. */
static unsigned long number;
static struct fork self;
static struct sigaction replaced;
static volatile uintptr_t interrupted;
static int *volatile nowhere;

static _Noreturn void give_up(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
    _exit(1);
}

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

static void add_signal(struct signals *to, int signo)
{
    to->number[to->count++] = signo;
}

static int next_of(struct signals *signals)
{
    return signals->number[signals->turn++ % signals->count];
}

/* A child that dies need not leave a core file. */
void forks_begin(enum forks_plan chosen)
{
    const struct rlimit none = {0, 0};

    plan = chosen;
    for (int signo = 1; signo < SIGNALS; signo++) {
        if (!is_free(signo))
            continue;
        add_signal(&all_signals, signo);
        add_signal(
            &classes[is_raised_by_code(signo) ? RAISED_BY_CODE : SENT_ONLY],
            signo);
    }
    (void)setrlimit(RLIMIT_CORE, &none);
}

/* Returns whether an instruction's mask blocks all of the class or none. */
static bool is_undivided(const struct signals *class, const sigset_t *mask)
{
    for (size_t i = 1; i < class->count; i++) {
        if (sigismember(mask, class->number[i]) !=
            sigismember(mask, class->number[0]))
            return false;
    }
    return true;
}

static void check_classes(const sigset_t *mask)
{
    for (int i = 0; i < CLASSES; i++)
        divided += !is_undivided(&classes[i], mask);
}

/* --- states met ------------------------------------------------------------
 */

/* A power of two. The table is never more than half full. */
#define STATES_MAX ((size_t)1 << 22)

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

/* 0 marks a free slot. Two of a million states have the same hash with a
 * probability of one in 30 million. */
static uint64_t hash_of(const ucontext_t *at, const struct forks_state *state)
{
    uint64_t hash = mix(0, (uint64_t)at->uc_mcontext.gregs[REG_RIP]), mask;

    memcpy(&mask, &at->uc_sigmask, sizeof mask);
    hash = mix(hash, (uint64_t)at->uc_mcontext.gregs[REG_RSP]);
    hash = mix(hash, mask);
    for (size_t i = 0; i < COUNT_OF(state->words); i++)
        hash = mix(hash, state->words[i]);
    return hash != 0 ? hash : 1;
}

/* The children do not need the table, and copying it would take time. */
static uint64_t *make_table(void)
{
    size_t bytes = STATES_MAX * sizeof(uint64_t);
    uint64_t *table = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (table == MAP_FAILED || madvise(table, bytes, MADV_DONTFORK) != 0)
        give_up("no memory for the states\n");
    return table;
}

static bool is_new(const ucontext_t *at, const struct forks_state *state)
{
    static uint64_t *table;
    uint64_t hash = hash_of(at, state);
    size_t i = hash % STATES_MAX;

    if (table == NULL)
        table = make_table();
    for (; table[i] != 0; i = (i + 1) % STATES_MAX) {
        if (table[i] == hash)
            return false;
    }
    table[i] = hash;
    if (++states > STATES_MAX / 2)
        give_up("too many states\n");
    return true;
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
        give_up("cannot fork a child\n");
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

static bool fork_for_each(const ucontext_t *at)
{
    for (size_t i = 0; i < all_signals.count && bad_count < BAD_MAX; i++) {
        if (fork_for(all_signals.number[i], at))
            return true;
    }
    return false;
}

static bool fork_for_classes(const ucontext_t *at)
{
    for (int i = 0; i < CLASSES; i++) {
        if (fork_for(next_of(&classes[i]), at))
            return true;
    }
    return false;
}

bool forks_step(const ucontext_t *at, const struct forks_state *state)
{
    if (bad_count >= BAD_MAX)
        return false;
    if (is_read_again(at)) {
        repeated++;
        return false;
    }
    instructions++;
    check_classes(&at->uc_sigmask);
    if (plan == FORKS_EACH_SIGNAL)
        return fork_for_each(at);
    if (plan == FORKS_IN_TURN)
        return fork_for(next_of(&all_signals), at);
    return is_new(at, state) && fork_for_classes(at);
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

static const char *const plan_names[] = {
    [FORKS_IN_TURN] = "in turn",
    [FORKS_EACH_SIGNAL] = "each",
    [FORKS_EACH_STATE] = "by class",
};

bool forks_end(const char *scene)
{
    while (reap() != NULL)
        ;
    for (unsigned long i = 0; i < bad_count; i++)
        print_bad(&bad[i]);
    printf("%s: %lu instructions, %zu signals %s, %lu guests\n", scene,
           instructions, all_signals.count, plan_names[plan], forks);
    if (plan == FORKS_EACH_STATE)
        printf("%9lu states of the library\n", states);
    printf("%9lu more instructions read the clock again\n", repeated);
    if (divided != 0)
        printf("failed: %lu times a mask divides a class of signals\n",
               divided);
    for (int fate = STOPPED_THERE; fate < FATES; fate++)
        printf("%9lu %s\n", fates[fate], fate_names[fate]);
    return bad_count == 0 && forks != 0 && divided == 0;
}
