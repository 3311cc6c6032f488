/*
 * native.h: the switch of the port. Part of the contract (switch.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SWITCH_NATIVE_H
#define MOAT_SWITCH_NATIVE_H

#define MOAT_SWITCH_NAME "native"

/* A landing does not need the kernel: see moat_arch_land. */
#define MOAT_SWITCH_LANDS_AT_ONCE true

/* The least usable stack that the backend can begin on. */
static inline size_t moat_switch_least_stack(void)
{
    return 0; /* any */
}

/* Restores what the backend has changed in the process. */
static inline void moat_switch_shut_down(void)
{
}

/* Makes the resumer of `self` that of `other`. */
static inline void moat_switch_take_over(moat_co *other, const moat_co *self)
{
    moat_arch_take_over(other, self);
}

/* As moat_arch_set_border. */
static inline void moat_switch_set_border(moat_co *co,
                                          struct moat_arch_border *border)
{
    moat_arch_set_border(co, border);
}

/* Returns whether the registers may be those of a resume that has made `co`
 * RUNNING and not yet left its own stack. Signal-safe: yes. */
static inline bool moat_switch_is_entering(const moat_co *co,
                                           const moat_regs *regs)
{
    return moat_arch_is_entering(co, regs);
}

/* Returns whether `co`, which runs with these registers, is in the middle of a
 * switch, which may hold words of a record that a suspension changes.
 * Signal-safe: yes. */
static inline bool moat_switch_is_switching(const moat_co *co,
                                            const moat_regs *regs)
{
    (void)co;
    return moat_arch_is_switching(regs);
}

/* Return where the stack in use ends of a suspended coroutine, and of the
 * resumer of `co`. Signal-safe: yes. */
static inline uintptr_t moat_switch_sp(const moat_co *co)
{
    return co->sp;
}

static inline uintptr_t moat_switch_resumer_sp(const moat_co *co)
{
    return co->resumer_sp;
}

#endif
