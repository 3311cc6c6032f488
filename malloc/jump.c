/*
 * jump.c: longjmp and its kin. A guest that would leave its coroutine by one
 * traps.
 *
 * SPDX-License-Identifier: MIT
 */
#include "malloc/jump.h"

#include <stdbool.h>

#include <moat/moat.h>

#include "malloc/libc_call.h"
#include "malloc/real.h"

/* Of fortified programs. */
_Noreturn void __longjmp_chk(struct __jmp_buf_tag env[1], int value);

/* A guest may jump on the stack that it is on. Where the guest is on one that
 * moat does not know, it may jump to another such. */
static bool stays_inside(uintptr_t target)
{
    moat_stack_info here, there;
    bool is_known = moat_stack_at(target, &there) == MOAT_OK;

    if (moat_stack_bounds(&here) != MOAT_OK)
        return !is_known;
    return is_known && here.base == there.base && here.limit == there.limit;
}

static void check(const struct __jmp_buf_tag env[1], int value)
{
    if (moat_libc_is_guest() && !stays_inside(moat_jump_target(env)))
        moat_trap_raise_as(MOAT_TRAP_JUMP, value);
}

/* clang-format off */

#define JUMPS(name)                                                           \
    MOAT_API _Noreturn void name(struct __jmp_buf_tag env[1], int value)       \
    {                                                                         \
        MOAT_REAL real = {#name, NULL};                         \
        void (*function)(struct __jmp_buf_tag *, int);                        \
                                                                              \
        check(env, value);                                                    \
        moat_real_get(&real, &function);                                      \
        function(env, value);                                                 \
        __builtin_unreachable();                                              \
    }

JUMPS(longjmp)
JUMPS(_longjmp)
JUMPS(siglongjmp)
JUMPS(__longjmp_chk)

/* clang-format on */
