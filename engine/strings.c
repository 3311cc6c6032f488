/*
 * strings.c: names and texts from the public tables, and the version.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/moat.h>

#include "arch/syscalls.h"

#define CASE_NAME(name, number, text) \
    case name:                        \
        return #name;
#define CASE_TEXT(name, number, text) \
    case name:                        \
        return text;

const char *moat_version(void)
{
    return MOAT_VERSION_STRING;
}

const char *moat_status_name(moat_status status)
{
    switch (status) {
        MOAT_STATUS_MAP(CASE_NAME)
    default:
        return "MOAT_E_?";
    }
}

const char *moat_status_str(moat_status status)
{
    switch (status) {
        MOAT_STATUS_MAP(CASE_TEXT)
    default:
        return "a status that this version does not know";
    }
}

const char *moat_trap_kind_name(moat_trap_kind kind)
{
    switch (kind) {
        MOAT_TRAP_MAP(CASE_NAME)
    default:
        return "MOAT_TRAP_?";
    }
}

const char *moat_trap_kind_str(moat_trap_kind kind)
{
    switch (kind) {
        MOAT_TRAP_MAP(CASE_TEXT)
    case MOAT_TRAP_NONE:
        return "none";
    default:
        return "unknown trap";
    }
}

const char *moat_limit_name(moat_limit limit)
{
    switch (limit) {
        MOAT_LIMIT_MAP(CASE_NAME)
    case MOAT_LIMIT_NONE:
        return "MOAT_LIMIT_NONE";
    default:
        return "MOAT_LIMIT_?";
    }
}

const char *moat_limit_str(moat_limit limit)
{
    switch (limit) {
        MOAT_LIMIT_MAP(CASE_TEXT)
    case MOAT_LIMIT_NONE:
        return "none";
    default:
        return "unknown limit";
    }
}

const char *moat_co_state_str(moat_co_state state)
{
    switch (state) {
        MOAT_CO_STATE_MAP(CASE_TEXT)
    default:
        return "invalid";
    }
}

const char *moat_syscall_name(long number)
{
    return moat_arch_syscall_name(number);
}
