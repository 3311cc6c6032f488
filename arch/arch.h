/*
 * arch.h: the port contract. A port to a CPU implements what is declared here
 * and in core.h, defines the numbers in arch/<cpu>/values.h, and has the public
 * header include/moat/switch/<cpu>.h; nothing else in the tree knows registers.
 *
 * Stacks grow down; "base" is the highest address, exclusive. Unless said
 * otherwise a function here is async-signal-safe and touches only its
 * arguments.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ARCH_ARCH_H
#define MOAT_ARCH_ARCH_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <moat/co.h>
#include <moat/trap.h>

#include "arch/values.h"

/*
 * values.h defines
 *
 *   MOAT_ARCH_KNOWS_REGISTERS    0: not those that unwind information, frame
 *                                records and core files name, but pc and sp
 *   MOAT_ARCH_REDIRECTS          0: a handler that returns continues where it
 *                                interrupted, and goes to a landing itself
 *   MOAT_ARCH_FIRST_FRAME_BYTES  bytes below base that the first frame takes
 *   MOAT_ARCH_FPU_BYTES          the floating-point image in a signal frame
 *   MOAT_ARCH_DWARF_REGISTERS    registers with a number in unwind information
 *   MOAT_ARCH_DWARF_FP, _SP, _PC three of these numbers
 *   MOAT_ARCH_DWARF_KEPT         how many of them moat_arch_dwarf_kept names
 *   MOAT_ARCH_REGISTERS          registers that reports name
 *   MOAT_ARCH_RECORD_MAP(X)      X(field) for each register in struct moat_co
 *                                besides pc, sp and fp
 *   MOAT_ARCH_KEPT_MAP(X)        X(field, resumers) for each register that the
 *                                switch keeps in struct moat_co besides pc, sp
 *   MOAT_ARCH_RED_ZONE           bytes below the stack pointer that a function
 *                                may use
 *   MOAT_ARCH_STACK_POINTER()    the stack pointer in the function
 *   MOAT_ARCH_RETURN_SLOT(frame) the address of a function's return address,
 *                                by its frame address
 *   MOAT_ARCH_CALLED_SP(sp)      the stack pointer at the entry of a function
 *                                whose caller's frames end at or above `sp`
 *   MOAT_ARCH_CONTEXT_ALIGN      how the context in a signal frame is aligned
 *   MOAT_ARCH_FRAME_BYTES        from there to the end of the siginfo_t
 *   MOAT_ARCH_CALLED_BY_KERNEL(ucontext)
 *                                whether the kernel called the handler that
 *                                contains the expression, and not a handler
 *                                that passes the context on
 *   MOAT_ARCH_IS_ROOT(context)   whether an unwinder (unwind.h) has come to a
 *                                root frame
 *   MOAT_ARCH_ELF_MACHINE        e_machine of an ELF file
 *
 * and, if the port has them,
 *
 *   MOAT_ARCH_POINT_...          what a quick switch of the backend sigaltstack
 *                                expects (switch/sigaltstack.h)
 *   MOAT_ARCH_BLOCK_BYTES        what MOAT_ARCH_SWAP_BLOCK(a, b) exchanges;
 *                                MOAT_ARCH_SWAP_END() comes after the last one
 *   MOAT_ARCH_BLOCK_ALIGN        where it is quickest
 */

/* The registers that a call preserves, and the pc, by their numbers in unwind
 * information; ascending. */
extern const unsigned char moat_arch_dwarf_kept[MOAT_ARCH_DWARF_KEPT];

/* A register as reports show it. */
struct moat_arch_register {
    const char *name;     /* for programs: the CPU's own name          */
    const char *label;    /* for people: short                         */
    unsigned char offset; /* of a word in moat_regs                    */
    unsigned char digits; /* hexadecimal digits that people see        */
};

/* In the order for programs. */
extern const struct moat_arch_register moat_arch_registers[MOAT_ARCH_REGISTERS];

/* The order for people, four in a line: indices of the former. */
extern const unsigned char moat_arch_register_order[MOAT_ARCH_REGISTERS];

static inline uintptr_t
moat_arch_register_value(const struct moat_arch_register *reg,
                         const moat_regs *regs)
{
    return *(const uintptr_t *)(const void *)((const char *)regs + reg->offset);
}

/* --- faults ---------------------------------------------------------------
 */

/* Learns what the port must know of this machine before a handler is installed.
 * False: no fault can be contained here. Signal-safe: no; one thread at a time.
 */
bool moat_arch_prepare(void);

/* Kinds of exception that the CPU raises. */
enum moat_arch_exception {
    MOAT_EXCEPTION_OTHER, /* none of the below: the signal number decides */
    MOAT_EXCEPTION_PAGE,  /* page fault: has an address and an access     */
    MOAT_EXCEPTION_PROTECTION, /* an access that is illegal in itself: the CPU
                                  reports no address                      */
    MOAT_EXCEPTION_PRIVILEGED, /* an instruction that user mode may not execute
                                */
    MOAT_EXCEPTION_FETCH, /* the pc itself is no address of memory        */
    MOAT_EXCEPTION_ALIGNMENT,
    MOAT_EXCEPTION_OPCODE,
    MOAT_EXCEPTION_DIVIDE,
    MOAT_EXCEPTION_FLOAT,
    MOAT_EXCEPTION_DEBUG,       /* breakpoint, single step */
    MOAT_EXCEPTION_SIGNAL_FRAME /* none: the kernel had no room for a frame */
};

struct moat_arch_fault {
    enum moat_arch_exception exception;
    moat_access access;
    uintptr_t address;
};

/* --- coroutines -----------------------------------------------------------
 */

/* The root frame's entry, and the address that its call returns to. */
extern const char moat_root_start[];
extern const char moat_root_return[];

/* Writes the first frame below `base` and points the record at the root frame.
 */
void moat_arch_first_frame(moat_co *co, uintptr_t base);

/* The two halves of it: the frame of a coroutine, whatever it has done, and the
 * words of a record that has not been entered. */
void moat_arch_top_frame(moat_co *co, uintptr_t base);
void moat_arch_first_words(moat_co *co, uintptr_t base);

/* Returns whether the record has not been entered since moat_arch_first_frame.
 */
bool moat_arch_is_fresh(const moat_co *co);

/* Returns whether the registers may be those of a resume that has stored the
 * resumer's words and not yet loaded the coroutine's. After a longjmp they may
 * look the same by chance. Signal-safe: yes. */
bool moat_arch_is_entering(const moat_co *co, const moat_regs *regs);

/* Returns the stack pointer at moat_root_return on a stack with that base. */
uintptr_t moat_arch_root_sp(uintptr_t base);

/* Describes a suspended coroutine by its record; registers that the switch does
 * not keep are 0. */
void moat_arch_regs_from_record(const moat_co *co, moat_regs *out);

/* Describes the root frame, where a walk can begin anew. */
void moat_arch_regs_from_root(const moat_co *co, uintptr_t base,
                              moat_regs *out);

/* Undoes a call through a bad pointer, if pc is where such a call led: replaces
 * the registers by the caller's, with the return address as pc. Reads between
 * `limit` and `base` only; false: the return address is not there. */
bool moat_arch_undo_call(moat_regs *regs, uintptr_t limit, uintptr_t base);

/* Finds the first bytes in [at, end) that look like an unconditional jump, and
 * its target; 0: there are none. */
uintptr_t moat_arch_find_jump(uintptr_t at, uintptr_t end, uintptr_t *target);

/* Returns the register with that number in unwind information. */
uintptr_t *moat_arch_dwarf_register(moat_regs *regs, unsigned number);

/* Loads a word from an address that may be unmapped. With moat's handlers
 * installed a fault returns false. */
bool moat_arch_peek(uintptr_t address, uintptr_t *out);

/* Returns whether the memory from `sp` upwards looks like a stack in use: a
 * word that a call has left is not far. Peeks only. */
bool moat_arch_is_stack_in_use(uintptr_t sp);

/* Stores the caller's registers, as they are when this function returns. */
void moat_arch_capture(moat_regs *out);

/* Calls fn(arg) on the resumer's stack, below the frame that resumed `co`. The
 * call returns to moat_arch_call_on_return. Until then the record's `sp` is
 * where `co` waits. */
void *moat_arch_call_on_resumer(moat_co *co, void *(*fn)(void *), void *arg);
extern const char moat_arch_call_on_return[];

/* Returns the stack pointer of the resumer, below which is no frame of it. A
 * backend other than the native one keeps it at the resumer's point, unless a
 * landing or a border stands for the resumer. */
static inline uintptr_t moat_arch_resumer_top(const moat_co *co)
{
#if MOAT_SWITCH_PORTABLE
    if (co->resumer_point != NULL)
        return *(const uintptr_t *)co->resumer_point;
#endif
    return co->resumer_sp;
}

/* Returns where that return address lies, on the resumer's stack. */
uintptr_t moat_arch_host_call_slot(const moat_co *co);

/* Leaves `co` for its resumer and never returns. Takes nothing of the guest's
 * stack, which stays as it is. */
MOAT_NORETURN void moat_arch_leave(moat_co *co, void *value, uint64_t kind);

/* Makes the resumer of `self` that of `other`, with everything that a switch
 * and a trap need to go there. A fresh `other` will not save the floating-point
 * control words at its entry, since they will not be its resumer's. */
void moat_arch_take_over(moat_co *other, const moat_co *self);

/* Stands for the resumer of a coroutine that must not come back to it: the
 * resumer's words, which unwinders go on with, and what is called with
 * the event instead, on the resumer's stack. It never returns. */
struct moat_arch_border {
    uintptr_t fp, pc, sp, bx;
    void (*reached)(moat_co *co, uint64_t kind);
};

/* Fills in a border, except for `reached`, and makes it stand for the resumer.
 * It passes to another coroutine as the resumer does (moat_arch_take_over). */
void moat_arch_set_border(moat_co *co, struct moat_arch_border *border);

/* Returns whether a border stands for the resumer. */
bool moat_arch_has_border(const moat_co *co);

#if MOAT_SWITCH_PORTABLE
/* Begins the root frame of `co`, on whose stack the caller is. */
MOAT_NORETURN void moat_arch_enter_root(moat_co *co, void *input);

/* Store the words of the resumer, or of the coroutine itself, as they are when
 * the function returns that has this frame address. */
void moat_arch_note_resumer(moat_co *co, const void *frame);
void moat_arch_note_own(moat_co *co, const void *frame);
#endif

/* Calls fn(arg) such that a fault inside can be redirected to `landing`.
 * Returns 0 if fn returned, else the `kind` passed to
 * moat_arch_redirect_context. */
uint64_t moat_arch_try(moat_co *landing, void (*fn)(void *), void *arg);

/* Returns the count of the CPU's clock, which grows evenly while a thread stays
 * on one CPU, in any unit; 0: it has none that can be read here. Signal-safe:
 * yes. */
uint64_t moat_arch_ticks(void);

/* Saves the floating-point control words that a trap restores. The root frame
 * does so at its first entry, the slow path of a resume each time. */
void moat_arch_save_fp_control(moat_co *co);

#ifdef MOAT_ARCH_BLOCK_BYTES
/* Returns whether this CPU and system can do MOAT_ARCH_SWAP_BLOCK. */
bool moat_arch_can_swap_blocks(void);
#endif

/* --- the machine context of a signal handler -------------------------------
 */

void moat_arch_regs_from_context(const void *ucontext, moat_regs *out);

uintptr_t moat_arch_sp_from_context(const void *ucontext);

/* Fills in a context with the general registers and zeros. */
void moat_arch_context_from_regs(const moat_regs *regs, void *ucontext);

void moat_arch_fpu_from_context(const void *ucontext,
                                unsigned char out[MOAT_ARCH_FPU_BYTES]);
/* Describes the exception that raised the signal; MOAT_EXCEPTION_OTHER if none
 * did. The memory that the context points to may be missing. */
void moat_arch_fault_from_context(const void *ucontext, const siginfo_t *info,
                                  struct moat_arch_fault *out);

/* For a signal that no exception raised: returns whether the kernel could not
 * push the frame of another signal onto the interrupted stack. */
bool moat_arch_frame_failed(const void *ucontext);

/* Makes the handler return to where `co` was resumed, with `kind` as the event.
 * That may also be the entry of a function, whose first argument is `co`.
 * The CPU's state is what a call may expect: flags clear, no floating-point
 * operation under way, the resumer's control words. Without MOAT_ARCH_REDIRECTS
 * the context stays as it is, and the handler must end with moat_arch_land. */
void moat_arch_redirect_context(void *ucontext, const moat_co *co,
                                uint64_t kind);

/* Returns whether moat_arch_redirect_context has changed the context, and the
 * kernel need not restore it: the rest of the CPU's state is as it was, or of
 * no concern to a landing. */
bool moat_arch_can_land(const void *ucontext);

/* Goes to where the context leads, which can land, without the kernel. */
MOAT_NORETURN void moat_arch_land(const void *ucontext);

/* What a preempted guest continues with, as the handler leaves it for the code
 * that saves it on the guest's stack. */
struct moat_arch_preempted {
    uintptr_t bx, pc, sp, flags;
    uint64_t used;   /* components of the vector state that are saved        */
    uint64_t unused; /* the others: they have their initial values           */
    uint64_t bytes;  /* of the saved state                                   */
    moat_co *co;
    void (*suspend)(void); /* called on the guest's stack; the guest continues
                              when it returns                                */
    const void *initial;   /* the vector state with its initial values       */
};

/* Returns whether guests can be preempted on this CPU. Must be called, and must
 * have returned true, before the next two are. Signal-safe: no. */
bool moat_arch_can_preempt(void);

/* Returns the bytes below the interrupted stack pointer that moat_arch_preempt
 * takes; 0: this context cannot be preempted. */
size_t moat_arch_preempt_bytes(const void *ucontext);

/* Makes the handler return to code that saves all registers below the guest's
 * red zone and calls `suspend`. `words`, of which the caller has set `co` and
 * `suspend`, must stay until that call. */
void moat_arch_preempt(void *ucontext, struct moat_arch_preempted *words);

/* Returns whether the registers are those of that code. */
bool moat_arch_is_preempting(const moat_regs *regs);

/* Returns whether they are those of the library's switches, which may hold
 * words of a record that a suspension changes: where the next resume comes
 * from, or where another coroutine waits. Those that are inline hold none of
 * them. */
bool moat_arch_is_switching(const moat_regs *regs);

/* Returns whether the fault is that of a moat_arch_peek, and makes that call
 * return false. */
bool moat_arch_fix_peek(void *ucontext);

/* Returns whether the context is just after a kill, tkill or tgkill of `signo`
 * by the thread itself. */
bool moat_arch_context_sent_signal(const void *ucontext, int signo, pid_t pid,
                                   pid_t tid);

/* Returns whether the memory at `context`, where a signal frame's context may
 * lie, belongs to a frame that is there as the kernel pushed it, below `end`.
 * The memory may be gone. */
bool moat_arch_frame_is_whole(uintptr_t context, uintptr_t end);

#if MOAT_SWITCH_PORTABLE
/* Makes a system call of up to four arguments. Returns what the kernel does,
 * and leaves errno alone. Of ports that the backend threads supports. */
long moat_arch_system_call(long number, long a, long b, long c, long d);
#endif

/* Returns whether memory can have the address at all. */
bool moat_arch_is_canonical(uintptr_t address);

/* Clears the flags that a guest may set, that the kernel leaves set when it
 * enters a handler, and that would harm C code. The first statement of every
 * handler. */
void moat_arch_enter_handler(void);

#endif
