/*
 * frame.c: the first frame, and the registers that a record or a root stands
 * for.
 *
 * Pure memory work; the layout of the .S files is proved here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/arch.h"

#include <string.h>

#include "arch/x86_64/layout.h"

#define CHECK(type, field, offset)                    \
    _Static_assert(offsetof(type, field) == (offset), \
                   "layout.h and the struct disagree on " #field)

CHECK(struct moat_co, resumer_fp, CO_RESUMER_FP);
CHECK(struct moat_co, resumer_pc, CO_RESUMER_PC);
CHECK(struct moat_co, resumer_sp, CO_RESUMER_SP);
CHECK(struct moat_co, resumer_bx, CO_RESUMER_BX);
CHECK(struct moat_co, fp, CO_FP);
CHECK(struct moat_co, pc, CO_PC);
CHECK(struct moat_co, sp, CO_SP);
CHECK(struct moat_co, bx, CO_BX);
CHECK(struct moat_co, state, CO_STATE);
CHECK(struct moat_co, token, CO_TOKEN);
CHECK(struct moat_co, resumer, CO_RESUMER);
CHECK(struct moat_co, entry, CO_ENTRY);
CHECK(struct moat_co, mxcsr, CO_MXCSR);
CHECK(struct moat_co, fcw, CO_FCW);
CHECK(struct moat_co, flags, CO_FLAGS);
CHECK(struct moat_co, root_sp, CO_ROOT_SP);
CHECK(struct moat_tls, current, TLS_CURRENT);
CHECK(struct moat_tls, token, TLS_TOKEN);
CHECK(struct moat_tls, spare, TLS_SPARE);
CHECK(struct moat_tls, spares, TLS_SPARES);
CHECK(struct moat_event, kind, EVENT_KIND);
CHECK(struct moat_event, value, EVENT_VALUE);
CHECK(struct moat_event, co, EVENT_CO);
CHECK(struct moat_switched, value, SWITCHED_VALUE);
CHECK(struct moat_switched, kind, SWITCHED_KIND);
CHECK(struct moat_switched, co, SWITCHED_CO);
CHECK(struct moat_regs, pc, REGS_PC);
CHECK(struct moat_regs, fp, REGS_FP);
CHECK(struct moat_regs, rax, REGS_RAX);
CHECK(struct moat_regs, r15, REGS_R15);
CHECK(struct moat_regs, flags, REGS_FLAGS);
CHECK(struct moat_regs, mxcsr, REGS_MXCSR);
CHECK(struct moat_regs, fcw, REGS_FCW);
CHECK(struct moat_regs, fsw, REGS_FSW);
_Static_assert(MOAT_TLS_CURRENT == TLS_CURRENT && MOAT_TLS_TOKEN == TLS_TOKEN &&
                   MOAT_TLS_SPARE == TLS_SPARE && MOAT_TLS_SPARES == TLS_SPARES,
               "the public header and layout.h disagree");
_Static_assert(MOAT_MARK_RUNNING == MARK_RUNNING && MOAT_MARK_DONE == MARK_DONE,
               "state marks disagree");
_Static_assert((int)MOAT_EVENT_YIELD == KIND_YIELD &&
                   (int)MOAT_EVENT_RETURN == KIND_RETURN &&
                   (int)MOAT_EVENT_PANIC == KIND_PANIC,
               "event numbers disagree");
_Static_assert(MOAT_SWITCH_YIELD == KIND_YIELD && MOAT_SWITCH_SLOW == KIND_SLOW,
               "the public header and layout.h disagree");
_Static_assert(MOAT_COMMAND_NONE == COMMAND_NONE, "commands disagree");
_Static_assert(MOAT_COMMAND_UNWIND == COMMAND_UNWIND, "commands disagree");
_Static_assert(COMMAND_NONE == 0, "the switch must not test for zero");

extern const char moat_trace_refused[]; /* root.S */
extern const char moat_root_noted[];    /* root.S */

/*
 * At the top of the stack: the two words that the root frame's unwind rules
 * read, and a false ucontext_t. libunwind's fast trace, which its backtrace()
 * uses, takes a frame that is marked as a signal handler's for the kernel's,
 * and reads the interrupted registers where that one keeps them; zeros there
 * would end the trace without an error. They lead to moat_trace_refused, whose
 * unwind rules make it give up and walk by the rules of each frame.
 */
struct first_frame {
    moat_co *record;
    uintptr_t
        end; /* a walker that takes the record for a frame finds no more */
    uintptr_t unused[13];
    uintptr_t trace_fp; /* +120: REG_RBP of a ucontext_t at the frame */
    uintptr_t unused_too[4];
    uintptr_t trace_sp; /* +160: REG_RSP */
    uintptr_t trace_pc; /* +168: REG_RIP */
};
CHECK(struct first_frame, record, FIRST_RECORD);
CHECK(struct first_frame, end, FIRST_END);
/* Where libunwind looks. */
CHECK(struct first_frame, trace_fp, FIRST_TRACE_FP);
CHECK(struct first_frame, trace_sp, FIRST_TRACE_SP);
CHECK(struct first_frame, trace_pc, FIRST_TRACE_PC);
_Static_assert(sizeof(struct first_frame) == MOAT_ARCH_FIRST_FRAME_BYTES,
               "arch.h must name the first frame's size");

void moat_arch_take_place(moat_co *other, const moat_co *self)
{
    other->resumer_fp = self->resumer_fp;
    other->resumer_pc = self->resumer_pc;
    other->resumer_sp = self->resumer_sp;
    other->resumer_bx = self->resumer_bx;
    other->resumer = self->resumer;
    other->mxcsr = self->mxcsr;
    other->fcw = self->fcw;
    if (moat_arch_is_fresh(other))
        other->pc = (uintptr_t)moat_root_noted;
}

uintptr_t moat_arch_root_sp(uintptr_t base)
{
    return base - sizeof(struct first_frame);
}

void moat_arch_first_frame(moat_co *co, uintptr_t base)
{
    struct first_frame *top = (struct first_frame *)moat_arch_root_sp(base);

    top->record = co;
    top->end = 0;
    top->trace_fp = (uintptr_t)top;
    top->trace_sp = (uintptr_t)top;
    top->trace_pc = (uintptr_t)moat_trace_refused;
    co->fp = (uintptr_t)co;
    co->pc = (uintptr_t)moat_root_start;
    co->sp = (uintptr_t)top;
    co->bx = (uintptr_t)co;
    co->root_sp = (uintptr_t)top;
}

bool moat_arch_is_fresh(const moat_co *co)
{
    return co->pc == (uintptr_t)moat_root_start;
}

void moat_arch_regs_from_record(const moat_co *co, moat_regs *out)
{
    memset(out, 0, sizeof *out);
    out->pc = co->pc;
    out->sp = co->sp;
    out->fp = co->fp;
    out->rbx = co->bx;
}

void moat_arch_regs_from_root(const moat_co *co, uintptr_t base, moat_regs *out)
{
    memset(out, 0, sizeof *out);
    out->pc = (uintptr_t)moat_root_return;
    out->sp = moat_arch_root_sp(base);
    out->fp = (uintptr_t)co;
}

bool moat_arch_undo_call(moat_regs *regs, uintptr_t limit, uintptr_t base)
{
    uintptr_t sp = regs->sp;

    if (sp < limit || sp > base - sizeof(uintptr_t) ||
        sp % sizeof(uintptr_t) != 0)
        return false;
    regs->pc = *(const uintptr_t *)sp;
    regs->sp = sp + sizeof(uintptr_t);
    return true;
}

uintptr_t moat_arch_find_jump(uintptr_t at, uintptr_t end, uintptr_t *target)
{
    const unsigned char *code;
    int32_t distance;
    size_t bytes = 1 + sizeof distance; /* jmp rel32 */

    if (end - at < bytes)
        return 0;
    code = memchr((const void *)at, 0xe9, end - at - sizeof distance);
    if (code == NULL)
        return 0;
    memcpy(&distance, code + 1, sizeof distance);
    *target = (uintptr_t)code + bytes + (uintptr_t)(intptr_t)distance;
    return (uintptr_t)code;
}

void moat_arch_save_fp_control(moat_co *co)
{
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1"
                     : "=m"(co->mxcsr), "=m"(co->fcw));
}
