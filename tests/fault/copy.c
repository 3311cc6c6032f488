/*
 * copy.c: a plugin with a copy of moat of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "copy.h"

#include <sys/mman.h>

#include <moat/moat.h>

#define PAGE ((size_t)4096)

static int *volatile nowhere;

static __attribute__((noinline)) int descend(int depth)
{
    volatile char frame[256];

    frame[0] = (char)depth;
    return depth < 0 ? 0 : descend(depth + 1) + frame[0];
}

static void *call(void *arg)
{
    const struct copy_task *task = arg;

    task->call(task->arg);
    return NULL;
}

static void *act(moat_co *self, void *input)
{
    const struct copy_task *task = input;

    switch (task->deed) {
    case COPY_WRITE_NULL:
        *nowhere = 1;
        break;
    case COPY_OVERFLOW:
        (void)descend(0);
        break;
    case COPY_LOOP:
        for (volatile int i = 0;; i++)
            ;
    case COPY_CALL:
        task->call(task->arg);
        break;
    case COPY_HOST_CALL:
        (void)moat_call_on_parent(self, call, input);
        break;
    case COPY_RETURN:
        break;
    }
    return input;
}

static moat_status resume(moat_co *co, const struct copy_task *task,
                          struct copy_result *result, moat_event *event)
{
    moat_status status = moat_co_resume(co, (void *)(uintptr_t)task, event);

    while (status == MOAT_OK && event->kind == MOAT_EVENT_PREEMPT &&
           ++result->slices < task->slices)
        status = moat_co_resume(co, NULL, event);
    return status;
}

static struct copy_result run(const struct copy_task *task)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    struct copy_result result = {0, 0, 0, 0};
    moat_event event;
    moat_co *co;

    limits.wall_ns = task->wall_ns;
    limits.slice_ns = task->slice_ns;
    if (task->wall_ns != 0 || task->slice_ns != 0)
        options.limits = &limits;
    result.status = moat_co_create(&co, act, &options);
    if (result.status != MOAT_OK)
        return result;
    result.status = resume(co, task, &result, &event);
    if (result.status == MOAT_OK) {
        result.event = (int)event.kind;
        if (event.kind == MOAT_EVENT_TRAP &&
            moat_co_trap_info(co, &info) == MOAT_OK)
            result.kind = (int)info.kind;
    }
    moat_co_destroy(co);
    return result;
}

static moat_fault_verdict open_page(void *address, moat_access access,
                                    void *page)
{
    (void)address;
    (void)access;
    return mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0
               ? MOAT_FAULT_FIXED
               : MOAT_FAULT_DECLINED;
}

static bool use_region(void)
{
    moat_fault_region_options options = MOAT_FAULT_REGION_OPTIONS_INIT;
    moat_fault_region region;
    volatile char *page =
        mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    options.begin = options.user = (void *)(uintptr_t)page;
    options.bytes = PAGE;
    options.fix = open_page;
    if ((const void *)(uintptr_t)page == MAP_FAILED ||
        moat_fault_region_register(&options, &region) != MOAT_OK)
        return false;
    *page = 1;
    return moat_fault_region_unregister(region) == MOAT_OK &&
           munmap((void *)(uintptr_t)page, PAGE) == 0;
}

static bool recovers(void (*fn)(void *), void *arg)
{
    return moat_notrap_call(fn, arg, NULL) == MOAT_E_FAULT;
}

static int attach(void)
{
    return moat_thread_attach();
}

static int detach(void)
{
    return moat_thread_detach();
}

static int check(void)
{
    return moat_engine_check();
}

static int shut_down(void)
{
    return moat_engine_shutdown();
}

static bool is_in_guest(void)
{
    return moat_co_current() != NULL;
}

__attribute__((visibility("default"))) extern const struct copy moat_test_copy;

const struct copy moat_test_copy = {
    attach, detach, check, shut_down, is_in_guest, recovers, use_region, run};
