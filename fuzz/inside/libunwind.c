/*
 * libunwind.c: libunwind as the second opinion on a step. It unwinds "remotely"
 * and reads memory by moat's peek, so that both see the same and a bad address
 * is an error to both.
 *
 * SPDX-License-Identifier: MIT
 */
#include <libunwind.h>
#include <string.h>

#include "rules.h"
#include "target.h"

/* Exported for authors of unwinders, but in no header. */
extern int _Ux86_64_dwarf_search_unwind_table(unw_addr_space_t as,
                                              unw_word_t ip,
                                              unw_dyn_info_t *info,
                                              unw_proc_info_t *out,
                                              int need_unwind_info, void *arg);

/* A jump in an expression may lead backwards for ever. */
#define MAX_LOADS 20000u

struct question {
    moat_regs regs;
    unsigned loads;
    bool guesses; /* it looks at the code: it has given up the rules */
};

/* The table that a section .eh_frame_hdr would have: one row. */
static int find_proc_info(unw_addr_space_t as, unw_word_t ip,
                          unw_proc_info_t *out, int need, void *arg)
{
    static struct {
        int32_t code, fde;
    } row;
    unw_dyn_info_t info;
    uintptr_t base = (uintptr_t)rules.bytes.begin;

    if (ip < rules.code || ip >= rules.code + RULES_CODE_BYTES)
        return -UNW_ENOINFO;
    row.code = (int32_t)(rules.code - base);
    row.fde = (int32_t)((uintptr_t)rules.fde - base);
    memset(&info, 0, sizeof info);
    info.start_ip = rules.code;
    info.end_ip = rules.code + RULES_CODE_BYTES;
    info.format = UNW_INFO_FORMAT_REMOTE_TABLE;
    info.u.rti.segbase = base;
    info.u.rti.table_data = (uintptr_t)&row;
    info.u.rti.table_len = sizeof row / sizeof(unw_word_t);
    return _Ux86_64_dwarf_search_unwind_table(as, ip, &info, out, need, arg);
}

static void put_unwind_info(unw_addr_space_t as, unw_proc_info_t *info,
                            void *arg)
{
    (void)as;
    (void)info;
    (void)arg;
}

static int find_dyn_list(unw_addr_space_t as, unw_word_t *out, void *arg)
{
    (void)as;
    (void)out;
    (void)arg;
    return -UNW_ENOINFO;
}

static int access_mem(unw_addr_space_t as, unw_word_t address,
                      unw_word_t *value, int write, void *arg)
{
    struct question *question = arg;
    uintptr_t word = 0;

    (void)as;
    if (address - rules.code + 64 < RULES_CODE_BYTES + 128)
        question->guesses = true;
    if (write || question->loads++ == MAX_LOADS ||
        !moat_arch_peek(address, &word))
        return -UNW_EINVAL;
    *value = word;
    return 0;
}

static int access_reg(unw_addr_space_t as, unw_regnum_t number,
                      unw_word_t *value, int write, void *arg)
{
    struct question *question = arg;

    (void)as;
    if (write || number < 0 || number >= MOAT_ARCH_DWARF_REGISTERS)
        return -UNW_EBADREG;
    *value = *moat_arch_dwarf_register(&question->regs, (unsigned)number);
    return 0;
}

static int access_fpreg(unw_addr_space_t as, unw_regnum_t number,
                        unw_fpreg_t *value, int write, void *arg)
{
    (void)as;
    (void)number;
    (void)value;
    (void)write;
    (void)arg;
    return -UNW_EBADREG;
}

static int resume(unw_addr_space_t as, unw_cursor_t *cursor, void *arg)
{
    (void)as;
    (void)cursor;
    (void)arg;
    return -UNW_EINVAL;
}

static int name_of(unw_addr_space_t as, unw_word_t address, char *buffer,
                   size_t size, unw_word_t *offset, void *arg)
{
    (void)as;
    (void)address;
    (void)buffer;
    (void)size;
    (void)offset;
    (void)arg;
    return -UNW_ENOINFO;
}

/* Without a cache: the rules change. */
static unw_addr_space_t address_space(void)
{
    static unw_accessors_t accessors = {
        find_proc_info, put_unwind_info, find_dyn_list, access_mem,
        access_reg,     access_fpreg,    resume,        name_of};
    static unw_addr_space_t made;

    if (made == NULL) {
        made = unw_create_addr_space(&accessors, 0);
        TARGET_CHECK(made != NULL);
        (void)unw_set_caching_policy(made, UNW_CACHE_NONE);
    }
    return made;
}

bool rules_ask_libunwind(const moat_regs *regs, moat_regs *out, uint32_t *known)
{
    struct question question = {*regs, 0, false};
    unw_cursor_t cursor;
    unw_word_t value;

    *known = 0;
    if (unw_init_remote(&cursor, address_space(), &question) != 0 ||
        unw_step(&cursor) <= 0 || question.guesses)
        return false;
    for (unsigned i = 0; i < MOAT_ARCH_DWARF_REGISTERS; i++) {
        if (unw_get_reg(&cursor, (unw_regnum_t)i, &value) != 0)
            continue;
        *known |= UINT32_C(1) << i;
        *moat_arch_dwarf_register(out, i) = value;
    }
    return true;
}
