/*
 * outline.c: the inline create and destroy as symbols, for foreign-function
 * interfaces. arch has those of the switch.
 *
 * The header's functions have other names in this file: clang takes a function
 * and a symbol of the same name for one.
 *
 * SPDX-License-Identifier: MIT
 */
#define moat_co_create      create_inline
#define moat_co_create_from create_from_inline
#define moat_co_destroy     destroy_inline
#include <moat/moat.h>
#undef moat_co_create
#undef moat_co_create_from
#undef moat_co_destroy

MOAT_API __typeof__(moat_co_create_slow) moat_co_create;
MOAT_API __typeof__(moat_co_create_from_slow) moat_co_create_from;
MOAT_API __typeof__(moat_co_destroy_slow) moat_co_destroy;

moat_status moat_co_create(moat_co **out, moat_entry entry,
                           const moat_co_options *options)
{
    return create_inline(out, entry, options);
}

moat_status moat_co_create_from(moat_co **out, moat_spec *spec,
                                moat_entry entry, void *user)
{
    return create_from_inline(out, spec, entry, user);
}

void moat_co_destroy(moat_co *co)
{
    destroy_inline(co);
}
