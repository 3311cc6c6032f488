/*
 * stub.c: the port contract for no CPU. It compiles and links, and every
 * function aborts: it proves that nothing else in the tree names a CPU, and a
 * port starts from it (docs/porting.md).
 *
 * SPDX-License-Identifier: MIT
 */
#define MOAT_NO_INLINE

#include <stdlib.h>

#include "arch/arch.h"
#include "arch/core.h"
#include "arch/syscalls.h"

/* None of the functions looks at its arguments. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

MOAT_NORETURN static void missing(void)
{
    abort();
}

/* --- the switch out of line, for <moat/co.h> ------------------------------ */

MOAT_API const char moat_switch_body[1] = {0};
MOAT_API const char moat_transfer_body[1] = {0};

MOAT_API moat_status moat_co_resume(moat_co *co, void *input, moat_event *out)
{
    missing();
}

MOAT_API void *moat_co_yield(moat_co *self, void *value)
{
    missing();
}

MOAT_API moat_status moat_co_switch_to(moat_co *self, moat_co *other,
                                       void *value, void **input)
{
    missing();
}

struct moat_switch_input {
    void *input;
    uint64_t command;
};

struct moat_switch_input moat_switch_to(moat_co *self, moat_co *other,
                                        void *value);
void moat_switch_resume_unwinding(moat_co *co, void *input,
                                  struct moat_switched *back);

struct moat_switch_input moat_switch_to(moat_co *self, moat_co *other,
                                        void *value)
{
    missing();
}

void moat_arch_take_over(moat_co *other, const moat_co *self)
{
    missing();
}

void moat_switch_resume_unwinding(moat_co *co, void *input,
                                  struct moat_switched *back)
{
    missing();
}

/* --- the root frame ------------------------------------------------------- */

const char moat_root_start[1] = {0};
const char moat_root_return[1] = {0};

void moat_arch_top_frame(moat_co *co, uintptr_t base)
{
    missing();
}

void moat_arch_first_words(moat_co *co, uintptr_t base)
{
    missing();
}

void moat_arch_first_frame(moat_co *co, uintptr_t base)
{
    missing();
}

bool moat_arch_is_fresh(const moat_co *co)
{
    missing();
}

bool moat_arch_is_entering(const moat_co *co, const moat_regs *regs)
{
    missing();
}

uintptr_t moat_arch_root_sp(uintptr_t base)
{
    missing();
}

void moat_arch_set_border(moat_co *co, struct moat_arch_border *border)
{
    missing();
}

bool moat_arch_has_border(const moat_co *co)
{
    missing();
}

MOAT_NORETURN void moat_arch_leave(moat_co *co, void *value, uint64_t kind)
{
    missing();
}

uint64_t moat_arch_ticks(void)
{
    return 0;
}

void moat_arch_save_fp_control(moat_co *co)
{
    missing();
}

/* --- other calls ---------------------------------------------------------- */

const char moat_arch_call_on_return[1] = {0};

uintptr_t moat_arch_host_call_slot(const moat_co *co)
{
    missing();
}

void *moat_arch_call_on_resumer(moat_co *co, void *(*fn)(void *), void *arg)
{
    missing();
}

uint64_t moat_arch_try(moat_co *landing, void (*fn)(void *), void *arg)
{
    missing();
}

bool moat_arch_prepare(void)
{
    missing();
}

/* --- registers ------------------------------------------------------------ */

const unsigned char moat_arch_dwarf_kept[MOAT_ARCH_DWARF_KEPT] = {0, 2};

const struct moat_arch_register moat_arch_registers[MOAT_ARCH_REGISTERS] = {
    {"pc", "pc", offsetof(moat_regs, pc), 16},
    {"sp", "sp", offsetof(moat_regs, sp), 16},
    {"fp", "fp", offsetof(moat_regs, fp), 16},
};

const unsigned char moat_arch_register_order[MOAT_ARCH_REGISTERS] = {0, 1, 2};

uintptr_t *moat_arch_dwarf_register(moat_regs *regs, unsigned number)
{
    missing();
}

void moat_arch_regs_from_record(const moat_co *co, moat_regs *out)
{
    missing();
}

void moat_arch_regs_from_root(const moat_co *co, uintptr_t base, moat_regs *out)
{
    missing();
}

void moat_arch_capture(moat_regs *out)
{
    missing();
}

/* --- memory and code ------------------------------------------------------ */

bool moat_arch_peek(uintptr_t address, uintptr_t *out)
{
    missing();
}

bool moat_arch_is_stack_in_use(uintptr_t sp)
{
    missing();
}

bool moat_arch_frame_is_whole(uintptr_t context, uintptr_t end)
{
    missing();
}

bool moat_arch_is_canonical(uintptr_t address)
{
    missing();
}

bool moat_arch_undo_call(moat_regs *regs, uintptr_t limit, uintptr_t base)
{
    missing();
}

uintptr_t moat_arch_find_jump(uintptr_t at, uintptr_t end, uintptr_t *target)
{
    missing();
}

/* --- the machine context of a signal handler ------------------------------ */

void moat_arch_regs_from_context(const void *ucontext, moat_regs *out)
{
    missing();
}

uintptr_t moat_arch_sp_from_context(const void *ucontext)
{
    missing();
}

void moat_arch_context_from_regs(const moat_regs *regs, void *ucontext)
{
    missing();
}

void moat_arch_fpu_from_context(const void *ucontext,
                                unsigned char out[MOAT_ARCH_FPU_BYTES])
{
    missing();
}

void moat_arch_fault_from_context(const void *ucontext, const siginfo_t *info,
                                  struct moat_arch_fault *out)
{
    missing();
}

bool moat_arch_frame_failed(const void *ucontext)
{
    missing();
}

void moat_arch_redirect_context(void *ucontext, const moat_co *co,
                                uint64_t kind)
{
    missing();
}

bool moat_arch_can_land(const void *ucontext)
{
    missing();
}

MOAT_NORETURN void moat_arch_land(const void *ucontext)
{
    missing();
}

bool moat_arch_can_preempt(void)
{
    missing();
}

size_t moat_arch_preempt_bytes(const void *ucontext)
{
    missing();
}

void moat_arch_preempt(void *ucontext, struct moat_arch_preempted *words)
{
    missing();
}

bool moat_arch_is_preempting(const moat_regs *regs)
{
    missing();
}

bool moat_arch_is_switching(const moat_regs *regs)
{
    missing();
}

bool moat_arch_fix_peek(void *ucontext)
{
    missing();
}

bool moat_arch_context_sent_signal(const void *ucontext, int signo, pid_t pid,
                                   pid_t tid)
{
    missing();
}

void moat_arch_enter_handler(void)
{
    missing();
}

/* --- core files ----------------------------------------------------------- */

void moat_arch_core_regs(const moat_regs *regs, elf_gregset_t out)
{
    missing();
}

void moat_arch_core_fpregs(const unsigned char image[MOAT_ARCH_FPU_BYTES],
                           elf_fpregset_t *out)
{
    missing();
}

void moat_arch_core_resumer(moat_co *copy, const moat_regs *frame)
{
    missing();
}

uintptr_t moat_arch_thread_pointer(void)
{
    missing();
}

/* --- system calls --------------------------------------------------------- */

void moat_arch_filter_return(void *ucontext, struct moat_arch_filtered *words)
{
    missing();
}

bool moat_arch_filter_undo(void *ucontext,
                           const struct moat_arch_filtered *words)
{
    missing();
}

void moat_arch_filter_call(void *ucontext, struct moat_arch_filtered *words)
{
    missing();
}

bool moat_arch_is_led_away(const void *ucontext)
{
    missing();
}

bool moat_arch_call_from_context(const siginfo_t *info, const void *ucontext,
                                 moat_syscall *out)
{
    missing();
}

void moat_arch_call_failed(void *ucontext, int error)
{
    missing();
}

void moat_arch_call_again(void *ucontext)
{
    missing();
}

void *moat_arch_context_to_restore(const void *ucontext)
{
    missing();
}

void moat_arch_preempted_result(const struct moat_arch_preempted *words,
                                long result)
{
    missing();
}

uint32_t moat_arch_audit(void)
{
    return 0;
}

bool moat_arch_may_perform(const moat_syscall *call)
{
    missing();
}

long moat_arch_syscall(const moat_syscall *call)
{
    missing();
}

const char *moat_arch_syscall_name(long number)
{
    missing();
}
