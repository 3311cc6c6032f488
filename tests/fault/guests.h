/*
 * guests.h: making, running and judging the guests of a test, in one line each.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FAULT_GUESTS_H
#define TESTS_FAULT_GUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <moat/moat.h>

#define MS UINT64_C(1000000)

/* Each ends the child if moat refuses. */
moat_co *guest_create(moat_entry entry);
moat_co *guest_create_on(moat_entry entry, size_t stack_bytes);
moat_co *guest_create_limited(moat_entry entry, uint64_t cpu_ns,
                              uint64_t wall_ns);

/* Resumes it, which must be legal, and tells what came of it. */
moat_event guest_resume(moat_co *co, void *input);

/* Resumes it and expects a trap of that kind. */
void guest_expect_trap(moat_co *co, void *input, moat_trap_kind kind);

/* What moat_co_print_report or moat_co_write_json writes, for free(); NULL if
 * this build cannot. */
char *guest_report(moat_status (*write_to)(const moat_co *, int),
                   const moat_co *co);

/* Entry functions. */
void *guest_write_null(moat_co *self, void *input);
void *guest_loop(moat_co *self, void *input);
void *guest_echo(moat_co *self, void *input);

/* A fault of whoever calls it. */
void write_null(void);

uint64_t clock_ns(clockid_t clock);
void spin_until(uint64_t monotonic_ns);

/* The timer's signal is taken by somebody else, as sigwait does. False: it came
 * before, or there is none within two seconds. */
bool lose_deadline_signal(void);

/* Waits for a child process and gives its exit status; 256 and more: the
 * signal that killed it. */
int exit_status_of(int child);

#endif
