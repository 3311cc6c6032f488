/*
 * fault.c: the trap record as plain data.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engine/internal.h"
#include "stack/size.h"

/* The code at pc may be gone or never have been: the kernel reads it for us
 * (process_vm_readv(2)), up to the end of the page that the second half may lie
 * behind. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the kernel writes to it */
static unsigned read_code(uintptr_t pc, unsigned char *out, size_t size)
{
    size_t on_page = MOAT_PAGE_BYTES - pc % MOAT_PAGE_BYTES;
    size_t first = size < on_page ? size : on_page;
    struct iovec local = {out, size};
    struct iovec remote[2] = {{(void *)pc, first},
                              {(void *)(pc + first), size - first}};
    ssize_t got = process_vm_readv(getpid(), &local, 1, remote, 2, 0);

    return got > 0 ? (unsigned)got : 0;
}

static size_t stack_used(const struct moat_slot *slot, uintptr_t sp)
{
    if (sp >= slot->limit && sp <= slot->base)
        return slot->base - sp;
    return slot->base - slot->limit;
}

void moat_fault_describe(const struct co *co, moat_trap_info *out)
{
    const struct moat_trap_record *record =
        moat_trap_record_of(&co->activation);
    moat_trap_info info;

    memset(&info, 0, sizeof info);
    info.kind = record->kind;
    info.signo = record->signo;
    info.code = record->code;
    info.access = record->access;
    info.address = record->address;
    info.pc = record->regs.pc;
    info.sp = record->regs.sp;
    info.fp = record->regs.fp;
    info.stack_used = stack_used(&co->activation.slot, record->regs.sp);
    info.byte_count = read_code(info.pc, info.bytes, sizeof info.bytes);
    info.regs = &record->regs;
    info.user_code = record->user_code;
    info.region = record->region;
    moat_options_copy_out(out, &info, sizeof info);
}

moat_status moat_co_trap_info(const moat_co *handle, moat_trap_info *out)
{
    if (handle == NULL || out == NULL)
        return MOAT_E_INVAL;
    if (handle->state != MOAT_MARK_TRAPPED)
        return MOAT_E_STATE;
    moat_fault_describe(co_of(handle), out);
    return MOAT_OK;
}
