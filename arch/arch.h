/*
 * arch.h: the port contract. A new CPU implements what is declared here, and
 * include/moat/switch/<cpu>.h; nothing else in the tree knows registers.
 *
 * Stacks grow down; "base" is the highest address, exclusive. Unless said
 * otherwise a function here is async-signal-safe and touches only its
 * arguments.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ARCH_ARCH_H
#define MOAT_ARCH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <moat/co.h>
#include <moat/trap.h>

/* Bytes below base that the first frame takes. */
#define MOAT_ARCH_FIRST_FRAME_BYTES 176

/* The legacy floating-point image that a signal frame holds (SDM vol.
 * 1, 10.5.1). */
#define MOAT_ARCH_FPU_BYTES 512

/* Registers by their numbers in unwind information (psABI 3.6.2). */
#define MOAT_ARCH_DWARF_REGISTERS 17
#define MOAT_ARCH_DWARF_SP        7
#define MOAT_ARCH_DWARF_PC        16

/* Those that a call preserves, and the pc; ascending. */
#define MOAT_ARCH_DWARF_KEPT 7
extern const unsigned char moat_arch_dwarf_kept[MOAT_ARCH_DWARF_KEPT];

/* What kind of exception the CPU raised. */
enum moat_arch_exception {
    MOAT_EXCEPTION_OTHER, /* none of the below: look at the signal number */
    MOAT_EXCEPTION_PAGE,  /* page fault: has an address and an access     */
    MOAT_EXCEPTION_PROTECTION, /* not canonical, or a segment check: no address
                                */
    MOAT_EXCEPTION_PRIVILEGED, /* an instruction that user mode may not execute
                                */
    MOAT_EXCEPTION_FETCH, /* the program counter itself is not canonical  */
    MOAT_EXCEPTION_ALIGNMENT,
    MOAT_EXCEPTION_OPCODE,
    MOAT_EXCEPTION_DIVIDE,
    MOAT_EXCEPTION_FLOAT,
    MOAT_EXCEPTION_DEBUG,       /* breakpoint, single step */
    MOAT_EXCEPTION_SIGNAL_FRAME /* none: the kernel found no room for a frame */
};

struct moat_arch_fault {
    enum moat_arch_exception exception;
    moat_access access;
    uintptr_t address;
};

/* The root frame's entry, and the address its call returns to. */
extern const char moat_root_start[];
extern const char moat_root_return[];

/* Writes the first frame below `base` and points the record at the root frame.
 */
void moat_arch_first_frame(moat_co *co, uintptr_t base);

/* Has the record been entered since moat_arch_first_frame? */
bool moat_arch_is_fresh(const moat_co *co);

/* The stack pointer that belongs to moat_root_return on a stack with that base.
 */
uintptr_t moat_arch_root_sp(uintptr_t base);

/* Describes a suspended coroutine by what its record holds; the registers that
 * the switch gives up are 0. */
void moat_arch_regs_from_record(const moat_co *co, moat_regs *out);

/* Describes the root frame, where a walk can be taken up again. */
void moat_arch_regs_from_root(const moat_co *co, uintptr_t base,
                              moat_regs *out);

/* Undoes a call through a bad pointer: if pc is where the faulting jump led and
 * the word at sp is a return address, gives the caller's registers. `limit` and
 * `base` bound what may be read. */
bool moat_arch_undo_call(moat_regs *regs, uintptr_t limit, uintptr_t base);

/* The first place from `at` on, before `end`, where the bytes look like a jump
 * without condition, and where it leads; 0: there is none. */
uintptr_t moat_arch_find_jump(uintptr_t at, uintptr_t end, uintptr_t *target);

/* The register of that number. */
uintptr_t *moat_arch_dwarf_register(moat_regs *regs, unsigned number);

/* Loads a word that may be nowhere. False: it faulted, if moat's handlers are
 * installed. */
bool moat_arch_peek(uintptr_t address, uintptr_t *out);

/* The registers of the caller of this function, as they are when it returns. */
void moat_arch_capture(moat_regs *out);

/* Calls fn(arg) on the stack below the place where `co` was resumed. The call
 * returns to moat_arch_call_on_return. */
void *moat_arch_call_on_resumer(const moat_co *co, void *(*fn)(void *),
                                void *arg);
extern const char moat_arch_call_on_return[];

/* Leaves `co` for its resumer, for good. The guest's stack is not touched. */
MOAT_NORETURN void moat_arch_leave(moat_co *co, void *value, uint64_t kind);

/* Resumes `co`, which is suspended, with MOAT_COMMAND_UNWIND: its yield does
 * not return but calls moat_co_unwind. Comes back as a resume does. */
void moat_arch_resume_unwinding(moat_co *co, void *input,
                                struct moat_switched *back);

/* Makes the resumer of `self` that of `other`, with all that a switch and a
 * trap need to go there. A fresh one will not note the control words at its
 * entry: they are not its resumer's then. */
void moat_arch_take_place(moat_co *other, const moat_co *self);

/* What somebody who goes on finds: MOAT_COMMAND_... */
struct moat_arch_input {
    void *input;
    uint64_t command;
};

/* Suspends `self`, the caller, and lets `other` go on, which has taken its
 * place and is the thread's current one. Comes back when `self` goes on. */
struct moat_arch_input moat_arch_switch_to(moat_co *self, moat_co *other,
                                           void *value);

/*
 * Calls fn(arg) such that a fault inside can be redirected to `landing`.
 * Returns 0 if fn returned, else the `kind` that moat_arch_redirect_context was
 * given.
 */
uint64_t moat_arch_try(moat_co *landing, void (*fn)(void *), void *arg);

/* Notes the floating-point control words that a trap shall restore. The root
 * frame does so at its first entry; the slow path of a resume each time. */
void moat_arch_save_fp_control(moat_co *co);

/* --- the machine context of a signal handler -------------------------------
 */

void moat_arch_regs_from_context(const void *ucontext, moat_regs *out);
void moat_arch_fpu_from_context(const void *ucontext,
                                unsigned char out[MOAT_ARCH_FPU_BYTES]);
void moat_arch_fault_from_context(const void *ucontext, uintptr_t fault_address,
                                  struct moat_arch_fault *out);

/* Makes the kernel return to where `co` was resumed, with `kind` as the event
 * and with the resumer's CPU state: flags clear, x87 empty, control words
 * restored. */
void moat_arch_redirect_context(void *ucontext, const moat_co *co,
                                uint64_t kind);

/* Is the fault that of a moat_arch_peek? Then that one gives false. */
bool moat_arch_fix_peek(void *ucontext);

/* Does the context stand right behind a kill, tkill or tgkill of `signo` by the
 * thread itself? */
bool moat_arch_context_sent_signal(const void *ucontext, int signo, pid_t pid,
                                   pid_t tid);

/* Can the address be one of memory at all? */
bool moat_arch_is_canonical(uintptr_t address);

/* Clears the alignment-check flag, which the kernel leaves set on the entry of
 * a handler: the first statement of every handler. */
void moat_arch_clear_alignment_check(void);

#endif
