/*
 * reports.c: judges the form of reports.
 *
 * SPDX-License-Identifier: MIT
 */
#include "reports.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target.h"

#define MAX_BYTES ((size_t)4 << 20)

static char buffer[MAX_BYTES + 1];

/* The file is reused: a new one for each report would cost more than the
 * report. */
static int open_file(void)
{
    static int fd = -1;

    if (fd < 0)
        fd = memfd_create("report", MFD_CLOEXEC);
    TARGET_CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
    TARGET_CHECK(lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static size_t read_file(int fd)
{
    ssize_t size = pread(fd, buffer, MAX_BYTES, 0);

    TARGET_CHECK(size > 0 && (size_t)size < MAX_BYTES);
    buffer[size] = '\0';
    TARGET_CHECK(strlen(buffer) == (size_t)size);
    return (size_t)size;
}

/* The table of well-formed sequences: Unicode 15, table 3-7. */
unsigned reports_sequence(const char *text)
{
    static const struct {
        unsigned char first, last, low, high;
        unsigned length;
    } rows[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2},
        {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
        {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    const unsigned char *s = (const unsigned char *)text;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (s[0] < rows[i].first || s[0] > rows[i].last)
            continue;
        if (rows[i].length > 1 && (s[1] < rows[i].low || s[1] > rows[i].high))
            return 0;
        for (unsigned k = 2; k < rows[i].length; k++) {
            if ((s[k] & 0xc0) != 0x80)
                return 0;
        }
        return rows[i].length;
    }
    return 0;
}

/* C0, DEL, and C1, which terminals obey as well. */
static bool is_control(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    return s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
}

static void check(const char *text)
{
    for (unsigned length; *text != '\0'; text += length) {
        length = reports_sequence(text);
        if (length == 0)
            target_fail("a text is not UTF-8: byte %02x", (unsigned char)*text);
        if (is_control(text) && *text != '\n')
            target_fail("a control character in a text: byte %02x",
                        (unsigned char)*text);
    }
}

const char *reports_text(const moat_co *co)
{
    int fd = open_file();

    TARGET_CHECK(moat_co_print_report(co, fd) == MOAT_OK);
    (void)read_file(fd);
    check(buffer);
    return buffer;
}

json_t *reports_json(const moat_co *co)
{
    int fd = open_file();
    json_error_t error;
    json_t *report;
    size_t size;

    TARGET_CHECK(moat_co_write_json(co, fd) == MOAT_OK);
    size = read_file(fd);
    TARGET_CHECK(strchr(buffer, '\n') == buffer + size - 1);
    /* A script may count more frames than 63 bits. */
    report = json_loadb(
        buffer, size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    if (report == NULL)
        target_fail("JSON at %d: %s", error.position, error.text);
    return report;
}
