/*
 * clone.c: a second continuation of a coroutine that waits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/clone.h>

#include <string.h>

#include "engine/bring.h"
#include "engine/create.h"
#include "engine/defers.h"
#include "engine/image.h"
#include "engine/nointr.h"
#include "engine/state.h"
#include "engine/thread.h"
#include "sys/refusal.h"

/* --- may it be cloned? ---------------------------------------------------- */

static moat_status check_kind(const struct co *co)
{
    if (!moat_is_copied(co))
        return moat_refuse(MOAT_E_INVAL, "co has another kind of stack: only "
                                         "MOAT_STACK_COPIED can be cloned");
    if (moat_annotate_active())
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "a sanitizer knows the frames of each coroutine: "
                           "they cannot be cloned");
    if (moat_co_owns_heap(co))
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "co has a heap of its own: its blocks would belong "
                           "to two coroutines");
    return MOAT_OK;
}

/* What is open ends once: no-trap sections, an unwinding, a stack that it has
 * made for itself. */
static bool is_in_the_middle(const struct co *co)
{
    uintptr_t sp = co->control.sp;

    if (co->notrap != 0 || co->nointr != 0 || co->recovers)
        return true;
    if ((co->control.flags & CO_SPECIAL) != 0 && cold_of(co)->unwindings != 0)
        return true;
    return sp < co->slot.limit || sp > co->control.root_sp;
}

static moat_status check(const struct co *co, moat_co **out)
{
    moat_status status;

    if (co == NULL || out == NULL)
        return moat_refuse(MOAT_E_INVAL,
                           co == NULL ? "co is NULL" : "out is NULL");
    status = moat_co_check_resumable(co);
    if (status == MOAT_OK)
        status = check_kind(co);
    if (status == MOAT_OK && is_in_the_middle(co))
        status = moat_refuse(MOAT_E_STATE,
                             "co waits in a no-trap section, in an unwinding, "
                             "or on a stack that it has made");
    return status;
}

/* --- frames --------------------------------------------------------------- */

static moat_status take_copy(struct moat_copied *copied, const struct co *co,
                             void **out)
{
    size_t bytes = moat_image_bytes(co);

    *out = NULL;
    if (bytes == 0)
        return MOAT_OK;
    *out = moat_area_take(&copied->area, bytes);
    if (*out == NULL)
        return MOAT_E_NOMEM;
    memcpy(*out,
           moat_is_away(co) ? moat_image_of(co) : (void *)moat_image_begin(co),
           bytes);
    return MOAT_OK;
}

static void give_copy(struct moat_copied *copied, const struct co *co,
                      void *image)
{
    if (image != NULL)
        moat_area_give(&copied->area, image, moat_image_bytes(co));
}

/* The frames of the root and of the entry have the record's address, which
 * leads unwinders and the end of the guest; and the guest has it as `self`. */
static uintptr_t renamed(uintptr_t word, const struct co *from,
                         const struct co *to)
{
    return word == (uintptr_t)from ? (uintptr_t)to : word;
}

static void rename_words(uintptr_t *words, size_t count, const struct co *from,
                         const struct co *to)
{
    for (size_t i = 0; i < count; i++)
        words[i] = renamed(words[i], from, to);
}

static void copy_registers(const struct co *co, struct co *clone)
{
    const moat_co *from = &co->control;
    moat_co *to = &clone->control;

    to->pc = from->pc;
    to->sp = from->sp;
#define COPY(field, resumers) to->field = renamed(from->field, co, clone);
    /* clang-format off */
    MOAT_ARCH_KEPT_MAP(COPY)
    /* clang-format on */
    moat_arch_save_fp_control(to);
}

static void wait_alike(struct moat_copied *copied, const struct co *co,
                       struct co *clone, void *image)
{
    size_t bytes = moat_image_bytes(co);

    if (image == NULL)
        return;
    copy_registers(co, clone);
    rename_words(image, bytes / sizeof(uintptr_t), co, clone);
    moat_image_set(clone, image);
    moat_copied_note_berth(copied, clone);
    copied->away++;
}

/* --- clone ---------------------------------------------------------------- */

/* Each continuation has used as much of its limits. */
static void copy_clock(const struct co *co, struct co *clone)
{
    if ((co->traits & (CO_LIMITED | CO_ACCOUNTED)) != 0)
        *moat_guest_clock_of(clone) = *moat_guest_clock_of(co);
}

/* The image comes first: it is all that can be lacking once there is a record.
 */
static moat_status make_clone(const struct co *co, struct co **out)
{
    struct moat_copied *copied = &owner_of(co)->copied;
    const struct moat_home *home = co->control.home;
    moat_status status;
    void *image;

    if (home->spec == NULL)
        return MOAT_E_NOMEM; /* for a spec, at its creation */
    status = take_copy(copied, co, &image);
    if (status != MOAT_OK)
        return status;
    status = moat_create_alike(co, out);
    if (status != MOAT_OK) {
        give_copy(copied, co, image);
        return status;
    }
    wait_alike(copied, co, *out, image);
    copy_clock(co, *out);
    return MOAT_OK;
}

moat_status moat_co_clone(const moat_co *suspended, moat_co **out)
{
    const struct co *co = co_of(suspended);
    struct co *made;
    moat_status status = check(co, out);

    if (status != MOAT_OK)
        return status;
    *(moat_co *volatile *)out = *out; /* faults here, or never */
    status = moat_create_begin();
    if (status != MOAT_OK)
        return status;
    status = make_clone(co, &made);
    moat_sealed_end();
    if (status == MOAT_OK)
        *out = handle_of(made);
    return status;
}
