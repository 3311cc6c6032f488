/*
 * options.c: extensible structs, copied and checked.
 *
 * The rule is that of clone3(2): a caller that knows more fields than we do may
 * leave them zero; one that knows fewer gets zeros for the rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "engine/internal.h"

/* No struct of ours will ever be larger; a size beyond it is garbage. */
#define MOST_BYTES ((size_t)4096)

static bool is_zero(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

moat_status moat_options_copy(void *to, size_t to_bytes, const void *from,
                              size_t least_bytes)
{
    size_t from_bytes;

    memcpy(&from_bytes, from, sizeof from_bytes);
    if (from_bytes < least_bytes || from_bytes > MOST_BYTES)
        return MOAT_E_INVAL;
    memset(to, 0, to_bytes);
    if (from_bytes <= to_bytes) {
        memcpy(to, from, from_bytes);
        return MOAT_OK;
    }
    memcpy(to, from, to_bytes);
    if (!is_zero((const unsigned char *)from + to_bytes, from_bytes - to_bytes))
        return MOAT_E_UNSUPPORTED;
    return MOAT_OK;
}

void moat_options_copy_out(void *to, const void *from, size_t from_bytes)
{
    size_t to_bytes, copied = from_bytes;

    /* A caller that did not set the size has at least the first version's
     * struct, which is the one in force. */
    memcpy(&to_bytes, to, sizeof to_bytes);
    if (to_bytes > sizeof to_bytes && to_bytes < from_bytes)
        copied = to_bytes;
    memcpy((char *)to + sizeof to_bytes, (const char *)from + sizeof to_bytes,
           copied - sizeof to_bytes);
    memcpy(to, &copied, sizeof copied);
}
