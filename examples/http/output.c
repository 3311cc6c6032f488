/*
 * output.c: composes answers and sends them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include <moat/sched.h>

#include "output.h"

/* Of a head. */
#define HEAD_BYTES 512

static char date[64]; /* a line of the head */
static size_t date_length;

/* ---- The head ------------------------------------------------------------ */

void output_set_date(void)
{
    time_t now = time(NULL);
    struct tm tm;

    (void)gmtime_r(&now, &tm);
    date_length =
        strftime(date, sizeof date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
}

/* Returns the end of what was put. */
static char *put(char *to, const char *bytes, size_t length)
{
    memcpy(to, bytes, length);
    return to + length;
}

static char *put_text(char *to, const char *text)
{
    return put(to, text, strlen(text));
}

static char *put_number(char *to, size_t number)
{
    char digits[24];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    return put(to, digits + at, sizeof digits - at);
}

static char *put_status(char *to, int status)
{
    if (status == 200)
        return put_text(to, "HTTP/1.1 200 OK\r\n");
    to = put_number(put_text(to, "HTTP/1.1 "), (size_t)status);
    to = put_text(put_text(to, " "), reply_reason(status));
    return put_text(to, "\r\n");
}

static char *put_head(char *to, const struct reply *reply, enum output_end end)
{
    to = put(put_status(to, reply->status), date, date_length);
    to = put_text(put_text(to, "Content-Type: "), reply->type);
    to = put_number(put_text(to, "\r\nContent-Length: "), reply->length);
    to = put_text(to, "\r\n");
    if (reply->field != NULL)
        to = put_text(to, reply->field);
    if (end == OUTPUT_CLOSE)
        to = put_text(to, "Connection: close\r\n");
    else if (end == OUTPUT_KEEP_OLD)
        to = put_text(to, "Connection: keep-alive\r\n");
    return put_text(to, "\r\n");
}

/* ---- The buffer ---------------------------------------------------------- */

void output_begin(struct output *output)
{
    output->length = output->sent = 0;
    output->body = NULL;
    output->body_length = 0;
}

bool output_is_full(const struct output *output)
{
    return output->body != NULL || OUTPUT_BYTES - output->length < HEAD_BYTES;
}

bool output_is_empty(const struct output *output)
{
    return output->length == 0;
}

/* A guest that is stopped here leaves nothing of the answer: the length is set
 * last. */
void output_put(struct output *output, const struct reply *reply,
                enum output_end end, bool has_body)
{
    char *at = put_head(output->bytes + output->length, reply, end);
    size_t room = (size_t)(output->bytes + OUTPUT_BYTES - at);

    if (has_body && reply->length <= room) {
        at = put(at, reply->body, reply->length);
    } else if (has_body) {
        output->body_length = reply->length;
        output->body = reply->body;
    }
    output->length = (size_t)(at - output->bytes);
}

void output_put_continue(struct output *output)
{
    output->length = (size_t)(put_text(output->bytes + output->length,
                                       "HTTP/1.1 100 Continue\r\n\r\n") -
                              output->bytes);
}

/* ---- Sending ------------------------------------------------------------- */

/* The parts that were not sent. */
static int parts_of(struct output *output, struct iovec parts[2])
{
    size_t sent = output->sent, skipped;
    int count = 0;

    if (sent < output->length)
        parts[count++] =
            (struct iovec){output->bytes + sent, output->length - sent};
    skipped = sent < output->length ? 0 : sent - output->length;
    if (output->body != NULL)
        parts[count++] =
            (struct iovec){(void *)(uintptr_t)(output->body + skipped),
                           output->body_length - skipped};
    return count;
}

static ssize_t send_parts(struct output *output, int fd)
{
    struct iovec parts[2];
    struct msghdr message = {.msg_iov = parts};
    int count = parts_of(output, parts);

    if (count == 1)
        return send(fd, parts[0].iov_base, parts[0].iov_len,
                    MSG_NOSIGNAL | MSG_DONTWAIT);
    message.msg_iovlen = (size_t)count;
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool output_send(struct output *output, int fd)
{
    ssize_t sent;

    if (output_is_empty(output))
        return true;
    sent = send_parts(output, fd);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR;
    output->sent += (size_t)sent;
    if (output->sent == output->length + output->body_length)
        output_begin(output);
    return true;
}

bool output_write(struct output *output, int fd, uint64_t deadline)
{
    struct iovec parts[2];
    int count = parts_of(output, parts);

    for (int i = 0; i < count; i++)
        if (moat_write(fd, parts[i].iov_base, parts[i].iov_len, deadline) < 0)
            return false;
    output_begin(output);
    return true;
}
