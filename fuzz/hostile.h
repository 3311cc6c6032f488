/*
 * hostile.h: a signal with a context of the fuzzer's, offered to moat.
 *
 * The engine has the manual source. A signal that the guest sends to itself
 * brings a true context; in its handler a copy is changed as the input wants,
 * and offered to moat_trap_handle with a siginfo of the input's. If moat claims
 * it, the true context takes over where the copy leads, and the guest is
 * trapped; if not, the guest goes on, and nothing may have changed.
 *
 * Registers are those of x86-64.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FUZZ_HOSTILE_H
#define FUZZ_HOSTILE_H

#include <signal.h>
#include <stdbool.h>
#include <ucontext.h>

#include <moat/moat.h>

#include "input.h"

/* Hostile addresses are chosen near these. */
struct hostile_places {
    moat_stack_info stack;   /* of the guest                               */
    unsigned char *code;     /* a page of the input's code, to be executed */
    unsigned char *code_end; /* nothing is mapped after it                 */
    uintptr_t alternate;     /* in the handler's stack                     */
    uintptr_t other;         /* in the host's stack                        */
};

struct hostile_offer {
    int signo;
    siginfo_t info;
    ucontext_t context; /* as offered; then as moat left it               */
    moat_regs regs;     /* as offered                                     */
    bool claimed;
};

/* Initialises the engine with the manual source, and installs handlers; once.
 */
void hostile_begin(void);

extern struct hostile_places hostile_places;

/* Takes an address that is wild, or near something. */
uintptr_t hostile_address(struct input *input);

/* Puts such addresses into all registers of the context. */
void hostile_registers(struct input *input, ucontext_t *context);

/* Offers a signal; `change` makes the context and the siginfo what they shall
 * be. Returns if moat does not claim it, or if a recovery point catches it. */
void hostile_offer(void (*change)(struct hostile_offer *offer));
extern struct hostile_offer hostile_offered;

#endif
