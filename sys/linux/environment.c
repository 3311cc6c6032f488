/*
 * environment.c: secure_getenv(3), and one of a table of words.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/environment.h"

#include <stdlib.h>
#include <string.h>

#include "sys/refusal.h"

const char *moat_environment_get(const char *variable)
{
    return secure_getenv(variable);
}

moat_status moat_environment_choose(const char *variable,
                                    const char *const *words, int *choice)
{
    const char *value = moat_environment_get(variable);

    *choice = 0;
    if (value == NULL || *value == '\0')
        return MOAT_OK;
    while (words[*choice] != NULL) {
        if (strcmp(value, words[*choice]) == 0)
            return MOAT_OK;
        ++*choice;
    }
    *choice = -1;
    return moat_refuse_choice(variable, words);
}
