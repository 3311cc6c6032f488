/*
 * policy.c: the library's options, from the environment and from the program.
 *
 *   MOAT_MALLOC_QUOTA=256M    bytes, with K, M or G; 0: no heap is made
 *   MOAT_MALLOC_LIMIT=trap    or null
 *   MOAT_MALLOC_KEEP=16M      bytes, with K, M or G; 0: none
 *
 * SPDX-License-Identifier: MIT
 */
#include "malloc/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <moat/moat.h>

#include "malloc/next.h"
#include "malloc/roots.h"

#define MAX_QUOTA ((size_t)256 << 30)

moat_malloc_options moat_malloc_policy = MOAT_MALLOC_OPTIONS_INIT;

void *moat_malloc_refuse(void)
{
    if (moat_malloc_policy.at_limit == MOAT_MALLOC_TRAP)
        moat_trap_memory_limit();
    errno = ENOMEM;
    return NULL;
}

/* The struct has grown once. */
static bool is_a_version(size_t bytes)
{
    return bytes == sizeof(moat_malloc_options) ||
           bytes == offsetof(moat_malloc_options, keep_bytes);
}

moat_status moat_malloc_configure(const moat_malloc_options *options)
{
    moat_malloc_options policy;
    moat_status status;

    if (options == NULL)
        return moat_error_note(MOAT_E_INVAL, "options is NULL", 0, 0);
    if (!is_a_version(options->struct_size))
        return moat_error_note(MOAT_E_INVAL,
                               "options->struct_size is %u: it must be %u, as "
                               "MOAT_MALLOC_OPTIONS_INIT sets it",
                               options->struct_size, sizeof *options);
    if (options->quota_bytes > MAX_QUOTA)
        return moat_error_note(MOAT_E_INVAL,
                               "options->quota_bytes is %u: it must be at most "
                               "%u",
                               options->quota_bytes, MAX_QUOTA);
    if (options->at_limit != MOAT_MALLOC_TRAP &&
        options->at_limit != MOAT_MALLOC_NULL)
        return moat_error_note(MOAT_E_INVAL,
                               "options->at_limit is %u: it must be "
                               "MOAT_MALLOC_TRAP or _NULL",
                               options->at_limit, 0);
    policy = moat_malloc_policy;
    memcpy(&policy, options, options->struct_size);
    policy.struct_size = sizeof policy;
    status = moat_heap_keep(moat_malloc_roots, policy.keep_bytes);
    if (status == MOAT_OK)
        moat_malloc_policy = policy;
    return status;
}

/* Returns whether the text is a number of bytes. */
static bool read_quota(const char *text, size_t *bytes)
{
    static const char units[] = "KMG";
    const char *unit;
    unsigned shift = 0;

    if (*text < '0' || *text > '9')
        return false;
    for (*bytes = 0; *text >= '0' && *text <= '9'; text++) {
        *bytes = *bytes * 10 + (size_t)(*text - '0');
        if (*bytes > MAX_QUOTA)
            return false;
    }
    if (*text != '\0') {
        unit = strchr(units, *text);
        if (unit == NULL || text[1] != '\0')
            return false;
        shift = 10 * (unsigned)(unit - units + 1);
    }
    if (*bytes > MAX_QUOTA >> shift)
        return false;
    *bytes <<= shift;
    return true;
}

__attribute__((constructor)) static void read_environment(void)
{
    const char *quota = secure_getenv("MOAT_MALLOC_QUOTA");
    const char *limit = secure_getenv("MOAT_MALLOC_LIMIT");
    const char *keep = secure_getenv("MOAT_MALLOC_KEEP");

    if (keep != NULL && *keep != '\0' &&
        !read_quota(keep, &moat_malloc_policy.keep_bytes))
        moat_malloc_give_up("MOAT_MALLOC_KEEP must be a number of bytes, with "
                            "K, M or G, up to 256G");
    /* Where the system forbids it, nothing is kept. */
    (void)!moat_heap_keep(moat_malloc_roots, moat_malloc_policy.keep_bytes);
    if (quota != NULL && *quota != '\0' &&
        !read_quota(quota, &moat_malloc_policy.quota_bytes))
        moat_malloc_give_up("MOAT_MALLOC_QUOTA must be a number of bytes, with "
                            "K, M or G, up to 256G");
    if (limit == NULL || *limit == '\0')
        return;
    if (strcmp(limit, "null") == 0)
        moat_malloc_policy.at_limit = MOAT_MALLOC_NULL;
    else if (strcmp(limit, "trap") == 0)
        moat_malloc_policy.at_limit = MOAT_MALLOC_TRAP;
    else
        moat_malloc_give_up("MOAT_MALLOC_LIMIT must be trap or null");
}
