/*
 * options.c: extensible structs, copied and checked.
 *
 * The rule is that of clone3(2): a caller that knows more fields than this
 * library must leave them zero; one that knows fewer gets zeros for the rest.
 * In a result the fields that this library does not know are zero, and those
 * that the caller does not know are left out. Without a size the library could
 * only guess how much of the caller's memory is the struct, so 0 is no size.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/options.h"

#include <stdbool.h>
#include <string.h>

#include "sys/refusal.h"

/* No public struct will ever be larger; a larger size is garbage. */
#define MAX_BYTES ((size_t)4 << 10)

static bool is_zero(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

moat_status moat_options_copy(const char *name, void *to, size_t to_bytes,
                              const void *from, size_t min_bytes)
{
    size_t from_bytes;

    memcpy(&from_bytes, from, sizeof from_bytes);
    if (from_bytes < min_bytes || from_bytes > MAX_BYTES)
        return moat_refuse_values(MOAT_E_INVAL,
                                  "%s->struct_size is %u: set it to the "
                                  "struct's sizeof, as its _INIT macro does",
                                  moat_refusal_text(name), from_bytes);
    memset(to, 0, to_bytes);
    if (from_bytes <= to_bytes) {
        memcpy(to, from, from_bytes);
        return MOAT_OK;
    }
    memcpy(to, from, to_bytes);
    if (!is_zero((const unsigned char *)from + to_bytes, from_bytes - to_bytes))
        return moat_refuse_values(MOAT_E_UNSUPPORTED,
                                  "%s has fields after the first %u bytes, "
                                  "which this version does not know: they must "
                                  "be 0",
                                  moat_refusal_text(name), to_bytes);
    return MOAT_OK;
}

moat_status moat_options_check_out(const void *to, size_t min_bytes)
{
    size_t to_bytes;

    memcpy(&to_bytes, to, sizeof to_bytes);
    if (to_bytes < min_bytes || to_bytes > MAX_BYTES)
        return moat_refuse_values(MOAT_E_INVAL,
                                  "out->struct_size is %u: set it to the "
                                  "struct's sizeof, as its _INIT macro does",
                                  to_bytes, 0);
    return MOAT_OK;
}

void moat_options_copy_out(void *to, const void *from, size_t from_bytes)
{
    size_t to_bytes, filled;

    memcpy(&to_bytes, to, sizeof to_bytes);
    filled = to_bytes < from_bytes ? to_bytes : from_bytes;
    memcpy(to, from, filled);
    memset((char *)to + filled, 0, to_bytes - filled);
    memcpy(to, &filled, sizeof filled);
}
