/*
 * refusal.h: why the thread's last refused call was refused.
 *
 * What refuses a call notes a sentence and the values in it; the sentence is
 * put together only if the host asks (moat_error_detail). So a refusal costs
 * some stores, and is possible where there is hardly any stack.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_REFUSAL_H
#define MOAT_SYS_REFUSAL_H

#include <stddef.h>
#include <stdint.h>

#include <moat/status.h>

/* Must be called once before the first note. Signal-safe: no. */
void moat_refusal_prepare(void);

/* Notes a reason; the others also return the status. errno stays as it is. The
 * sentence and the texts among the values are static. In the sentence stand for
 * the next value: %u a number, %d one with a sign, %x an address, %s a text, %v
 * the name of a variable and what the environment has for it, %w a table of
 * words that NULL ends. %e is errno and takes none. Signal-safe: yes. */
void moat_refusal_note(moat_status status, const char *sentence, uint64_t first,
                       uint64_t second);

static inline moat_status moat_refuse_values(moat_status status,
                                             const char *sentence,
                                             uint64_t first, uint64_t second)
{
    moat_refusal_note(status, sentence, first, second);
    return status;
}

static inline moat_status
moat_refuse_value(moat_status status, const char *sentence, uint64_t value)
{
    return moat_refuse_values(status, sentence, value, 0);
}

static inline moat_status moat_refuse(moat_status status, const char *sentence)
{
    return moat_refuse_values(status, sentence, 0, 0);
}

/* For a value that is a text. */
static inline uint64_t moat_refusal_text(const void *text)
{
    return (uint64_t)(uintptr_t)text;
}

/* MOAT_E_SYSTEM: errno is that of the function that has failed. */
static inline moat_status moat_refuse_errno(const char *function)
{
    return moat_refuse_value(MOAT_E_SYSTEM, "%s has failed: %e",
                             moat_refusal_text(function));
}

/* MOAT_E_INVAL: the environment has none of the words for a variable. */
moat_status moat_refuse_choice(const char *variable, const char *const *words);

/* The status of the last one; MOAT_OK: there was none. */
moat_status moat_refusal_status(void);

/* Writes the sentence; "" if there was none. Always terminated, truncated if
 * too small. */
void moat_refusal_write(char *buffer, size_t size);

#endif
