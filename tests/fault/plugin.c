/*
 * plugin.c: a library whose constructor calls the program back, while the
 * dynamic linker's lock is held.
 *
 * SPDX-License-Identifier: MIT
 */
void plugin_is_loading(void);

__attribute__((constructor)) static void load(void)
{
    plugin_is_loading();
}
