/*
 * annotate.c: see annotate.h.
 *
 * Sources: sanitizer/common_interface_defs.h, sanitizer/asan_interface.h and
 * sanitizer/tsan_interface.h of gcc and clang; the declarations are repeated
 * here because they must be weak.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stack/annotate.h"

#ifdef MOAT_WITH_VALGRIND
#    include <valgrind/memcheck.h>
#    include <valgrind/valgrind.h>
#endif

#define WEAK __attribute__((weak))

WEAK void __sanitizer_start_switch_fiber(void **fake_stack_save,
                                         const void *bottom, size_t size);
WEAK void __sanitizer_finish_switch_fiber(void *fake_stack_save,
                                          const void **bottom_old,
                                          size_t *size_old);
WEAK void __asan_unpoison_memory_region(void const volatile *addr, size_t size);
WEAK void __asan_handle_no_return(void);
WEAK void *__tsan_get_current_fiber(void);
WEAK void *__tsan_create_fiber(unsigned flags);
WEAK void __tsan_destroy_fiber(void *fiber);
WEAK void __tsan_switch_to_fiber(void *fiber, unsigned flags);

static bool has_asan(void)
{
    return __sanitizer_start_switch_fiber != NULL &&
           __asan_unpoison_memory_region != NULL;
}

static bool has_tsan(void)
{
    return __tsan_create_fiber != NULL;
}

bool moat_annotate_active(void)
{
    return has_asan() || has_tsan();
}

bool moat_annotate_copies_context(void)
{
    return has_tsan();
}

/* AddressSanitizer has been told that a switch begins, and not yet that it has
 * ended. */
static __thread volatile bool switching
    __attribute__((tls_model("initial-exec")));

bool moat_annotate_switching(void)
{
    return switching;
}

static MOAT_NO_SANITIZE void start_switch(void **fake_stack, const void *bottom,
                                          size_t bytes)
{
    switching = true;
    __sanitizer_start_switch_fiber(fake_stack, bottom, bytes);
}

static MOAT_NO_SANITIZE void finish_switch(void *fake_stack,
                                           const void **bottom, size_t *bytes)
{
    __sanitizer_finish_switch_fiber(fake_stack, bottom, bytes);
    switching = false;
}

void moat_annotate_stack(uintptr_t limit, uintptr_t base)
{
#ifdef MOAT_WITH_VALGRIND
    (void)VALGRIND_STACK_REGISTER(limit, base);
#else
    (void)limit;
    (void)base;
#endif
}

bool moat_annotate_emulated(void)
{
#ifdef MOAT_WITH_VALGRIND
    return RUNNING_ON_VALGRIND != 0;
#else
    return false;
#endif
}

void moat_annotate_cleared(uintptr_t low, uintptr_t high)
{
#ifdef MOAT_WITH_VALGRIND
    (void)VALGRIND_MAKE_MEM_UNDEFINED(low, high - low);
#else
    (void)low;
    (void)high;
#endif
}

/* Valgrind does not see that a trap leaves the guest's stack. At the next
 * resume it believes to be there still, and takes a way of less than
 * --max-stackframe (2,000,000 bytes) for a frame: what lies in between, such as
 * another thread's coroutines, would then count as dead. */
size_t moat_annotate_margin(void)
{
    return moat_annotate_emulated() ? (size_t)2 << 20 : 0;
}

void moat_annotate_begin(struct moat_fiber *fiber)
{
    *fiber = (struct moat_fiber){0};
    if (has_tsan())
        fiber->tsan = __tsan_create_fiber(0);
}

/* A suspended coroutine's fake stack is freed by the one way there is: as if
 * the thread had gone back to it and left for good. */
static MOAT_NO_SANITIZE void free_fake_stack(struct moat_fiber *fiber,
                                             uintptr_t limit, uintptr_t base)
{
    void *ours = NULL;
    const void *bottom;
    size_t bytes;

    __sanitizer_start_switch_fiber(&ours, (const void *)limit, base - limit);
    __sanitizer_finish_switch_fiber(fiber->fake_stack, &bottom, &bytes);
    __sanitizer_start_switch_fiber(NULL, bottom, bytes);
    __sanitizer_finish_switch_fiber(ours, NULL, NULL);
    fiber->fake_stack = NULL;
}

void moat_annotate_end(struct moat_fiber *fiber, uintptr_t limit,
                       uintptr_t base)
{
    if (has_asan() && fiber->fake_stack != NULL)
        free_fake_stack(fiber, limit, base);
    if (has_tsan() && fiber->tsan != NULL)
        __tsan_destroy_fiber(fiber->tsan);
    fiber->tsan = NULL;
    /* Redzones of frames that never returned would trip the next user. */
    if (has_asan())
        __asan_unpoison_memory_region((const void *)limit, base - limit);
}

MOAT_NO_SANITIZE void moat_annotate_enter(struct moat_fiber *fiber,
                                          uintptr_t limit, uintptr_t base)
{
    if (has_asan())
        start_switch(&fiber->resumer_fake_stack, (const void *)limit,
                     base - limit);
    if (has_tsan()) {
        fiber->resumer_tsan = __tsan_get_current_fiber();
        __tsan_switch_to_fiber(fiber->tsan, 0);
    }
}

MOAT_NO_SANITIZE void moat_annotate_back(struct moat_fiber *fiber)
{
    if (has_asan())
        finish_switch(fiber->resumer_fake_stack, NULL, NULL);
}

MOAT_NO_SANITIZE void moat_annotate_back_from_trap(struct moat_fiber *fiber)
{
    /* What the guest would have said on its way out. */
    moat_annotate_leave(fiber, true);
    moat_annotate_back(fiber);
}

/* The frames that go leave their redzones behind, where cleanup code will run.
 */
void moat_annotate_dropped(uintptr_t low, uintptr_t high)
{
    if (has_asan())
        __asan_unpoison_memory_region((const void *)low, high - low);
}

void moat_annotate_unwind(void)
{
    if (__asan_handle_no_return != NULL)
        __asan_handle_no_return();
}

MOAT_NO_SANITIZE void moat_annotate_entered(struct moat_fiber *fiber)
{
    /* The stack that it comes from is its resumer's, unless it was told. */
    if (has_asan() && fiber->passed)
        finish_switch(fiber->fake_stack, NULL, NULL);
    else if (has_asan())
        finish_switch(fiber->fake_stack, &fiber->resumer_bottom,
                      &fiber->resumer_bytes);
    fiber->passed = false;
}

MOAT_NO_SANITIZE void moat_annotate_pass(struct moat_fiber *from,
                                         struct moat_fiber *to, uintptr_t limit,
                                         uintptr_t base)
{
    to->resumer_fake_stack = from->resumer_fake_stack;
    to->resumer_bottom = from->resumer_bottom;
    to->resumer_bytes = from->resumer_bytes;
    to->resumer_tsan = from->resumer_tsan;
    to->passed = true;
    if (has_asan())
        start_switch(&from->fake_stack, (const void *)limit, base - limit);
    if (has_tsan())
        __tsan_switch_to_fiber(to->tsan, 0);
}

MOAT_NO_SANITIZE void moat_annotate_leave(struct moat_fiber *fiber,
                                          bool for_good)
{
    if (has_asan())
        start_switch(for_good ? NULL : &fiber->fake_stack,
                     fiber->resumer_bottom, fiber->resumer_bytes);
    /* What the last yield saved has been freed with the rest. */
    if (for_good)
        fiber->fake_stack = NULL;
    if (has_tsan())
        __tsan_switch_to_fiber(fiber->resumer_tsan, 0);
}
