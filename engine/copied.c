/*
 * copied.c: coroutines that take turns on one stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/copied.h"

#include <stdlib.h>
#include <string.h>

#include "engine/image.h"
#include "engine/turn.h"
#include "sys/memory.h"
#include "sys/page.h"
#include "sys/refusal.h"
#include "sys/size.h"

/* --- berths --------------------------------------------------------------- */

static struct moat_berth *berth_of(const struct moat_copied *copied,
                                   const struct co *co)
{
    struct moat_berth *each = copied->berths;

    while (each != NULL && each->base != co->slot.base)
        each = each->next;
    return each;
}

struct moat_berth *moat_copied_named(const struct moat_copied *copied,
                                     size_t usable_bytes, size_t guard_bytes)
{
    struct moat_berth *each = copied->berths;

    while (each != NULL && (each->usable_bytes != usable_bytes ||
                            each->guard_bytes != guard_bytes))
        each = each->next;
    return each;
}

static moat_status take_stack(struct moat_pool *pool, struct moat_berth *berth)
{
    struct moat_stack_class *stack_class;
    moat_status status = moat_stack_class_get(berth->usable_bytes,
                                              berth->guard_bytes, &stack_class);

    if (status != MOAT_OK)
        return status;
    return moat_pool_get(pool, stack_class, 1, &berth->stack);
}

static moat_status make(struct moat_copied *copied, struct moat_pool *pool,
                        size_t usable_bytes, size_t guard_bytes,
                        struct moat_berth **out)
{
    struct moat_berth *berth = calloc(1, sizeof *berth);
    moat_status status;

    if (berth == NULL)
        return MOAT_E_NOMEM;
    berth->usable_bytes = usable_bytes;
    berth->guard_bytes = guard_bytes;
    status = take_stack(pool, berth);
    if (status != MOAT_OK) {
        free(berth);
        return status;
    }
    berth->base = berth->stack->base;
#ifdef MOAT_ARCH_BLOCK_BYTES
    berth->blocks = moat_arch_can_swap_blocks();
#endif
    berth->next = copied->berths;
    *out = copied->berths = berth;
    return MOAT_OK;
}

moat_status moat_copied_find(struct moat_copied *copied, struct moat_pool *pool,
                             size_t usable_bytes, size_t guard_bytes,
                             struct moat_berth **out)
{
    *out = moat_copied_named(copied, usable_bytes, guard_bytes);
    if (*out != NULL)
        return MOAT_OK;
    return make(copied, pool, usable_bytes, guard_bytes, out);
}

void moat_copied_place(struct co *co, const struct moat_berth *berth)
{
    co->slot.base = berth->stack->base;
    co->slot.limit = berth->stack->limit;
    co->slot.guard = berth->stack->guard;
}

struct co *moat_copied_occupant(const struct moat_copied *copied,
                                const struct co *co)
{
    const struct moat_berth *berth = berth_of(copied, co);

    return berth != NULL ? berth->occupant : NULL;
}

/* --- images --------------------------------------------------------------- */

bool moat_copied_image(const struct co *co, uintptr_t *low, uintptr_t *high)
{
    if (!moat_image_is_kept(co))
        return false;
    *low = (uintptr_t)moat_image_of(co);
    *high = *low + moat_image_bytes(co);
    return true;
}

static void drop_image(struct moat_copied *copied, struct co *co)
{
    if (!moat_image_is_kept(co))
        return;
    moat_area_give(&copied->area, moat_image_of(co), moat_image_bytes(co));
    copied->away--;
}

/* Sanitizers know the frames of the one that is there. */
static void forget_frames(const struct co *co)
{
    if (moat_annotate_active())
        moat_annotate_dropped(co->slot.limit, co->slot.base);
}

static MOAT_NO_SANITIZE void copy(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}

/* --- out and in ----------------------------------------------------------- */

/* One with limits or a policy for system calls, and all under a sanitizer, are
 * always resumed by the library. */
static bool needs_library(const struct co *co)
{
    return (co->traits & (CO_LIMITED | CO_ACCOUNTED)) != 0 ||
           (co->control.flags & CO_FILTERED) != 0;
}

/* For turn.h. One that waits on a stack which it has made, or is fresh, has no
 * frames from its stack pointer up to its root. */
static void note_berth(struct moat_berth *berth, struct co *co)
{
    uintptr_t sp = co->control.sp;
    bool usual =
        !needs_library(co) && sp >= co->slot.limit && sp < co->control.root_sp;

    co->control.resumer_pc = usual ? (uintptr_t)berth : 0;
}

static void mark_away(struct moat_berth *berth, struct co *co)
{
    co->control.flags |= CO_AWAY;
    if (co->control.state == MOAT_MARK_TRAPPED)
        return;
    note_berth(berth, co);
    co->control.token |= MOAT_AWAY_TOKEN;
    co->control.state = co->control.token;
}

static void mark_in(struct co *co)
{
    co->control.flags &= (uint16_t)~CO_AWAY;
    if (co->control.state == MOAT_MARK_TRAPPED || needs_library(co) ||
        moat_annotate_active())
        return;
    co->control.token &= ~MOAT_AWAY_TOKEN;
    co->control.state = co->control.token;
}

/* Copies a stopped coroutine out. */
static moat_status move_out(struct moat_copied *copied,
                            struct moat_berth *berth, struct co *co)
{
    size_t bytes = moat_image_bytes(co);
    void *image = NULL;

    forget_frames(co);
    if (bytes != 0) {
        image = moat_area_take(&copied->area, bytes);
        if (image == NULL)
            return MOAT_E_NOMEM;
        copy(image, (void *)moat_image_begin(co), bytes);
        copied->away++;
    }
    moat_image_set(co, image);
    mark_away(berth, co);
    return MOAT_OK;
}

static void move_in(struct moat_copied *copied, struct co *co)
{
    size_t bytes = moat_image_bytes(co);

    if (bytes != 0)
        copy((void *)moat_image_begin(co), moat_image_of(co), bytes);
    drop_image(copied, co);
    moat_arch_top_frame(&co->control, co->slot.base);
    mark_in(co);
}

static bool has_frames(const struct co *co)
{
    return co != NULL && (co->control.state == co->control.token ||
                          co->control.state == MOAT_MARK_TRAPPED);
}

static bool is_busy(const struct moat_berth *berth)
{
    return berth->occupant != NULL && moat_is_entered(berth->occupant);
}

/* --- hidden berths -------------------------------------------------------- */

static bool hides(void)
{
#ifdef NDEBUG
    return moat_annotate_active();
#else
    return true;
#endif
}

/* The pages between the guard and the colour. */
static struct moat_pages pages_of(const struct moat_berth *berth)
{
    const struct moat_pages pages = {berth->stack->limit,
                                     moat_page_of(berth->stack->base - 1) +
                                         moat_page_bytes()};

    return pages;
}

static void show(struct moat_berth *berth)
{
    const struct moat_pages pages = pages_of(berth);

    if (berth->hidden &&
        moat_memory_open(pages.low, pages.high - pages.low) == MOAT_OK)
        berth->hidden = false;
}

/* The evidence of a trap stays in sight. Without memory nothing is hidden. */
void moat_copied_hide(struct moat_copied *copied, const struct co *co)
{
    struct moat_berth *berth = hides() ? berth_of(copied, co) : NULL;
    struct moat_pages pages;

    if (berth == NULL || berth->hidden || is_busy(berth) ||
        (berth->occupant != NULL &&
         berth->occupant->control.state == MOAT_MARK_TRAPPED))
        return;
    if (has_frames(berth->occupant) &&
        move_out(copied, berth, berth->occupant) != MOAT_OK)
        return;
    berth->occupant = NULL;
    pages = pages_of(berth);
    berth->hidden =
        moat_memory_close(pages.low, pages.high - pages.low) == MOAT_OK;
}

/* --- turns ---------------------------------------------------------------- */

void moat_copied_prepare(struct moat_copied *copied, struct co *co)
{
    struct moat_berth *berth = berth_of(copied, co);

    drop_image(copied, co);
    if (berth != NULL && berth->occupant == co)
        berth->occupant = NULL;
    moat_arch_first_words(&co->control, co->slot.base);
    co->control.state = co->control.token;
    mark_away(berth, co);
}

void moat_copied_note_berth(const struct moat_copied *copied, struct co *co)
{
    note_berth(berth_of(copied, co), co);
}

bool moat_copied_is_blocked(const struct moat_copied *copied,
                            const struct co *co)
{
    const struct moat_berth *berth = berth_of(copied, co);

    return moat_is_away(co) && berth != NULL && is_busy(berth);
}

/* One that waits on a stack which it has made is left to move_out. */
bool moat_copied_exchange(struct moat_copied *copied, struct moat_berth *berth,
                          struct co *co, uint64_t token)
{
    uintptr_t root_sp = co->control.root_sp, sp = co->control.sp;
    uintptr_t out = berth->occupant->control.sp;
    void *from = moat_image_of(co), *image;

    if (out < co->slot.limit || out >= root_sp)
        return false;
    image = moat_area_take(&copied->area, root_sp - out);
    if (image == NULL)
        return false;
    copy(image, (void *)out, root_sp - out);
    copy((void *)sp, from, root_sp - sp);
    moat_area_give(&copied->area, from, root_sp - sp);
    moat_turn_note(berth, co, token, (uintptr_t)image);
    moat_arch_top_frame(&co->control, co->slot.base);
    return true;
}

static bool take_turn(struct moat_copied *copied, struct co *co, uint64_t token)
{
    struct moat_berth *berth = moat_turn_berth(co);

    if (!moat_turn_is_plain(berth, token))
        return false;
    if (berth->occupant->control.sp != co->control.sp)
        return moat_copied_exchange(copied, berth, co, token);
    moat_turn(berth, co, token);
    return true;
}

moat_status moat_copied_bring(struct moat_copied *copied, struct co *co)
{
    struct moat_berth *berth = berth_of(copied, co);
    uint64_t token = co->control.token & ~MOAT_AWAY_TOKEN;
    moat_status status = MOAT_OK;

    if (co->control.state == co->control.token && take_turn(copied, co, token))
        return MOAT_OK;
    if (is_busy(berth))
        return moat_refuse(MOAT_E_STATE,
                           "another coroutine of kind MOAT_STACK_COPIED runs "
                           "on the stack, or waits for one that it has "
                           "resumed");
    show(berth);
    if (has_frames(berth->occupant))
        status = move_out(copied, berth, berth->occupant);
    if (status != MOAT_OK)
        return status;
    move_in(copied, co);
    berth->occupant = co;
    return MOAT_OK;
}

void moat_copied_end(struct moat_copied *copied, struct co *co)
{
    struct moat_berth *berth = berth_of(copied, co);

    drop_image(copied, co);
    co->control.flags &= (uint16_t)~CO_AWAY;
    if (berth != NULL && berth->occupant == co)
        berth->occupant = NULL;
    moat_slot_restore(&co->slot);
}

/* --- compaction ----------------------------------------------------------- */

static void move_image(struct moat_copied *copied, struct co *co)
{
    size_t bytes = moat_image_bytes(co);
    void *former = moat_image_of(co), *image;

    if (!moat_area_should_move(former, bytes))
        return;
    image = moat_area_take(&copied->area, bytes);
    if (image == NULL)
        return;
    memcpy(image, former, bytes);
    moat_image_set(co, image);
    moat_area_give(&copied->area, former, bytes);
}

/* Nobody has a list of the coroutines that are away: a word more for each would
 * cost more than a search. */
static void move_images(struct moat_copied *copied,
                        const struct moat_arena *arena)
{
    size_t taken = atomic_load(&arena->taken);

    for (size_t i = 0; i < taken; i++) {
        struct co *co = moat_arena_entry(arena, i);

        if (berth_of(copied, co) != NULL && moat_image_is_kept(co))
            move_image(copied, co);
    }
}

void moat_copied_compact(struct moat_copied *copied)
{
    const struct moat_arena *each = atomic_load(&moat_arenas);

    if (moat_area_thin_out(&copied->area)) {
        for (; each != NULL; each = each->next) {
            if (each->stack_class->usable_bytes == 0 && each->open)
                move_images(copied, each);
        }
    }
    moat_area_settle(&copied->area);
}

/* --- the thread's end ------------------------------------------------------
 */

void moat_copied_close(struct moat_copied *copied, struct moat_pool *pool)
{
    while (copied->berths != NULL) {
        struct moat_berth *berth = copied->berths;

        show(berth);
        if (has_frames(berth->occupant))
            (void)move_out(copied, berth, berth->occupant);
        copied->berths = berth->next;
        if (!berth->hidden)
            moat_pool_put(pool, berth->stack);
        free(berth);
    }
}
