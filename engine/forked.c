/*
 * forked.c: children that guests fork.
 *
 * In the child the host would come back from moat_co_resume as well, and would
 * write the same database, the same output, a second time. So a border stands
 * for the resumer in the child: whichever way the guest leaves, the child ends
 * there. The switch does not know of this.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/forked.h"

#include <string.h>
#include <unistd.h>

#include "engine/coroutine.h"
#include "engine/host_call.h"
#include "sys/seal.h"

/* --- the message ---------------------------------------------------------- */

/* The guest may have been stopped inside malloc or stdio. */
struct line {
    char text[256];
    size_t length;
};

static void put(struct line *line, const char *text)
{
    size_t bytes = strlen(text);
    size_t room = sizeof line->text - 1 - line->length;

    if (bytes > room)
        bytes = room;
    memcpy(line->text + line->length, text, bytes);
    line->length += bytes;
}

static const char *reason(const struct co *co, uint64_t kind)
{
    switch (kind & ~(uint64_t)MOAT_SWITCH_SLOW) {
    case MOAT_EVENT_RETURN:
        return "its entry function returned";
    case MOAT_EVENT_PANIC:
        return "an exception left it";
    case MOAT_EVENT_TRAP:
        return moat_trap_kind_str(moat_trap_record_of(co)->kind);
    default:
        return "it yielded";
    }
}

static MOAT_NO_SANITIZE void reached(moat_co *handle, uint64_t kind)
{
    struct line line = {"", 0};

    put(&line, "moat: a forked child of the guest \"");
    put(&line, moat_co_name(handle));
    put(&line, "\" ends: ");
    put(&line, reason(co_of(handle), kind));
    put(&line, " (see MOAT_CO_FORK_RETURNS)");
    line.text[line.length++] = '\n';
    moat_uncancellable_begin();
    (void)!write(STDERR_FILENO, line.text, line.length);
    _exit(MOAT_FORK_EXIT_STATUS);
}

/* --- the border ----------------------------------------------------------- */

void moat_forked_close(void)
{
    struct co *co = moat_host_call_innermost();

    if (co == NULL || (co->traits & MOAT_CO_FORK_RETURNS) != 0 ||
        moat_arch_has_border(&co->control))
        return;
    cold_of(co)->border.reached = reached;
    moat_switch_set_border(&co->control, &cold_of(co)->border);
}
