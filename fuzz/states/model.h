/*
 * model.h: what docs/states.md and the headers promise of coroutines, in plain
 * words of C. It is the specification that the target compares moat with; it
 * knows nothing of how moat does it.
 *
 * Coroutines have numbers; HOST stands for the thread's own stack. The model
 * follows what the program does: who runs, who resumed whom, which sections are
 * open, which events and deferred functions are due.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FUZZ_STATES_MODEL_H
#define FUZZ_STATES_MODEL_H

#include <moat/moat.h>

#define HOST      (-1)
#define CO_MAX    6
#define DEFER_MAX 4
#define CALL_MAX  4 /* nested calls of one coroutine, and host calls in all */
#define LOG_MAX   64

/* Its time limit. One that is short passes in any case, one that is long never
 * does. */
enum limit { LIMIT_NONE, LIMIT_LONG, LIMIT_SHORT };

struct model_co {
    const moat_co *handle;
    bool exists, orphan; /* an orphan's thread has ended                     */
    moat_co_state state; /* RUNNING stands for RESUMING, too                 */
    int resumer;         /* while it runs                                    */
    uint64_t recovery;   /* MOAT_CO_RECOVER_...                              */
    enum limit limit;
    char name[8];
    void *user;
    unsigned notrap;            /* open no-trap sections                   */
    unsigned points[CALL_MAX];  /* sections at each recovery point         */
    unsigned point_count;       /* open moat_notrap_call                   */
    bool cancelled;             /* a cancel waits for it                   */
    bool unwinding;             /* it yielded while it was unwound         */
    unsigned defers[DEFER_MAX]; /* numbers, in the order of registration   */
    unsigned defer_count;
    moat_trap_kind trap;
    int user_code;
};

/* A host call that has not returned. */
struct model_call {
    int caller, resumer;
    unsigned notrap; /* the resumer's sections in the call; 0: the host's    */
};

struct model_event {
    moat_event_kind kind;
    void *value;
    const moat_co *co; /* since then it may be another one's number */
};

struct model {
    struct model_co co[CO_MAX];
    int current;
    struct model_call calls[CALL_MAX];
    unsigned call_count;
    /* Due events, for each resumer; that of the host comes first. */
    struct model_event events[CO_MAX + 1][LOG_MAX];
    unsigned event_count[CO_MAX + 1];
    /* Deferred functions that are due, and those that ran. */
    unsigned due[LOG_MAX], ran[LOG_MAX], due_count, ran_count;
};

/* --- what a call may do --------------------------------------------------- */

/* The status of a resume or a cancel. HOST stands for NULL. */
moat_status model_resumable(const struct model *m, int co);
moat_status model_resettable(const struct model *m, int co);
moat_status model_deferrable(const struct model *m, int co);
/* That of a transfer from `self`. */
moat_status model_transferable(const struct model *m, int self, int other);
bool model_may_destroy(const struct model *m, int co);
bool model_may_yield(const struct model *m, int co);

moat_co_state model_state(const struct model *m, int co);

/* Where a fault of the running code goes. */
enum outcome { OUTCOME_FATAL, OUTCOME_TRAP, OUTCOME_RECOVERED };
enum outcome model_fault(const struct model *m, bool raised);

/* Its time limit will stop it once it runs. */
bool model_is_doomed(const struct model *m, int co);

/* --- what happens --------------------------------------------------------- */

void model_enter(struct model *m, int co);    /* the current one resumes it */
void model_transfer(struct model *m, int co); /* the current one goes there */

/* The current one's run ends with an event for its resumer. */
void model_leave(struct model *m, moat_event_kind kind, void *value);
void model_trap(struct model *m, moat_trap_kind kind, int user_code);

/* The coroutine is reset, destroyed, or cancelled while fresh. */
void model_reset(struct model *m, int co);
void model_destroy(struct model *m, int co);
void model_end_fresh(struct model *m, int co);

/* --- sections ------------------------------------------------------------- */

void model_open_section(struct model *m);
void model_close_section(struct model *m);
void model_open_point(struct model *m);
void model_close_point(struct model *m);
void model_drop_points(struct model *m, int co); /* by an unwinding */
void model_open_call(struct model *m);
void model_close_call(struct model *m);

#endif
