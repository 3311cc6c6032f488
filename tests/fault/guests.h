/*
 * guests.h: creates, runs and judges the guests of a test, in one line each.
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

/* Creates a guest; ends the child if moat refuses. */
moat_co *guest_create(moat_entry entry);
moat_co *guest_create_on(moat_entry entry, size_t stack_bytes);
moat_co *guest_create_limited(moat_entry entry, uint64_t cpu_ns,
                              uint64_t wall_ns);

/* One with a total, so that no resume of it is inline. */
moat_co *guest_create_accounted(moat_entry entry);

/* Resumes a guest, which must be legal, and returns the event. */
moat_event guest_resume(moat_co *co, void *input);

/* Resumes a guest and expects a trap of the given kind. */
void guest_expect_trap(moat_co *co, void *input, moat_trap_kind kind);

/* Returns the text that moat_co_print_report or moat_co_write_json writes, to
 * be freed by the caller; NULL if this build cannot write it. */
char *guest_report(moat_status (*write_to)(const moat_co *, int),
                   const moat_co *co);

/* Entry functions. */
void *guest_write_null(moat_co *self, void *input);
void *guest_loop(moat_co *self, void *input);
void *guest_echo(moat_co *self, void *input);

/* A fault of the calling guest or host. */
void write_null(void);

uint64_t clock_ns(clockid_t clock);
void spin_until(uint64_t monotonic_ns);

/* Consumes the timer's signal with sigwait, so that moat does not receive it.
 * Returns false if the signal came earlier, or none came within two seconds. */
bool lose_deadline_signal(void);

/* Waits for a child process and returns its exit status, or 256 plus the signal
 * that killed it. */
int exit_status_of(int child);

#endif
