/*
 * copy.h: a plugin with a copy of moat of its own, as its host sees it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FAULT_COPY_H
#define TESTS_FAULT_COPY_H

#include <stdbool.h>
#include <stdint.h>

/* The task of a guest of the plugin. */
struct copy_task {
    enum {
        COPY_WRITE_NULL,
        COPY_OVERFLOW,
        COPY_LOOP,
        COPY_RETURN,
        COPY_CALL,     /* then it returns */
        COPY_HOST_CALL /* the same on its host's stack */
    } deed;
    void (*call)(void *arg);
    void *arg;
    uint64_t wall_ns;  /* 0: no limit */
    uint64_t slice_ns; /* 0: no slices */
    unsigned slices;   /* so many may end before the guest is given up */
};

/* Its result. */
struct copy_result {
    int status, event, kind; /* of moat_status, moat_event_kind, moat_trap_kind
                              */
    unsigned slices;         /* that have ended */
};

/* The plugin's only symbol. */
struct copy {
    int (*attach)(void);
    int (*detach)(void);
    int (*check)(void);
    int (*shut_down)(void);
    bool (*is_in_guest)(void);
    /* Calls fn(arg) in a no-trap section of a guest's; true: it faulted. */
    bool (*recovers)(void (*fn)(void *), void *arg);
    bool (*use_region)(void); /* faults in a fault region of the plugin's */
    struct copy_result (*run)(const struct copy_task *task);
};

#define COPY_SYMBOL "moat_test_copy"

#endif
