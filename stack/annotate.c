/*
 * annotate.c: the fiber functions of the sanitizers, and Valgrind's requests.
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
#else
#    define RUNNING_ON_VALGRIND                    false
#    define VALGRIND_STACK_REGISTER(low, high)     ((void)(low), (void)(high))
#    define VALGRIND_MAKE_MEM_UNDEFINED(low, size) ((void)(low), (void)(size))
#endif

#define WEAK __attribute__((weak))

WEAK void __sanitizer_start_switch_fiber(void **fake_stack_save,
                                         const void *bottom, size_t size);
WEAK void __sanitizer_finish_switch_fiber(void *fake_stack_save,
                                          const void **bottom_old,
                                          size_t *size_old);
WEAK void __asan_unpoison_memory_region(void const volatile *addr, size_t size);
WEAK void __asan_handle_no_return(void);
WEAK void *__asan_addr_is_in_fake_stack(void *fake_stack, void *addr,
                                        void **beg, void **end);
WEAK void __safestack_init(void);
WEAK void __lsan_register_root_region(const void *p, size_t size);
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

bool moat_annotate_fake_frame(void *fake_stack, uintptr_t word,
                              uintptr_t *begin, uintptr_t *end)
{
    void *low, *high;

    if (__asan_addr_is_in_fake_stack == NULL ||
        __asan_addr_is_in_fake_stack(fake_stack, (void *)word, &low, &high) ==
            NULL)
        return false;
    *begin = (uintptr_t)low;
    *end = (uintptr_t)high;
    return true;
}

bool moat_annotate_second_stack(void)
{
    return __safestack_init != NULL;
}

bool moat_annotate_finds_leaks(void)
{
    return __lsan_register_root_region != NULL;
}

void moat_annotate_reachable(uintptr_t low, uintptr_t high)
{
    if (moat_annotate_finds_leaks())
        __lsan_register_root_region((const void *)low, high - low);
}

/* A switch has been announced to AddressSanitizer and has not ended. */
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
    (void)VALGRIND_STACK_REGISTER(limit, base);
}

bool moat_annotate_emulated(void)
{
    return RUNNING_ON_VALGRIND != 0;
}

void moat_annotate_cleared(uintptr_t low, uintptr_t high)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(low, high - low);
}

/* Valgrind does not notice that a trap leaves the guest's stack. At the next
 * resume it takes the step from there, if it is less than --max-stackframe
 * (2,000,000 bytes), for a frame, and memory in between, such as another
 * thread's coroutines, for dead. */
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

/* Frees a suspended coroutine's fake stack in the only possible way: as if the
 * thread had switched to the coroutine and left it for good. */
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
        start_switch(&fiber->resumer.fake_stack, (const void *)limit,
                     base - limit);
    if (has_tsan()) {
        fiber->resumer.tsan = __tsan_get_current_fiber();
        __tsan_switch_to_fiber(fiber->tsan, 0);
    }
}

MOAT_NO_SANITIZE void moat_annotate_back(struct moat_fiber *fiber)
{
    if (has_asan())
        finish_switch(fiber->resumer.fake_stack, NULL, NULL);
}

MOAT_NO_SANITIZE void moat_annotate_back_from_trap(struct moat_fiber *fiber)
{
    /* The guest's own announcement is missing. */
    moat_annotate_leave(fiber, true);
    moat_annotate_back(fiber);
}

/* The frames leave redzones where cleanup code will run. */
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
    /* The previous stack is the resumer's, unless another coroutine switched to
     * this one. */
    if (has_asan() && fiber->transferred)
        finish_switch(fiber->fake_stack, NULL, NULL);
    else if (has_asan())
        finish_switch(fiber->fake_stack, &fiber->resumer.bottom,
                      &fiber->resumer.bytes);
    fiber->transferred = false;
}

MOAT_NO_SANITIZE void moat_annotate_transfer(struct moat_fiber *from,
                                             struct moat_fiber *to,
                                             uintptr_t limit, uintptr_t base)
{
    to->resumer = from->resumer;
    to->transferred = true;
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
                     fiber->resumer.bottom, fiber->resumer.bytes);
    /* The fake stack that the last yield saved was freed with the rest. */
    if (for_good)
        fiber->fake_stack = NULL;
    if (has_tsan())
        __tsan_switch_to_fiber(fiber->resumer.tsan, 0);
}
