/*
 * debug.c: the table for debuggers. docs/debugging.md lists its entries.
 *
 * It is constant, and the library itself never uses it: it costs nothing, and a
 * debugger can read it in a process that is stopped at any instruction.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/debug.h>

#include "arch/arch.h"
#include "engine/copied.h"
#include "engine/coroutine.h"
#include "stack/lent.h"

/* clang-format off */
#define NUMBER(label, what)  {label, {.number = (what)}}
#define ADDRESS(label, what) {label, {.address = (what)}}
/* clang-format on */

#define ARENA(field)  NUMBER("arena." #field, offsetof(struct moat_arena, field))
#define RECORD(field) NUMBER("co." #field, offsetof(struct moat_co, field))
#define ENTRY(field)  RECORD(field),
#define SLOT(field)   NUMBER("co." #field, offsetof(struct co, slot.field))
#define CO(field)     NUMBER("co." #field, offsetof(struct co, field))
#define TRAP(field)   NUMBER("trap." #field, offsetof(struct co_cold, trap.field))

/* Texts by number; numbers without one have NULL. */
#define TEXT(name, number, text) [number] = (text),
static const char *const state_texts[] = {MOAT_CO_STATE_MAP(TEXT)};
static const char *const trap_texts[] = {MOAT_TRAP_MAP(TEXT)};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Debuggers read these fields as words of eight bytes or of four, or as a
 * byte. */
#define WIDTH(type, field, bytes)                         \
    _Static_assert(sizeof(((type *)0)->field) == (bytes), \
                   #field ": debuggers read another width");
WIDTH(struct moat_arena, taken, 8)
WIDTH(struct moat_co, state, 8)
WIDTH(struct moat_co, flags, 2)
WIDTH(struct co, notrap, 4)
WIDTH(struct moat_trap_record, kind, 4)
WIDTH(struct moat_trap_record, access, 4)
WIDTH(struct moat_trap_record, region, 4)
WIDTH(struct moat_trap_record, address, 8)
WIDTH(struct moat_trap_record, in_host_call, 1)

const struct moat_debug_entry moat_debug[] = {
    NUMBER("version", MOAT_DEBUG_VERSION),
    ADDRESS("arenas", &moat_arenas),
    ADDRESS("lents", &moat_lents),
    ADDRESS("root_start", moat_root_start),
    ADDRESS("root_return", moat_root_return),
    ADDRESS("call_return", moat_arch_call_on_return),

    ARENA(next),
    ARENA(entries),
    ARENA(cold),
    ARENA(slots),
    ARENA(slots_end),
    ARENA(capacity),
    ARENA(taken),
    NUMBER("entry.bytes", CO_ENTRY_BYTES),
    NUMBER("cold.bytes", CO_COLD_BYTES),
    NUMBER("root.bytes", MOAT_ARCH_FIRST_FRAME_BYTES),

    RECORD(resumer_fp),
    RECORD(resumer_pc),
    RECORD(resumer_sp),
    RECORD(fp),
    RECORD(pc),
    RECORD(sp),
    RECORD(state),
    RECORD(token),
    RECORD(resumer),
    RECORD(entry),
    RECORD(flags),
    /* clang-format off */
    MOAT_ARCH_RECORD_MAP(ENTRY)
    /* clang-format on */
    SLOT(base),
    SLOT(limit),
    SLOT(guard),
    CO(name),
    RECORD(user),
    NUMBER("co.notrap", offsetof(struct co, notrap)),

    NUMBER("flag.away", CO_AWAY),
    NUMBER("mark.running", MOAT_MARK_RUNNING),
    NUMBER("mark.timed", MOAT_MARK_TIMED),
    NUMBER("mark.done", MOAT_MARK_DONE),
    NUMBER("mark.trapped", MOAT_MARK_TRAPPED),
    NUMBER("mark.free", MOAT_MARK_FREE),

    TRAP(regs),
    TRAP(kind),
    TRAP(signo),
    TRAP(code),
    TRAP(access),
    TRAP(region),
    TRAP(user_code),
    TRAP(address),
    TRAP(in_host_call),

    ADDRESS("state.texts", state_texts),
    NUMBER("state.count", COUNT(state_texts)),
    ADDRESS("trap.texts", trap_texts),
    NUMBER("trap.count", COUNT(trap_texts)),
    NUMBER("", 0),
};
