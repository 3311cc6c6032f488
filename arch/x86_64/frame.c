/*
 * frame.c: the first frame, and the registers that a record or a root frame
 * implies. Also proves the layout that the .S files use.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/arch.h"

#include <string.h>

#include "arch/x86_64/layout.h"
#include "arch/x86_64/load.h"

/* No program has code below (vm.mmap_min_addr). */
#define LOWEST_CODE ((uintptr_t)0x10000)

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
CHECK(struct moat_co, home, CO_HOME);
CHECK(struct moat_co, user, CO_USER);
#if MOAT_SWITCH_PORTABLE
CHECK(struct moat_co, point, CO_POINT);
CHECK(struct moat_co, resumer_point, CO_RESUMER_POINT);
CHECK(struct moat_co, switching, CO_SWITCHING);
#endif
CHECK(struct moat_tls, current, TLS_CURRENT);
CHECK(struct moat_tls, token, TLS_TOKEN);
CHECK(struct moat_tls, home, TLS_HOME);
CHECK(struct moat_tls, homes, TLS_HOMES);
CHECK(struct moat_tls, reach, TLS_REACH);
CHECK(struct moat_tls, fuel, TLS_FUEL);
CHECK(struct moat_event, kind, EVENT_KIND);
CHECK(struct moat_event, value, EVENT_VALUE);
CHECK(struct moat_event, co, EVENT_CO);
CHECK(struct moat_switched, value, SWITCHED_VALUE);
CHECK(struct moat_switched, kind, SWITCHED_KIND);
CHECK(struct moat_switched, co, SWITCHED_CO);
CHECK(struct moat_resumed, self, RESUMED_SELF);
CHECK(struct moat_resumed, input, RESUMED_INPUT);
CHECK(struct moat_resumed, command, RESUMED_COMMAND);
CHECK(struct moat_arch_border, fp, BORDER_FP);
CHECK(struct moat_arch_border, pc, BORDER_PC);
CHECK(struct moat_arch_border, sp, BORDER_SP);
CHECK(struct moat_arch_border, bx, BORDER_BX);
CHECK(struct moat_arch_border, reached, BORDER_REACHED);
CHECK(struct moat_regs, pc, REGS_PC);
CHECK(struct moat_regs, fp, REGS_FP);
CHECK(struct moat_regs, rax, REGS_RAX);
CHECK(struct moat_regs, r15, REGS_R15);
CHECK(struct moat_regs, flags, REGS_FLAGS);
CHECK(struct moat_regs, mxcsr, REGS_MXCSR);
CHECK(struct moat_regs, fcw, REGS_FCW);
CHECK(struct moat_regs, fsw, REGS_FSW);
_Static_assert(MOAT_TLS_CURRENT == TLS_CURRENT && MOAT_TLS_TOKEN == TLS_TOKEN &&
                   MOAT_TLS_HOME == TLS_HOME && MOAT_TLS_HOMES == TLS_HOMES &&
                   MOAT_TLS_REACH == TLS_REACH && MOAT_TLS_FUEL == TLS_FUEL,
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
 * read, and a false ucontext_t. The fast trace of libunwind's backtrace() takes
 * any frame marked as a signal frame for the kernel's and reads the interrupted
 * registers where the kernel keeps them. Zeros there would end the trace
 * without an error. These lead to moat_trace_refused, whose unwind rules make
 * libunwind walk by the rules of each frame instead.
 */
struct first_frame {
    moat_co *record;
    uintptr_t end; /* ends a walk of frame pointers that takes the record for a
                      frame */
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

void moat_arch_take_over(moat_co *other, const moat_co *self)
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

extern const char moat_arch_border_landing[]; /* root.S */

/* Its address goes where the resumer's rbx was. */
void moat_arch_set_border(moat_co *co, struct moat_arch_border *border)
{
    border->fp = co->resumer_fp;
    border->pc = co->resumer_pc;
    border->sp = co->resumer_sp;
    border->bx = co->resumer_bx;
    co->resumer_bx = (uintptr_t)border;
    co->resumer_pc = (uintptr_t)moat_arch_border_landing;
}

bool moat_arch_has_border(const moat_co *co)
{
    return co->resumer_pc == (uintptr_t)moat_arch_border_landing;
}

/* As moat_arch_call_on_resumer computes it. */
uintptr_t moat_arch_host_call_slot(const moat_co *co)
{
    uintptr_t top =
        (moat_arch_resumer_top(co) - MOAT_ARCH_RED_ZONE) & ~(uintptr_t)15;

    return top - sizeof(uintptr_t);
}

uintptr_t moat_arch_root_sp(uintptr_t base)
{
    return base - sizeof(struct first_frame);
}

void moat_arch_top_frame(moat_co *co, uintptr_t base)
{
    struct first_frame *top = (struct first_frame *)moat_arch_root_sp(base);

    top->record = co;
    top->end = 0;
    top->trace_fp = (uintptr_t)top;
    top->trace_sp = (uintptr_t)top;
    top->trace_pc = (uintptr_t)moat_trace_refused;
}

void moat_arch_first_words(moat_co *co, uintptr_t base)
{
    uintptr_t top = moat_arch_root_sp(base);

    co->fp = (uintptr_t)co;
    co->pc = (uintptr_t)moat_root_start;
    co->sp = top;
    co->bx = (uintptr_t)co;
    co->root_sp = top;
}

void moat_arch_first_frame(moat_co *co, uintptr_t base)
{
    moat_arch_top_frame(co, base);
    moat_arch_first_words(co, base);
}

bool moat_arch_is_fresh(const moat_co *co)
{
    return co->pc == (uintptr_t)moat_root_start;
}

/* As the rows of the window, which describe the frame by rdi. */
bool moat_arch_is_entering(const moat_co *co, const moat_regs *regs)
{
    return regs->rdi == (uintptr_t)co && regs->sp == co->resumer_sp;
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
    if (!moat_load_word(sp, &regs->pc))
        return false;
    regs->sp = sp + sizeof(uintptr_t);
    return true;
}

/* How far the return address of a frame is from its stack pointer, at most. */
#define FRAME_BYTES 8192

/* Returns whether a call ends at `pc`: by a distance, or through a register or
 * memory (ff /2) with any addressing mode. */
static bool is_after_call(uintptr_t pc)
{
    unsigned char code[sizeof(uintptr_t)];
    uintptr_t word;

    /* The word before pc; addresses of the last page lead nowhere. */
    if (pc < LOWEST_CODE || !moat_arch_is_canonical(pc) ||
        !moat_load_word(pc - sizeof word, &word))
        return false;
    memcpy(code, &word, sizeof word);
    if (code[3] == 0xe8)
        return true;
    for (size_t bytes = 2; bytes <= 7; bytes++) {
        if (code[8 - bytes] == 0xff && (code[9 - bytes] & 0x38) == 0x10)
            return true;
    }
    return false;
}

bool moat_arch_is_stack_in_use(uintptr_t sp)
{
    uintptr_t at = (sp + sizeof(uintptr_t) - 1) & ~(sizeof(uintptr_t) - 1);
    uintptr_t word;

    for (size_t i = 0; i < FRAME_BYTES / sizeof word; i++) {
        if (!moat_load_word(at + i * sizeof word, &word))
            return false;
        if (is_after_call(word))
            return true;
    }
    return false;
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

#if MOAT_SWITCH_PORTABLE
/* A frame begins with the caller's frame pointer and the return address. Only
 * the unwind rows know where the caller's rbx is. */
void moat_arch_note_resumer(moat_co *co, const void *frame)
{
    const uintptr_t *words = frame;

    co->resumer_fp = words[0];
    co->resumer_pc = words[1];
    co->resumer_sp = (uintptr_t)(words + 2);
    co->resumer_bx = 0;
}

void moat_arch_note_own(moat_co *co, const void *frame)
{
    const uintptr_t *words = frame;

    co->fp = words[0];
    co->pc = words[1];
    co->sp = (uintptr_t)(words + 2);
    co->bx = 0;
}
#endif

/* No fence: what it may be off by is less than what it measures costs. */
uint64_t moat_arch_ticks(void)
{
    return __builtin_ia32_rdtsc();
}

void moat_arch_save_fp_control(moat_co *co)
{
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1"
                     : "=m"(co->mxcsr), "=m"(co->fcw));
}
