/*
 * structs.c: structs of the public interface, copied and checked.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

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
        return MOAT_E_INVAL;
    for (size_t i = size; i < known; i++)
        if (bytes[i] != 0)
            return MOAT_E_UNSUPPORTED;
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
        return MOAT_E_INVAL;
    filled = room < size ? room : size;
    memset(to, 0, room);
    memcpy(to, from, filled);
    memcpy(to, &filled, sizeof filled);
    return MOAT_OK;
}
