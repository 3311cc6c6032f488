/*
 * output.c: composes answers and sends them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <moat/sched.h>

#include "output.h"

#define OUTPUT_BYTES 16384
/* Of a head. */
#define HEAD_BYTES 512

static char output[OUTPUT_BYTES];
static size_t used;

static char date[64]; /* a line of the head */
static size_t date_length;

/* ---- The head ---------------------------------------------------------------
 */

void output_set_date(void)
{
    time_t now = time(NULL);
    struct tm tm;

    (void)gmtime_r(&now, &tm);
    date_length =
        strftime(date, sizeof date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
}

static void put(const char *bytes, size_t length)
{
    memcpy(output + used, bytes, length);
    used += length;
}

static void put_text(const char *text)
{
    put(text, strlen(text));
}

static void put_number(size_t number)
{
    char digits[24];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    put(digits + at, sizeof digits - at);
}

static void put_status(int status)
{
    if (status == 200) {
        put_text("HTTP/1.1 200 OK\r\n");
        return;
    }
    put_text("HTTP/1.1 ");
    put_number((size_t)status);
    put_text(" ");
    put_text(reply_reason(status));
    put_text("\r\n");
}

static void put_head(const struct reply *reply, enum output_end end)
{
    put_status(reply->status);
    put(date, date_length);
    put_text("Content-Type: ");
    put_text(reply->type);
    put_text("\r\nContent-Length: ");
    put_number(reply->length);
    put_text("\r\n");
    if (reply->field != NULL)
        put_text(reply->field);
    if (end == OUTPUT_CLOSE)
        put_text("Connection: close\r\n");
    else if (end == OUTPUT_KEEP_OLD)
        put_text("Connection: keep-alive\r\n");
    put_text("\r\n");
}

/* ---- Sending
 * -----------------------------------------------------------------
 */

static void free_rest(char **rest)
{
    free(*rest);
}

/* The client does not keep up. The shared buffer is another's meanwhile. */
static bool send_rest(int fd, const char *bytes, size_t length,
                      uint64_t write_time)
{
    __attribute__((cleanup(free_rest))) char *rest = malloc(length);

    if (rest == NULL)
        return false;
    memcpy(rest, bytes, length);
    return moat_write(fd, rest, length, moat_now() + write_time) ==
           (ssize_t)length;
}

bool output_flush(int fd, uint64_t write_time)
{
    size_t length = used;
    ssize_t sent;

    if (length == 0)
        return true;
    used = 0;
    sent = send(fd, output, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        sent = 0; /* moat_write finds out why */
    return (size_t)sent == length ||
           send_rest(fd, output + sent, length - (size_t)sent, write_time);
}

void output_drop(void)
{
    used = 0;
}

bool output_reply(int fd, const struct reply *reply, enum output_end end,
                  bool body, uint64_t write_time)
{
    if (OUTPUT_BYTES - used < HEAD_BYTES && !output_flush(fd, write_time))
        return false;
    put_head(reply, end);
    if (!body || reply->length == 0)
        return true;
    if (reply->length <= OUTPUT_BYTES - used) {
        put(reply->body, reply->length);
        return true;
    }
    return output_flush(fd, write_time) &&
           moat_write(fd, reply->body, reply->length,
                      moat_now() + write_time) == (ssize_t)reply->length;
}

bool output_continue(int fd, uint64_t write_time)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

    if (OUTPUT_BYTES - used < HEAD_BYTES && !output_flush(fd, write_time))
        return false;
    put(text, sizeof text - 1);
    return output_flush(fd, write_time);
}
