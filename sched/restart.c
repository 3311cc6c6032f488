/*
 * restart.c: what follows when a child of a supervisor has ended.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "sched/supervisor.h"
#include "sched/text.h"

/* ---- Intensity ---------------------------------------------------------- */

/* Counts a restart. False: there were too many within the period. */
static bool may_restart(struct restarts *restarts,
                        const moat_supervisor_options *options, uint64_t now)
{
    unsigned next;

    if (restarts->count == options->intensity) {
        if (now - restarts->at[restarts->oldest] < options->period_ns)
            return false;
        restarts->oldest = (restarts->oldest + 1) % options->intensity;
        restarts->count--;
    }
    next = (restarts->oldest + restarts->count) % options->intensity;
    restarts->at[next] = now;
    restarts->count++;
    return true;
}

/* ---- Back-off ----------------------------------------------------------- */

static uint64_t random_up_to(struct moat_supervisor *supervisor, uint64_t most)
{
    uint64_t x = supervisor->random;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    supervisor->random = x;
    return most == UINT64_MAX ? x : x % (most + 1);
}

static uint64_t delay_of(struct moat_supervisor *supervisor, unsigned in_a_row)
{
    const moat_supervisor_options *options = &supervisor->options;
    uint64_t delay = options->backoff_ns;

    for (unsigned i = 1; i < in_a_row && delay < options->backoff_max_ns; i++)
        delay = delay <= UINT64_MAX / 2 ? 2 * delay : UINT64_MAX;
    if (delay > options->backoff_max_ns)
        delay = options->backoff_max_ns;
    return delay -
           random_up_to(supervisor, delay / 100 * options->jitter_percent);
}

static uint64_t later(uint64_t now, uint64_t delay)
{
    return delay < MOAT_NO_DEADLINE - 1 - now ? now + delay
                                              : MOAT_NO_DEADLINE - 1;
}

/* ---- Strategies --------------------------------------------------------- */

static void restart_with(struct child *child, uint64_t due)
{
    if (child->up)
        child->must_stop = true;
    child->due = due;
}

/* The others that are restarted with this one. */
static void restart_others(struct moat_supervisor *supervisor,
                           struct child *child)
{
    struct link *first = supervisor->options.strategy == MOAT_ONE_FOR_ALL
                             ? supervisor->children.next
                             : child->sibling.next;

    if (supervisor->options.strategy == MOAT_ONE_FOR_ONE)
        return;
    for (struct link *at = first; at != &supervisor->children; at = at->next)
        if (at != &child->sibling)
            restart_with(LINKED(at, struct child, sibling), child->due);
}

/* ---- The decision ------------------------------------------------------- */

void moat_restart_note(struct moat_supervisor *supervisor,
                       const struct child *child,
                       moat_supervisor_event_kind kind)
{
    moat_supervisor_event *event = &supervisor->event;

    event->kind = kind;
    event->child = child->id;
    memcpy(event->name, child->spec.options.name, sizeof event->name);
    event->result = child->result;
    event->restart_at = kind == MOAT_SUPERVISOR_CHILD_FAILED && child->wanted
                            ? child->due
                            : MOAT_NO_DEADLINE;
}

static void stop_asking(struct child *child)
{
    child->must_stop = child->asked = child->cancelled = child->stuck = false;
}

static bool is_normal(const struct child *child)
{
    return child->result.kind == MOAT_EVENT_RETURN;
}

/* It has ended by itself, and its policy wants it back. */
static bool restart(struct moat_supervisor *supervisor, struct child *child,
                    uint64_t now)
{
    const moat_supervisor_options *options = &supervisor->options;
    bool open = options->flags & MOAT_SUPERVISOR_FAIL_OPEN;

    if (!may_restart(open ? &child->restarts : &supervisor->restarts, options,
                     now)) {
        if (open) {
            child->wanted = false;
            child->given_up = true;
            moat_restart_note(supervisor, child,
                              MOAT_SUPERVISOR_CHILD_GIVEN_UP);
        } else {
            moat_supervisor_finish(supervisor, MOAT_E_RESTARTS);
            moat_restart_note(supervisor, child, MOAT_SUPERVISOR_GIVES_UP);
        }
        return true;
    }
    if (now - child->started_at >= options->period_ns)
        child->in_a_row = 0;
    child->in_a_row++;
    child->due = later(now, delay_of(supervisor, child->in_a_row));
    supervisor->restarted++;
    restart_others(supervisor, child);
    moat_restart_note(supervisor, child, MOAT_SUPERVISOR_CHILD_FAILED);
    return true;
}

static bool ends_for_good(struct moat_supervisor *supervisor,
                          struct child *child, bool failed)
{
    child->wanted = false;
    child->finished = true;
    if (failed)
        moat_restart_note(supervisor, child, MOAT_SUPERVISOR_CHILD_FAILED);
    if (child->spec.flags & MOAT_CHILD_FORGET)
        moat_child_free(child);
    return failed;
}

bool moat_restart_judge(struct moat_supervisor *supervisor, struct child *child,
                        uint64_t now)
{
    moat_restart policy = child->spec.restart;
    bool as_wished = child->must_stop || !child->wanted;

    list_remove(&child->ended);
    stop_asking(child);
    if (as_wished) {
        if (policy == MOAT_RESTART_TEMPORARY && child->wanted)
            return ends_for_good(supervisor, child, false);
        if (!child->wanted && (child->spec.flags & MOAT_CHILD_FORGET))
            moat_child_free(child);
        return false;
    }
    if (!is_normal(child))
        supervisor->failures++;
    if (policy == MOAT_RESTART_TEMPORARY ||
        (policy == MOAT_RESTART_TRANSIENT && is_normal(child)))
        return ends_for_good(supervisor, child, !is_normal(child));
    return restart(supervisor, child, now);
}

/* ---- In words ----------------------------------------------------------- */

static const char *words_of(const moat_result *result)
{
    switch (result->kind) {
    case MOAT_EVENT_TRAP:
        return moat_trap_kind_str(result->trap.kind);
    case MOAT_EVENT_PANIC:
        return "an exception";
    case MOAT_EVENT_CANCELLED:
        return result->status != MOAT_OK ? moat_status_str(result->status)
                                         : "was cancelled";
    default:
        return "has returned";
    }
}

static void put_name(struct text *text, const char *name)
{
    if (name[0] != '\0')
        moat_sched_text_put(text, " '%s'", name);
}

void moat_restart_print(const struct sched *run,
                        const struct moat_supervisor *supervisor, uint64_t now)
{
    const moat_supervisor_event *event = &supervisor->event;
    uint64_t ms =
        event->restart_at > now ? (event->restart_at - now) / 1000000 : 0;
    struct text text;

    if (run->report_fd < 0)
        return;
    moat_sched_text_begin(&text);
    moat_sched_text_put(&text, "moat-sched: supervisor");
    put_name(&text, supervisor->name);
    moat_sched_text_put(&text, ": child %llu",
                        (unsigned long long)event->child);
    put_name(&text, event->name);
    if (event->kind == MOAT_SUPERVISOR_CHILD_STUCK)
        moat_sched_text_put(&text, " was cancelled, and does not end");
    else
        moat_sched_text_put(&text, " has ended: %s", words_of(&event->result));
    if (event->kind == MOAT_SUPERVISOR_GIVES_UP)
        moat_sched_text_put(&text,
                            "; too many restarts: all children are stopped");
    else if (event->kind == MOAT_SUPERVISOR_CHILD_GIVEN_UP)
        moat_sched_text_put(&text, "; too many restarts: it stays down");
    else if (event->restart_at != MOAT_NO_DEADLINE)
        moat_sched_text_put(&text, "; starts again in %llu.%03llu s",
                            (unsigned long long)(ms / 1000),
                            (unsigned long long)(ms % 1000));
    moat_sched_text_put(&text, "\n");
    (void)moat_sched_text_write(&text, run->report_fd);
    moat_sched_text_free(&text);
}
