/*
 * chain.h: the signal handlers that were installed before moat's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_CHAIN_H
#define MOAT_TRAP_CHAIN_H

#include <signal.h>
#include <stdbool.h>

#include <moat/status.h>

/* Installs a handler over the present one. `restart`: interrupted system calls
 * are restarted even if the previous handler did not ask for it. */
moat_status moat_chain_install(int signo,
                               void (*handler)(int, siginfo_t *, void *),
                               bool restart);
moat_status moat_chain_check(int signo); /* Signal-safe: yes. */
moat_status moat_chain_remove(int signo);

/* Passes a signal to the previous handler, or lets the default action happen.
 * Signal-safe: yes. */
void moat_chain_call(int signo, siginfo_t *info, void *ucontext);

/* Lets the default action happen, whatever handlers the host has. Signal-safe:
 * yes. */
void moat_chain_default(int signo, siginfo_t *info, void *ucontext);

#endif
