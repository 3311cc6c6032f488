/*
 * slices.c: GLib before 2.76 takes small blocks from slabs of its own, under a
 * lock of its own: a guest that is stopped there would leave it held. By its
 * setting it takes them from malloc instead, as tools that watch blocks ask it
 * to. It reads the setting when it is loaded; if the program itself is linked
 * with it, that is before this library is there.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

__attribute__((constructor)) static void ask_for_malloc(void)
{
    (void)setenv("G_SLICE", "always-malloc", 0);
}
