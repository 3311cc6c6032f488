/*
 * plugin.c: a library with a thread-local of its own, for which the dynamic
 * linker allocates when a thread first touches it.
 *
 * SPDX-License-Identifier: MIT
 */
static __thread int numbers[2000];

int *plugin_numbers(void);

int *plugin_numbers(void)
{
    return numbers;
}
