/*
 * environment.h: choices that the environment may make where the host left them
 * open. It never makes one in a set-user-ID program.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_ENVIRONMENT_H
#define MOAT_SYS_ENVIRONMENT_H

#include <moat/status.h>

/* The variable's value, or NULL. */
const char *moat_environment_get(const char *variable);

/* Finds the variable's value in a table of words that NULL ends; *choice is its
 * index. A variable that is unset or empty means the first word. On
 * MOAT_E_INVAL the value is none of them, and *choice is -1. */
moat_status moat_environment_choose(const char *variable,
                                    const char *const *words, int *choice);

#endif
