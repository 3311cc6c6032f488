/*
 * zlib.c: zlib, which writes what it decodes to a bad buffer, or reads
 * beyond its input. One case per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/mman.h>
#include <zlib.h>

#include "hcase.h"

const char *hcase_name = NAME;

#if defined CASE_inflate
static unsigned char packed[4096];
static uLong packed_bytes = sizeof packed;

int hcase_setup(long n)
{
    static unsigned char plain[60000];

    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (unsigned char)(i % 251 + (size_t)n);
    return compress(packed, &packed_bytes, plain, sizeof plain) != Z_OK;
}

/* Never accessible; volatile, for the compiler warns of what it knows. */
static unsigned char *volatile bad = (unsigned char *)0x10;

int hcase_run(void)
{
    z_stream stream = {.next_in = packed, .avail_in = (uInt)packed_bytes};

    if (inflateInit(&stream) != Z_OK)
        return 2;
    stream.next_out = bad;
    stream.avail_out = 60000;
    (void)inflate(&stream, Z_FINISH);
    return inflateEnd(&stream) != Z_OK;
}
#elif defined CASE_deflate
#    define EDGE_BYTES 65536

static unsigned char *edge;

int hcase_setup(long n)
{
    void *made = mmap(NULL, (size_t)2 * EDGE_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (made == MAP_FAILED)
        return 1;
    edge = made;
    for (size_t i = 0; i < EDGE_BYTES; i++)
        edge[i] = (unsigned char)(i % 251 + (size_t)n);
    return mprotect(edge + EDGE_BYTES, EDGE_BYTES, PROT_NONE) != 0;
}

/* What it reads ends at inaccessible memory. */
int hcase_run(void)
{
    z_stream stream = {.next_in = edge, .avail_in = 3 * EDGE_BYTES};
    static unsigned char out[1 << 16];

    if (deflateInit(&stream, 9) != Z_OK)
        return 2;
    stream.next_out = out;
    stream.avail_out = sizeof out;
    (void)deflate(&stream, Z_FINISH);
    return deflateEnd(&stream) != Z_OK;
}
#endif
