/*
 * frame.c: the first frame, and the words of a record. No portable way knows
 * the frame pointer or the return address of a caller, so those are 0.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/arch.h"

#include <string.h>

#include "arch/generic/port.h"

const char moat_root_start[1] = {0};
const char moat_root_return[1] = {0};
const char moat_arch_call_on_return[1] = {0};

/* Where a coroutine begins that another switched to: not at a resume. */
static const char root_noted[1] = {0};

/* --- the first frame ------------------------------------------------------ */

struct first_frame {
    moat_co *record;
    uintptr_t end;
};
_Static_assert(sizeof(struct first_frame) == MOAT_ARCH_FIRST_FRAME_BYTES,
               "values.h must name the first frame's size");

uintptr_t moat_arch_root_sp(uintptr_t base)
{
    return base - sizeof(struct first_frame);
}

void moat_arch_top_frame(moat_co *co, uintptr_t base)
{
    struct first_frame *top = (struct first_frame *)moat_arch_root_sp(base);

    top->record = co;
    top->end = 0;
}

void moat_arch_first_words(moat_co *co, uintptr_t base)
{
    uintptr_t top = moat_arch_root_sp(base);

    co->fp = 0;
    co->pc = (uintptr_t)moat_root_start;
    co->sp = top;
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

/* --- the words of both sides ---------------------------------------------- */

/* The frame ends above the address, and the caller's begins there or above. */
void moat_arch_note_resumer(moat_co *co, const void *frame)
{
    co->resumer_fp = 0;
    co->resumer_pc = 0;
    co->resumer_sp = (uintptr_t)frame;
    co->border = NULL;
}

void moat_arch_note_own(moat_co *co, const void *frame)
{
    co->fp = 0;
    co->pc = 0;
    co->sp = (uintptr_t)frame;
}

void moat_arch_take_over(moat_co *other, const moat_co *self)
{
    other->resumer_fp = self->resumer_fp;
    other->resumer_pc = self->resumer_pc;
    other->resumer_sp = self->resumer_sp;
    other->border = self->border;
    other->resumer = self->resumer;
    if (moat_arch_is_fresh(other))
        other->pc = (uintptr_t)root_noted;
}

void moat_arch_set_border(moat_co *co, struct moat_arch_border *border)
{
    border->fp = co->resumer_fp;
    border->pc = co->resumer_pc;
    border->sp = co->resumer_sp;
    border->bx = 0;
    co->border = border;
}

bool moat_arch_has_border(const moat_co *co)
{
    return co->border != NULL;
}

/* C knows no clock that takes no system call. */
uint64_t moat_arch_ticks(void)
{
    return 0;
}

/* The backend's calls keep them. */
void moat_arch_save_fp_control(moat_co *co)
{
    (void)co;
}

/* --- registers ------------------------------------------------------------ */

const unsigned char moat_arch_dwarf_kept[MOAT_ARCH_DWARF_KEPT] = {
    MOAT_ARCH_DWARF_PC, MOAT_ARCH_DWARF_FP};

const struct moat_arch_register moat_arch_registers[MOAT_ARCH_REGISTERS] = {
    {"pc", "pc", offsetof(moat_regs, pc), 16},
    {"sp", "sp", offsetof(moat_regs, sp), 16},
};

const unsigned char moat_arch_register_order[MOAT_ARCH_REGISTERS] = {0, 1};

uintptr_t *moat_arch_dwarf_register(moat_regs *regs, unsigned number)
{
    if (number == MOAT_ARCH_DWARF_PC)
        return &regs->pc;
    return number == MOAT_ARCH_DWARF_SP ? &regs->sp : &regs->fp;
}

void moat_arch_regs_from_record(const moat_co *co, moat_regs *out)
{
    memset(out, 0, sizeof *out);
    out->sp = co->sp;
}

void moat_arch_regs_from_root(const moat_co *co, uintptr_t base, moat_regs *out)
{
    (void)co;
    memset(out, 0, sizeof *out);
    out->pc = (uintptr_t)moat_root_return;
    out->sp = moat_arch_root_sp(base);
}

__attribute__((noinline)) void moat_arch_capture(moat_regs *out)
{
    memset(out, 0, sizeof *out);
    out->pc = (uintptr_t)__builtin_return_address(0);
    out->sp = (uintptr_t)__builtin_frame_address(0);
}

/* --- the stack ------------------------------------------------------------ */

__attribute__((noinline)) uintptr_t moat_arch_callee_frame(void)
{
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);

    __asm__ volatile("" : "+r"(frame) : : "memory");
    return frame;
}

/* Odd, which no pointer on a stack is, and another one each time. */
uintptr_t moat_arch_mark(void *word)
{
    static __thread uintptr_t last __attribute__((tls_model("initial-exec")));

    last += 2;
    *(volatile uintptr_t *)word = ((uintptr_t)word << 16) ^ (last | 1);
    return (uintptr_t)word;
}
