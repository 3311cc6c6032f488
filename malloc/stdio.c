/*
 * stdio.c: functions of streams with a fixed list of arguments.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <moat/moat.h>

#include "malloc/wrap.h"

/* Those of fortified programs (-D_FORTIFY_SOURCE), which no header declares. */
char *__fgets_chk(char *text, size_t size, int count, FILE *stream);
size_t __fread_chk(void *memory, size_t room, size_t size, size_t count,
                   FILE *stream);

/* Names that programs have by older headers. */
#undef _IO_getc
#undef _IO_putc
int _IO_getc(FILE *stream);
int _IO_putc(int byte, FILE *stream);

/* clang-format off */

WRAP_2(FILE *, fopen, NULL_OR(TEXT, a); TEXT(b), const char *, const char *)
WRAP_2(FILE *, fopen64, NULL_OR(TEXT, a); TEXT(b), const char *, const char *)
WRAP_2(FILE *, fdopen, TEXT(b), int, const char *)
WRAP_3(FILE *, freopen, CLOSES(c), const char *, const char *, FILE *)
WRAP_3(FILE *, freopen64, CLOSES(c), const char *, const char *, FILE *)
WRAP_0(int, fcloseall, NOTHING)
WRAP_0(FILE *, tmpfile, NOTHING)
WRAP_0(FILE *, tmpfile64, NOTHING)
WRAP_2(FILE *, popen, NULL_OR(TEXT, a); TEXT(b), const char *, const char *)
WRAP_1(int, pclose, CLOSES(a), FILE *)

WRAP_4(size_t, fread, STREAM(d), void *, size_t, size_t, FILE *)
WRAP_5(size_t, __fread_chk, STREAM(e), void *, size_t, size_t, size_t, FILE *)
WRAP_4(size_t, fwrite, STREAM(d), const void *, size_t, size_t, FILE *)
WRAP_3(char *, fgets, STREAM(c), char *, int, FILE *)
WRAP_4(char *, __fgets_chk, STREAM(d), char *, size_t, int, FILE *)
WRAP_2(int, fputs, STREAM(b), const char *, FILE *)
WRAP_1(int, puts, STREAM(stdout), const char *)
WRAP_1(int, getc, STREAM(a), FILE *)
WRAP_1(int, fgetc, STREAM(a), FILE *)
WRAP_0(int, getchar, STREAM(stdin))
WRAP_2(int, putc, STREAM(b), int, FILE *)
WRAP_2(int, fputc, STREAM(b), int, FILE *)
WRAP_1(int, putchar, STREAM(stdout), int)
WRAP_2(int, ungetc, STREAM(b), int, FILE *)
WRAP_1(int, _IO_getc, STREAM(a), FILE *)
WRAP_2(int, _IO_putc, STREAM(b), int, FILE *)
WRAP_1(int, getw, STREAM(a), FILE *)
WRAP_2(int, putw, STREAM(b), int, FILE *)

WRAP_3(int, fseek, STREAM(a), FILE *, long, int)
WRAP_3(int, fseeko, STREAM(a), FILE *, off_t, int)
WRAP_3(int, fseeko64, STREAM(a), FILE *, off64_t, int)
WRAP_1(long, ftell, STREAM(a), FILE *)
WRAP_1(off_t, ftello, STREAM(a), FILE *)
WRAP_1(off64_t, ftello64, STREAM(a), FILE *)
WRAPV_1(rewind, STREAM(a), FILE *)
WRAP_2(int, fgetpos, STREAM(a), FILE *, fpos_t *)
WRAP_2(int, fgetpos64, STREAM(a), FILE *, fpos64_t *)
WRAP_2(int, fsetpos, STREAM(a), FILE *, const fpos_t *)
WRAP_2(int, fsetpos64, STREAM(a), FILE *, const fpos64_t *)
WRAPV_1(setlinebuf, STREAM(a), FILE *)

WRAPV_1(perror, STREAM(stderr); NULL_OR(TEXT, a), const char *)
WRAPV_2(psignal, STREAM(stderr); NULL_OR(TEXT, b), int, const char *)
WRAPV_2(psiginfo, STREAM(stderr); IN(a); NULL_OR(TEXT, b),
        const siginfo_t *, const char *)

/* clang-format on */

/* --- buffers ---------------------------------------------------------------
 *
 * A stream outlives the guest, so it does not get the guest's memory: the C
 * library makes a buffer of that kind itself. */

struct setvbuf_call {
    struct moat_libc_call call;
    FILE *stream;
    char *buffer;
    int mode;
    size_t bytes;
    int out;
};

static void setvbuf_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"setvbuf", NULL};
    struct setvbuf_call *each = (struct setvbuf_call *)call;
    int (*function)(FILE *, char *, int, size_t);

    moat_real_get(&real, &function);
    each->out = function(each->stream, each->buffer, each->mode, each->bytes);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): as <stdio.h> has it */
MOAT_API int setvbuf(FILE *stream, char *buffer, int mode, size_t bytes)
{
    struct setvbuf_call each = {
        {.run = setvbuf_run, .stream = stream}, stream, buffer, mode, bytes, 0};

    if (!moat_malloc_on_host())
        each.buffer = NULL;
    moat_libc_call(&each.call);
    return each.out;
}

MOAT_API void setbuffer(FILE *stream, char *buffer, size_t bytes)
{
    (void)setvbuf(stream, buffer, buffer != NULL ? _IOFBF : _IONBF, bytes);
}

MOAT_API void setbuf(FILE *stream, char *buffer)
{
    setbuffer(stream, buffer, BUFSIZ);
}

/* --- lines -----------------------------------------------------------------
 *
 * The memory that a line grows into is the guest's, and grows on the guest's
 * stack: it may end the guest, which then leaves no memory of the host's. The
 * stream is locked meanwhile; guest_streams.c unlocks it. */

struct getdelim_call {
    struct moat_libc_call call;
    char **line;
    size_t *room;
    int delimiter;
    FILE *stream;
    ssize_t out;
};

static void getdelim_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"getdelim", NULL};
    struct getdelim_call *each = (struct getdelim_call *)call;
    ssize_t (*function)(char **, size_t *, int, FILE *);

    moat_real_get(&real, &function);
    each->out = function(each->line, each->room, each->delimiter, each->stream);
}

struct fill_call {
    struct moat_libc_call call;
    FILE *stream;
    int delimiter;
    char *line;
    size_t bytes, room; /* read, and room with the byte that ends a text */
    bool ended;
};

static void fill_run(struct moat_libc_call *call)
{
    struct fill_call *each = (struct fill_call *)call;
    int byte;

    each->ended = ferror_unlocked(each->stream) != 0;
    while (!each->ended && each->bytes + 1 < each->room) {
        byte = __getc_unlocked_body(each->stream);
        if (byte != EOF)
            each->line[each->bytes++] = (char)byte;
        each->ended = byte == EOF || byte == each->delimiter;
    }
}

/* As much as the C library takes first. */
#define FIRST_ROOM ((size_t)120)

/* Makes room for more of the line. */
static bool grow(char **line, size_t *room)
{
    size_t more = *room < FIRST_ROOM ? FIRST_ROOM : 2 * *room;
    char *grown;

    if (more > SSIZE_MAX) {
        errno = EOVERFLOW;
        return false;
    }
    grown = realloc(*line, more);
    if (grown == NULL)
        return false;
    *line = grown;
    *room = more;
    return true;
}

static ssize_t read_line(struct fill_call *each, char **line, size_t *room)
{
    if (*line == NULL)
        *room = 0;
    do {
        if (each->bytes + 1 >= *room && !grow(line, room))
            return -1;
        each->line = *line;
        each->room = *room;
        moat_libc_call(&each->call);
    } while (!each->ended);
    each->line[each->bytes] = '\0';
    return each->bytes != 0 ? (ssize_t)each->bytes : -1;
}

static ssize_t getdelim_for_guest(char **line, size_t *room, int delimiter,
                                  FILE *stream)
{
    struct fill_call each = {.call = {.run = fill_run, .stream = stream},
                             .stream = stream,
                             .delimiter = delimiter};
    ssize_t result;

    if (line == NULL || room == NULL) {
        errno = EINVAL;
        return -1;
    }
    moat_touch_out(line, sizeof *line);
    moat_touch_out(room, sizeof *room);
    flockfile(stream);
    result = read_line(&each, line, room);
    funlockfile(stream);
    return result;
}

MOAT_API ssize_t getdelim(char **line, size_t *room, int delimiter,
                          FILE *stream)
{
    struct getdelim_call each = {
        {.run = getdelim_run}, line, room, delimiter, stream, 0};

    if (!moat_malloc_on_host())
        return getdelim_for_guest(line, room, delimiter, stream);
    moat_libc_call(&each.call);
    return each.out;
}

/* The headers' getline calls it by this name. */
MOAT_API ssize_t __getdelim(char **line, size_t *room, int delimiter,
                            FILE *stream)
{
    return getdelim(line, room, delimiter, stream);
}

MOAT_API ssize_t getline(char **line, size_t *room, FILE *stream)
{
    return getdelim(line, room, '\n', stream);
}
