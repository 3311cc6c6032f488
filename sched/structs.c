/*
 * structs.c: structs of the public interface, copied and checked.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "sched/refuse.h"
#include "sched/structs.h"

/* No public struct will ever be larger. */
#define MAX_BYTES ((size_t)4 << 10)

moat_status moat_sched_copy_in(void *to, size_t size, const void *from,
                               size_t least)
{
    const unsigned char *bytes = from;
    size_t known;

    memcpy(&known, from, sizeof known);
    if (known < least || known > MAX_BYTES)
        return refuse_value(
            "options->struct_size is %u: set it to the struct's "
            "sizeof, as its _INIT macro does",
            known);
    for (size_t i = size; i < known; i++)
        if (bytes[i] != 0)
            return moat_error_note(MOAT_E_UNSUPPORTED,
                                   "options has a byte at offset %u, which "
                                   "this version does not know: it must be 0",
                                   i, 0);
    memset(to, 0, size);
    memcpy(to, from, known < size ? known : size);
    return MOAT_OK;
}

moat_status moat_sched_copy_out(void *to, const void *from, size_t size,
                                size_t least)
{
    size_t room, filled;

    memcpy(&room, to, sizeof room);
    if (room < least || room > MAX_BYTES)
        return refuse_value("out->struct_size is %u: set it to the struct's "
                            "sizeof, as its _INIT macro does",
                            room);
    filled = room < size ? room : size;
    memset(to, 0, room);
    memcpy(to, from, filled);
    memcpy(to, &filled, sizeof filled);
    return MOAT_OK;
}
