/*
 * refusal.c: the reason of a refusal, noted and written out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/refusal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Not a byte more: programs that load several copies of the library late have
 * little room for thread-locals. */
static __thread struct {
    const char *sentence; /* NULL: there was none                            */
    uint64_t values[2];
    int16_t status, error; /* errno at the time                              */
    /* Of the sentence and the values. A handler may note another refusal in the
     * middle of this one, and so may another guest on this thread; values of
     * one that stand in the sentence of the other are not what it expects. */
    uint32_t sum;
} last __attribute__((tls_model("initial-exec")));

static uint32_t sum_of(const char *sentence, uint64_t first, uint64_t second)
{
    uint64_t sum = (uintptr_t)sentence + first * UINT64_C(0x9e3779b97f4a7c15) +
                   second * UINT64_C(0xd6e8feb86659fd93);

    return (uint32_t)(sum ^ sum >> 32);
}

/* --- noted ---------------------------------------------------------------- */

/* The C library's function for errno is bound here if it is bound at its first
 * call. The dynamic linker needs more stack for that than a refusal may take.
 */
void moat_refusal_prepare(void)
{
    last.error = (int16_t) * (volatile int *)&errno;
}

void moat_refusal_note(moat_status status, const char *sentence, uint64_t first,
                       uint64_t second)
{
    /* A handler that asks in between finds no sentence, none with values of
     * another one's. */
    last.sentence = NULL;
    atomic_signal_fence(memory_order_seq_cst);
    last.error = (int16_t)errno;
    last.status = (int16_t)status;
    last.values[0] = first;
    last.values[1] = second;
    last.sum = sum_of(sentence, first, second);
    atomic_signal_fence(memory_order_seq_cst);
    last.sentence = sentence;
}

moat_status moat_refuse_choice(const char *variable, const char *const *words)
{
    return moat_refuse_values(
        MOAT_E_INVAL, "the environment has %v: it must be %w",
        moat_refusal_text(variable), moat_refusal_text(words));
}

/* --- written -------------------------------------------------------------- */

/* Without stdio: a guest that holds its locks may be what the host asks about.
 */
struct line {
    char *at, *end; /* the last byte is for the terminator */
};

static void put_char(struct line *line, char c)
{
    if (line->at < line->end)
        *line->at++ = c;
}

static void put_text(struct line *line, const char *text)
{
    while (text != NULL && *text != '\0')
        put_char(line, *text++);
}

/* The environment is not the library's: nothing in it leaves the line. */
static void put_variable(struct line *line, const char *name)
{
    const char *text = secure_getenv(name);

    put_text(line, name);
    put_char(line, '=');
    for (; text != NULL && *text != '\0'; text++) {
        if (*text >= ' ' && *text <= '~')
            put_char(line, *text);
        else
            put_char(line, '?');
    }
}

static void put_number(struct line *line, uint64_t number, unsigned base)
{
    char digits[20];
    size_t count = 0;

    do {
        digits[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    while (count > 0)
        put_char(line, digits[--count]);
}

static void put_words(struct line *line, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        if (i > 0)
            put_text(line, words[i + 1] != NULL ? ", " : " or ");
        put_text(line, words[i]);
    }
}

static void put_error(struct line *line, int error)
{
    const char *name = strerrorname_np(error);

    if (name == NULL) {
        put_text(line, "errno ");
        put_number(line, (uint64_t)error, 10);
        return;
    }
    put_text(line, name);
    put_text(line, ", ");
    put_text(line, strerrordesc_np(error));
}

static void put_value(struct line *line, char form, uint64_t value)
{
    const void *text = (const void *)(uintptr_t)value;

    switch (form) {
    case 'd':
        if ((int64_t)value < 0)
            put_char(line, '-');
        put_number(line, (int64_t)value < 0 ? 0 - value : value, 10);
        break;
    case 'x':
        put_text(line, "0x");
        put_number(line, value, 16);
        break;
    case 's':
        put_text(line, text);
        break;
    case 'v':
        put_variable(line, text);
        break;
    case 'w':
        put_words(line, text);
        break;
    default:
        put_number(line, value, 10);
        break;
    }
}

moat_status moat_refusal_status(void)
{
    return (moat_status)last.status;
}

void moat_refusal_write(char *buffer, size_t size)
{
    struct line line;
    const char *sentence = last.sentence;
    const uint64_t values[2] = {last.values[0], last.values[1]};
    size_t next = 0;

    if (last.sum != sum_of(sentence, values[0], values[1]))
        sentence = NULL;
    line.at = buffer;
    line.end = buffer + size - 1;
    for (; sentence != NULL && *sentence != '\0'; sentence++) {
        if (*sentence != '%') {
            put_char(&line, *sentence);
        } else if (*++sentence == 'e') {
            put_error(&line, last.error);
        } else if (next < 2) {
            put_value(&line, *sentence, values[next++]);
        }
    }
    *line.at = '\0';
}
