/*
 * creating.c: coroutines with options of all kinds, and options that are
 * refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "play.h"

#define MAX_BATCH 3u

struct wish {
    moat_co_options options;
    moat_limits limits;
    moat_script script;
    enum limit limit;
    char name[8];
    moat_status status; /* that create must return */
};

int play_free_number(void)
{
    for (int i = 0; i < CO_MAX; i++) {
        if (!play.m.co[i].exists)
            return i;
    }
    return HOST;
}

void play_made(int co, moat_co *handle, const char *name, void *user)
{
    struct model_co *made = &play.m.co[co];

    memset(made, 0, sizeof *made);
    made->handle = handle;
    made->exists = true;
    made->state = MOAT_CO_FRESH;
    made->user = user;
    (void)snprintf(made->name, sizeof made->name, "%s", name);
    play.handle[co] = handle;
    TARGET_CHECK(handle != NULL);
}

static void wish_limit(struct wish *wish)
{
    wish->limit = (enum limit)input_below(&play.in, 3);
    if (wish->limit == LIMIT_LONG)
        wish->limits.wall_ns = UINT64_C(1000000000000);
    if (wish->limit == LIMIT_SHORT)
        wish->limits.wall_ns = 100000;
    if (wish->limit != LIMIT_NONE)
        wish->options.limits = &wish->limits;
}

static void wish_sizes(struct wish *wish)
{
    static const size_t sizes[4] = {0, (size_t)128 << 10, (size_t)200 << 10,
                                    (size_t)512 << 10};

    wish->options.stack_bytes = sizes[input_below(&play.in, 4)];
    wish->options.guard_bytes = sizes[input_below(&play.in, 4)];
}

/* Makes the options bad, in most cases not at all. */
static void spoil(struct wish *wish)
{
    wish->status = MOAT_E_INVAL;
    switch (input_below(&play.in, 32)) {
    case 1:
        wish->options.struct_size = 8;
        break;
    case 2:
        wish->options.flags = UINT64_C(1) << (8 + input_below(&play.in, 56));
        break;
    case 3:
        wish->options.flags |= MOAT_CO_SCRUB_MASK;
        break;
    case 4:
        wish->options.flags |= MOAT_CO_RECOVER_MASK;
        break;
    case 5:
        wish->options.stack_bytes = 4095;
        break;
    case 6:
        wish->options.stack_bytes = SIZE_MAX - input_u8(&play.in);
        break;
    case 7:
        wish->options.guard_bytes = ((size_t)64 << 30) + 1;
        break;
    case 8:
        wish->limits.struct_size = 1;
        wish->options.limits = &wish->limits;
        break;
    case 9:
        wish->options.script = &wish->script;
        break;
    case 10:
        wish->limits.slice_ns = 1;
        wish->options.limits = &wish->limits;
        wish->status = MOAT_E_INVAL;
        break;
    default:
        wish->status = MOAT_OK;
    }
}

static void make_wish(struct wish *wish)
{
    unsigned flags;

    *wish = (struct wish){.options = MOAT_CO_OPTIONS_INIT,
                          .limits = MOAT_LIMITS_INIT,
                          .script = MOAT_SCRIPT_INIT};
    flags = input_below(&play.in, 12);
    wish->options.flags = flags % 3 | (uint64_t)(flags / 4) << 2;
    wish_limit(wish);
    wish_sizes(wish);
    (void)snprintf(wish->name, sizeof wish->name, "n%u",
                   input_below(&play.in, 8));
    wish->options.name = wish->name;
    wish->options.user = (void *)(uintptr_t)input_u8(&play.in);
    spoil(wish);
}

static void note_wish(int co, const struct wish *wish)
{
    play.m.co[co].recovery = wish->options.flags & MOAT_CO_RECOVER_MASK;
    play.m.co[co].limit = wish->limit;
}

static void create_with_options(int co)
{
    moat_co *handle = NULL;
    struct wish wish;

    make_wish(&wish);
    TARGET_CHECK(moat_co_create(&handle, play_guest, &wish.options) ==
                 wish.status);
    TARGET_CHECK((handle != NULL) == (wish.status == MOAT_OK));
    if (wish.status != MOAT_OK)
        return;
    play_made(co, handle, wish.name, wish.options.user);
    note_wish(co, &wish);
}

bool play_create(void)
{
    int co = play_free_number();
    moat_co *handle = NULL;

    if (co == HOST)
        return true;
    if (input_below(&play.in, 3) > 0) {
        create_with_options(co);
        return true;
    }
    TARGET_CHECK(moat_co_create(NULL, play_guest, NULL) == MOAT_E_INVAL);
    TARGET_CHECK(moat_co_create(&handle, NULL, NULL) == MOAT_E_INVAL);
    TARGET_CHECK(moat_co_create(&handle, play_guest, NULL) == MOAT_OK);
    play_made(co, handle, "", NULL);
    return true;
}

static unsigned free_numbers(void)
{
    unsigned count = 0;

    for (int i = 0; i < CO_MAX; i++)
        count += !play.m.co[i].exists;
    return count;
}

bool play_create_many(void)
{
    void *users[MAX_BATCH] = {users, &play, NULL};
    unsigned count = input_below(&play.in, MAX_BATCH + 1);
    bool own = input_below(&play.in, 2) == 1;
    moat_co *made[MAX_BATCH];
    size_t done = 99;
    struct wish wish;

    make_wish(&wish);
    /* Limits and the script are checked for each that is created. */
    if (count > free_numbers() || (count == 0 && wish.status != MOAT_OK))
        return true;
    TARGET_CHECK(moat_co_create_n(made, play_guest, &wish.options,
                                  own ? users : NULL, count,
                                  &done) == wish.status);
    TARGET_CHECK(done == (wish.status == MOAT_OK ? count : 0));
    for (unsigned i = 0; i < done; i++) {
        int co = play_free_number();

        play_made(co, made[i], wish.name, own ? users[i] : wish.options.user);
        note_wish(co, &wish);
    }
    return true;
}
