/*
 * trap_info.c: the trap record as plain data; traps that a guest raises.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/trap_info.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "engine/options.h"
#include "engine/state.h"
#include "heap/region.h"
#include "sys/filter.h"
#include "sys/memory.h"
#include "sys/refusal.h"
#include "sys/size.h"
#include "trap/recovery.h"

/* The struct as it was first: later fields were appended. */
#define OLDEST_BYTES offsetof(moat_trap_info, user_code)

/* There may be no code at pc. It is read in two parts, of which the second
 * begins with the next page and may be missing. */
static unsigned read_code(uintptr_t pc, unsigned char *out, size_t size)
{
    size_t on_page = moat_page_of(pc) + moat_page_bytes() - pc;
    size_t first = size < on_page ? size : on_page;
    const struct moat_memory_part parts[2] = {{pc, first},
                                              {pc + first, size - first}};
    size_t copied;

    (void)moat_memory_read(parts, 2, out, &copied);
    return (unsigned)copied;
}

bool moat_trapped_regs(const struct co *co, moat_regs *out)
{
    const struct moat_trap_record *record = moat_trap_record_of(co);

    *out = record->regs;
    if (!record->in_host_call)
        return true;
    memset(out, 0, sizeof *out);
    out->pc = (uintptr_t)moat_arch_call_on_return;
    out->sp = out->fp = co->control.sp;
    return false;
}

moat_status moat_trap_info_check(const moat_trap_info *out)
{
    return moat_options_check_out(out, OLDEST_BYTES);
}

/* The quota is the engine's own record. The peak lies in the heap, where the
 * guest may have overwritten it. */
static void describe_memory(const struct co *co, moat_trap_info *info)
{
    const moat_heap *heap = moat_co_heap(handle_of(co));

    info->limit = MOAT_LIMIT_MEMORY;
    if (heap == NULL)
        return;
    info->limit_asked = moat_heap_region_quota(heap);
    info->limit_used = moat_heap_peak(heap);
}

static void describe_call(const struct moat_trap_record *record,
                          moat_trap_info *info)
{
    info->syscall_number = record->call;
    memcpy(info->syscall_args, record->call_args, sizeof record->call_args);
    info->syscall_is_foreign = record->call_is_foreign;
}

void moat_trap_describe(const struct co *co, moat_trap_info *out)
{
    const struct moat_trap_record *record = moat_trap_record_of(co);
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
    info.stack_used = moat_stack_used(&co->slot, moat_trapped_sp(co));
    info.byte_count = read_code(info.pc, info.bytes, sizeof info.bytes);
    info.regs = &record->regs;
    info.user_code = record->user_code;
    info.region = record->region;
    info.limit = record->passed.limit;
    info.limit_asked = record->passed.asked;
    info.limit_used = record->passed.used;
    info.in_host_call = record->in_host_call;
    if (record->kind == MOAT_TRAP_SYSCALL)
        describe_call(record, &info);
    if (record->kind == MOAT_TRAP_MEMORY_LIMIT)
        describe_memory(co, &info);
    moat_options_copy_out(out, &info, sizeof info);
}

moat_status moat_co_trap_info(const moat_co *handle, moat_trap_info *out)
{
    moat_status status;

    if (handle == NULL || out == NULL)
        return moat_refuse(MOAT_E_INVAL,
                           handle == NULL ? "co is NULL" : "out is NULL");
    status = moat_trap_info_check(out);
    if (status != MOAT_OK)
        return status;
    if (handle->state != MOAT_MARK_TRAPPED)
        return MOAT_E_STATE;
    moat_trap_describe(co_of(handle), out);
    return MOAT_OK;
}

/* A backtrace shows the public function alone. */
__attribute__((always_inline)) static inline MOAT_NORETURN void
raise_trap(moat_trap_kind kind, int user_code)
{
    struct co *co = moat_running();

    /* A bug of the host's: there is no resumer that could get the trap. */
    if (co != NULL)
        moat_recovery_settle(co, (uintptr_t)__builtin_frame_address(0));
    (void)moat_filter_pause();
    if (co == NULL || kind == MOAT_TRAP_NONE || !moat_trap_possible(co))
        abort();
    moat_trap_now(co, kind, user_code);
}

void moat_trap_raise_as(moat_trap_kind kind, int user_code)
{
    raise_trap(kind, user_code);
}

void moat_trap_raise(int user_code)
{
    raise_trap(MOAT_TRAP_RAISED, user_code);
}

/* A guest is not stopped in moat's own code either. */
void moat_trap_memory_limit(void)
{
    struct co *co = moat_running();

    if (co == NULL || co->nointr != 0 ||
        recovery_of(co) != MOAT_CO_RECOVER_ANYWHERE)
        return;
    moat_recovery_settle(co, (uintptr_t)__builtin_frame_address(0));
    if (!moat_trap_possible(co))
        return;
    (void)moat_filter_pause();
    moat_trap_now(co, MOAT_TRAP_MEMORY_LIMIT, 0);
}
