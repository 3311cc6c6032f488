/*
 * restart.c: plugins that fail are started again, and given up.
 *
 * Shows: a restart policy on bare coroutines: moat_co_reset makes a trapped one
 * fresh; delays that double; at most so many restarts within a period; then the
 * plugin stays down and the others go on (it fails open). Time is a counter
 * here; <moat/supervisor.h> and `moat run --restart` do the same by the clock.
 * Run: build/debug/examples/restart
 * Prints: the life of three plugins (expected/restart.txt).
 * Try: RESTARTS 10; a plugin that is cured after its third trap.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include <moat/moat.h>

#define RESTARTS   3   /* within ... */
#define PERIOD     100 /* ... so many ticks */
#define FIRST_WAIT 1

struct plugin {
    const char *name;
    moat_entry entry;
    moat_co *co;
    unsigned runs;
    unsigned at[RESTARTS]; /* the last restarts */
    unsigned wait, due;
    enum { UP, WAITS, DOWN } state;
};

static unsigned now;

static void *well(moat_co *self, void *input)
{
    for (int i = 0; i < 5; i++)
        input = moat_co_yield(self, input);
    return input;
}

/* Fails in its first two runs. */
static void *rash(moat_co *self, void *input)
{
    struct plugin *plugin = moat_co_user(self);

    (void)moat_co_yield(self, input);
    if (plugin->runs <= 2)
        moat_trap_raise((int)plugin->runs);
    return input;
}

static void *hopeless(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    abort();
}

/* The oldest of the last restarts was too short a time ago. */
static int is_too_often(const struct plugin *plugin)
{
    return plugin->runs > RESTARTS &&
           now - plugin->at[plugin->runs % RESTARTS] < PERIOD;
}

static void judge(struct plugin *plugin, const char *why)
{
    if (is_too_often(plugin) || moat_co_reset(plugin->co) != MOAT_OK) {
        printf("%3u %s: %s; stays down\n", now, plugin->name, why);
        plugin->state = DOWN;
        return;
    }
    plugin->at[plugin->runs % RESTARTS] = now;
    plugin->due = now + plugin->wait;
    printf("%3u %s: %s; starts again at %u\n", now, plugin->name, why,
           plugin->due);
    plugin->wait *= 2;
    plugin->state = WAITS;
}

static void resume(struct plugin *plugin)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;
    moat_event event;

    if (plugin->state == WAITS && now >= plugin->due) {
        plugin->state = UP;
        plugin->runs++;
    }
    if (plugin->state != UP)
        return;
    if (moat_co_resume(plugin->co, NULL, &event) != MOAT_OK)
        exit(1);
    if (event.kind == MOAT_EVENT_RETURN) {
        printf("%3u %s: has returned, in run %u\n", now, plugin->name,
               plugin->runs);
        plugin->state = DOWN;
    } else if (moat_co_trap_info(plugin->co, &trap) == MOAT_OK) {
        judge(plugin, moat_trap_kind_str(trap.kind));
    }
}

static void start(struct plugin *plugin)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.name = plugin->name;
    options.user = plugin;
    if (moat_co_create(&plugin->co, plugin->entry, &options) != MOAT_OK)
        exit(1);
    plugin->wait = FIRST_WAIT;
    plugin->state = WAITS;
}

int main(void)
{
    struct plugin plugins[] = {{.name = "well", .entry = well},
                               {.name = "rash", .entry = rash},
                               {.name = "hopeless", .entry = hopeless}};

    for (size_t i = 0; i < 3; i++)
        start(&plugins[i]);
    for (; now < 20; now++)
        for (size_t i = 0; i < 3; i++)
            resume(&plugins[i]);
    for (size_t i = 0; i < 3; i++)
        moat_co_destroy(plugins[i].co);
    return 0;
}
