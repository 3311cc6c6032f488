/*
 * internal.h: the coroutine as the engine sees it, and what its files share.
 *
 * States are not stored but read off: `state` in the control record holds the
 * owner's token while the coroutine may be resumed (FRESH until it was entered,
 * then SUSPENDED), else a mark. RUNNING and RESUMING differ only in whether the
 * owner's thread is running this one or one that it resumed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_INTERNAL_H
#define MOAT_ENGINE_INTERNAL_H

#include <stdatomic.h>
#include <unwind.h>

#include <moat/moat.h>

#include "stack/annotate.h"
#include "stack/stack.h"
#include "trap/trap.h"

/* The function left by a moat_co_defer. */
struct moat_defer {
    struct moat_defer *next; /* registered before this one */
    void (*fn)(void *);
    void *arg;
};

/* Flags of the control record, beside the public MOAT_CO_... of the options.
 * With any of them set a coroutine ends, and is destroyed, by the library and
 * not inline. */
#define CO_LIMITED ((uint16_t)1 << 15)
#define CO_ENDING  ((uint16_t)1 << 14)   /* its moat_co_defer functions run  */
#define CO_ENDS    ((uint16_t)1 << 13)   /* it runs those of co_cold.ends    */
                                         /* 12: MOAT_ACTIVATION_SECTIONS */
#define CO_CANCELLED ((uint16_t)1 << 11) /* moat_co_cancel runs it */
#define CO_SCRIPTED  ((uint16_t)1 << 10) /* has co_cold.script               */
#define CO_READER    ((uint16_t)1 << 9)  /* runs the `walk` of a script      */
/* It runs, and deadlines of its resumer wait until its event is settled. */
#define CO_HELD ((uint16_t)1 << 8)
/* A name, a user's pointer, a stack of another size, or that is cut when it is
 * free; has had something in `defers`; was left from the middle. */
#define CO_SPECIAL ((uint16_t)1 << 7)

/* A million of these shall fit: three cache lines. */
struct co {
    struct moat_activation
        activation; /* first: the handle is its first field */
    struct moat_thread *owner;
    void *user;
    char *name;                /* malloc'd; NULL: none         */
    struct moat_defer *defers; /* last registered first        */
};

/* The exception of an unwinding; must not lie on the stack that is unwound.
 * libstdc++ looks for its own header in front of whatever std::terminate ends
 * (__cxa_current_exception_type) and must find zeros: no type. */
struct moat_unwinding {
    unsigned char no_header[128];
    struct _Unwind_Exception exception;
};

/* The cold part of the slot: no page of it is touched before it is needed. */
struct co_cold {
    struct moat_trap_record trap; /* first; written by the trap layer    */
    /* The resumer's frame when the trap was settled: its return address and its
     * stack pointer, to find the frame again as long as it lives. */
    uintptr_t resumer_pc, resumer_sp;
    /* flags & CO_LIMITED; the second is what was in force before its own. */
    moat_limits limits;
    struct moat_deadline_scope outer_limits;
    moat_script script;      /* flags & CO_SCRIPTED                       */
    char language[16];       /* the script's                              */
    moat_entry entry;        /* the guest's, where a sanitizer is at work */
    struct moat_fiber fiber; /* the sanitizer's                           */
    struct moat_unwinding unwinding; /* of moat_co_unwind             */
    unsigned unwindings; /* begun and not caught, since the slot was made     */
    /* flags & CO_ENDING: the guest that runs the functions, NULL for the host,
     * and what that guest was ending before. */
    struct co *ending_by, *ending_outer;
    struct co *ends; /* flags & CO_ENDS: the innermost that it is ending   */
};

#define CO_ENTRY_BYTES ((sizeof(struct co) + 63) / 64 * 64)
#define CO_COLD_BYTES  ((sizeof(struct co_cold) + 63) / 64 * 64)
_Static_assert(CO_ENTRY_BYTES == 192, "a coroutine grew beyond three lines");

static inline struct co *co_of(const moat_co *handle)
{
    return (struct co *)handle;
}

static inline moat_co *handle_of(struct co *co)
{
    return &co->activation.co;
}

static inline struct co_cold *cold_of(const struct co *co)
{
    return moat_slot_cold(&co->activation.slot);
}

/*
 * A thread that has been attached. On the engine's list until it has ended and
 * its last coroutine is destroyed.
 */
struct moat_thread {
    struct moat_thread *next, *previous;
    uint64_t token;             /* multiple of MOAT_TOKEN_STEP, never reused  */
    atomic_bool alive;          /* cleared under the engine's lock            */
    atomic_size_t live;         /* coroutines, the spare ones among them      */
    const struct moat_tls *tls; /* while it is alive                  */
    bool lost; /* it was another one's when the process forked        */
    sigset_t were_blocked; /* of the signals of a fault, before the attach   */
    uintptr_t stack_limit, stack_base; /* its own; 0: not known              */
    struct moat_pool pool; /* used by the thread itself                  */
    size_t usable_bytes, guard_bytes;     /* what `stack_class` was got for   */
    struct moat_stack_class *stack_class; /* the last one used                */
};

/* --- engine.c ---------------------------------------------------------------
 */

/* Init with defaults if nobody did. */
moat_status moat_engine_ready(void);

/* The deadline signal's handler, installed at the first limit. */
moat_status moat_engine_need_deadlines(void);

void moat_engine_lock(void);
void moat_engine_unlock(void);

/* --- thread.c ---------------------------------------------------------------
 */

/* This thread, or NULL if it is not attached. */
struct moat_thread *moat_thread_self(void);

/* Attaches it if it is not; looks no further. */
moat_status moat_thread_ready(void);

/* Makes the key that detaches threads at their end; once per process. */
moat_status moat_thread_prepare(void);

size_t moat_thread_live_total(void);

/* Is another thread than this one attached? Caller holds the engine's lock. */
bool moat_thread_others(void);

/* One coroutine more, of this thread. */
void moat_thread_take(struct moat_thread *thread);

/* One coroutine less; frees a thread that is gone. */
void moat_thread_release(struct moat_thread *thread);

/* In a forked child: the other threads are gone. */
void moat_thread_after_fork(void);

/* Frees what is left of ended threads. Caller holds the engine's lock. */
void moat_thread_forget_all(void);

/* --- co.c --------------------------------------------------------------------
 */

/* Spare coroutines of a thread: ended and destroyed by the inline functions,
 * and counted among its live ones. */
size_t moat_spares_count(const struct moat_tls *tls);

/* Gives this thread's to its pool. */
void moat_spares_drop(struct moat_thread *thread);

/* --- options.c --------------------------------------------------------------
 */

/* Copies an extensible struct: a longer one must end in zeros (else
 * MOAT_E_UNSUPPORTED), a shorter one than any version had is MOAT_E_INVAL. */
moat_status moat_options_copy(void *to, size_t to_bytes, const void *from,
                              size_t least_bytes);

/* Copies out as much of `from` as the caller's struct has room for. */
void moat_options_copy_out(void *to, const void *from, size_t from_bytes);

/* --- limits.c ---------------------------------------------------------------
 */

/* Checks limits for what this build can enforce. *limited: is there any? */
moat_status moat_limits_check(const moat_limits *asked, moat_limits *out,
                              bool *limited);

/* --- hold.c: the engine's own code on a guest's stack -----------------------
 */

moat_status moat_guest_hold_begin(size_t stack_bytes);
void moat_guest_hold_end(void);
void moat_guest_hold_enter(void);
void moat_guest_hold_leave(void);
void moat_guest_hold_require(size_t stack_bytes);

/* Between the two a deadline waits, as it would cut the engine half-way. The
 * first checks that `stack_bytes` are left: MOAT_E_LIMIT. The host has neither
 * deadlines nor a limit. */
static inline moat_status moat_hold_begin(size_t stack_bytes)
{
    return moat_trap_current() != NULL ? moat_guest_hold_begin(stack_bytes)
                                       : MOAT_OK;
}

static inline void moat_hold_end(void)
{
    if (moat_trap_current() != NULL)
        moat_guest_hold_end();
}

/* The same without a check, for what must not fail; and without a look at what
 * came meanwhile, for which the timer comes again. */
static inline void moat_hold_enter(void)
{
    if (moat_trap_current() != NULL)
        moat_guest_hold_enter();
}

static inline void moat_hold_leave(void)
{
    if (moat_trap_current() != NULL)
        moat_guest_hold_leave();
}

/* For what has no status: a guest that has not so much stack left overflows
 * here, before anything is lost. In a no-trap section that is fatal, like any
 * overflow; so it is under a policy that does not let moat's code be cut. */
static inline void moat_hold_require(size_t stack_bytes)
{
    if (moat_trap_current() != NULL)
        moat_guest_hold_require(stack_bytes);
}

/* Stack that the engine's entry points need at most: most of them; the way to a
 * service on the resumer's stack, which an allocator may go for each block;
 * unwinding; reading symbol tables and line tables, which is libdw's work and
 * takes most by far (measured: 160 KiB). */
#define MOAT_HOLD_BYTES        ((size_t)8 << 10)
#define MOAT_HOLD_CALL_BYTES   ((size_t)2 << 10)
#define MOAT_HOLD_UNWIND_BYTES ((size_t)48 << 10)
#define MOAT_HOLD_SYMBOL_BYTES ((size_t)192 << 10)

/* --- code.c -----------------------------------------------------------------
 */

/* Around fork, and whatever registers or unregisters. */
void moat_code_lock(void);
void moat_code_unlock(void);

/* --- perf_map.c ------------------------------------------------------------
 */

/* Tells perf of code that was registered, if the environment wants it. Under
 * the lock of code.c. */
void moat_perf_map_add(const moat_code *code);

/* --- jitdump.c --------------------------------------------------------------
 */

/* The same, with its bytes and lines. */
void moat_jitdump_add(const moat_code *code);

/* --- fault.c ---------------------------------------------------------------
 */

/* The record of the last fault, decoded, as far as the struct_size says. */
void moat_fault_describe(const struct co *co, moat_trap_info *out);

/* --- call.c --------------------------------------------------------------- */

/* A call on the resumer's stack that is going on; lies on the guest's. */
struct moat_visit {
    struct moat_visit *outer; /* begun before this one, on this thread */
    moat_co *co;              /* the guest                             */
    void *(*fn)(void *);
    void *arg;
    uint32_t sections; /* the resumer's no-trap ones, the call's own among
                          them; 0 if the resumer is the host               */
};

/* This thread's, innermost first. */
const struct moat_visit *moat_call_visits(void);

/* Does a service run on the stack of this one, which is the running coroutine?
 * How many no-trap sections of it were open when the call had opened its own?
 * 0: none does. */
uint32_t moat_call_sections(const struct moat_activation *activation);

/* --- resume.c ----------------------------------------------------------------
 */

/* Makes a coroutine ready to be entered. */
void moat_resume_prepare(struct co *co, moat_entry entry);

/* May it be resumed, cancelled or switched to by this thread? */
moat_status moat_resume_allowed(const struct co *co);

/* The same of the arguments of a resume or a cancel. */
moat_status moat_resume_check(const struct co *co, const moat_event *out);

/* The scope of its limits and the limits; NULL: it has none. */
struct moat_deadline_scope *moat_limits_scope(const struct co *co);

/* Everything of a resume that is checked, up to its way back. On MOAT_OK
 * deadlines are held off; note the resumer of a trap, then finish: of back->co.
 */
moat_status moat_resume_run(struct co *co, void *input, uint64_t command,
                            struct moat_switched *back);

/* What a yield, a return or a trap needs; fills in the event. Deadlines come
 * again before the functions of moat_co_defer run. */
moat_status moat_resume_finish(const struct moat_switched *back,
                               moat_event *out);

/* Where to find the frame of the function that resumed: the caller of the one
 * in which this stands, for what follows returns into it. Its stack pointer is
 * the one before the call. */
#define MOAT_NOTE_RESUMER(co)                                             \
    do {                                                                  \
        cold_of(co)->resumer_pc = (uintptr_t)__builtin_return_address(0); \
        cold_of(co)->resumer_sp =                                         \
            (uintptr_t)__builtin_frame_address(0) + 2 * sizeof(void *);   \
    } while (0)

/* MOAT_OK if this thread owns the coroutine; else MOAT_E_THREAD. */
moat_status moat_co_check_owner(const struct co *co);

/* --- defers.c ---------------------------------------------------------------
 */

/* Ends a stopped coroutine: it is DONE or TRAPPED from here on, and its defer
 * list runs, last registered first. */
void moat_defers_run(struct co *co);

/* Is somebody in the middle of that? Then it can be neither reset nor
 * destroyed. */
bool moat_is_ending(struct co *co);

/* Which coroutine `by` began to end last, and has not ended yet; NULL: none. */
struct co *moat_ending_innermost(const struct co *by);

/* `by` will not go on with those it is ending, but for `down_to` and what it
 * began before. */
void moat_ending_drop(struct co *by, const struct co *down_to);

/* --- exceptions.c ------------------------------------------------------------
 */

/* The exceptions that C++ takes to be in flight on this thread. */
unsigned moat_exceptions_uncaught(void);
void moat_exceptions_set_uncaught(unsigned count);

/* One has ended at a root frame. */
void moat_exceptions_landed(const struct _Unwind_Exception *exception);

/* --- cancel.c ----------------------------------------------------------------
 */

/* How many unwindings of the running coroutine have begun that it has not
 * caught; good for a comparison with an earlier answer only. */
unsigned moat_unwindings(const struct co *co);

/* Unwinds a suspended coroutine that is about to be destroyed, as far as its
 * own code lets it. */
void moat_cancel_for_destroy(struct co *co);

/* --- backtrace.c --------------------------------------------------------- */

/* The walk is neither cut by a deadline nor torn by a fork. */
moat_status moat_backtrace_begin(size_t stack_bytes);
void moat_backtrace_end(void);

/* A backtrace of any depth: the innermost frames, and from the root outwards.
 */
#define MOAT_BOTH_ENDS_FRAMES  ((size_t)4096)
#define MOAT_BOTH_ENDS_RESERVE ((size_t)512)

struct moat_both_ends {
    moat_frame frames[MOAT_BOTH_ENDS_FRAMES];
    size_t count;
    size_t left_out; /* the guest's outermost frames, if not all fitted: they
                        belong behind frame FRAMES - RESERVE - 1          */
};

/* The first frame behind those that were left out. */
static inline size_t moat_both_ends_gap(const struct moat_both_ends *ends)
{
    return ends->left_out > 0 ? MOAT_BOTH_ENDS_FRAMES - MOAT_BOTH_ENDS_RESERVE
                              : ends->count;
}

/* Counts those that were left out. */
static inline size_t moat_both_ends_number(const struct moat_both_ends *ends,
                                           size_t i)
{
    return i < moat_both_ends_gap(ends) ? i : i + ends->left_out;
}

/* The stack pointer of the caller of the function that this is used in: the
 * frames before that one are the library's, and are not shown. */
#define MOAT_CALLER_SP \
    ((uintptr_t)__builtin_frame_address(0) + 2 * sizeof(void *))

moat_status moat_backtrace_both_ends(const moat_co *handle, uintptr_t from_sp,
                                     struct moat_both_ends *out);

/* Shows the frames of a trapped coroutine, innermost first, up to and with its
 * root, to `see`, until that says false. */
moat_status moat_backtrace_guest(const struct co *co,
                                 bool (*see)(const moat_frame *, void *),
                                 void *arg);

/* The registers of the frame that resumed a trapped coroutine, as a backtrace
 * shows it, for the caller of the frame with `from_sp`; zeros if it is gone. */
moat_status moat_backtrace_resumer(const struct co *co, uintptr_t from_sp,
                                   moat_regs *out);

/* --- frame.c ------------------------------------------------------------- */

/* A return address may be the first byte of the next line or function. */
static inline uintptr_t moat_frame_lookup_pc(uintptr_t pc, unsigned flags)
{
    return flags & MOAT_FRAME_TRAP ? pc : pc - 1;
}

struct moat_symbol;
moat_status moat_frame_symbolise(const moat_frame *frame,
                                 struct moat_symbol *out);

/* --- script.c ------------------------------------------------------------ */

/* Copies and checks what the options say of a script. */
moat_status moat_script_check(const moat_script *asked, moat_script *out);
void moat_script_set(struct co *co, const moat_script *script);

/* A frame of a script that was kept. */
struct moat_script_line {
    size_t number;     /* among the script's, 0 is the innermost             */
    size_t gap;        /* how many before it are missing                     */
    size_t activation; /* of the loop that runs it: how many lie further in  */
    bool after_skip;   /* of which there may be more than were counted       */
    size_t place;      /* the native frame behind which it stands            */
    bool in_gap;       /* and behind it native frames were left out          */
    const char *language;
    int line;
    char function[96], source[128];
};

/* The frames of one coroutine's script. */
struct moat_script_walk {
    const moat_co *co;
    struct moat_script_line
        *lines; /* the first `head`, then a ring: the last */
    size_t head, room;
    size_t count;       /* all that were named                        */
    size_t skipped;     /* and that were not                          */
    size_t activations; /* that have been left behind                 */
    const char *error;  /* why it is not complete; NULL: it is. Static */
};

/* Reads the lines of the walk's coroutine; gives the error, NULL: none. */
const char *moat_script_read(struct moat_script_walk *walk);

/* --- places.c ------------------------------------------------------------ */

#define MOAT_SCRIPT_LINES_MAX ((size_t)2048)
#define MOAT_SCRIPT_WALKS_MAX ((size_t)32)

/* The scripts in a backtrace. */
struct moat_scripts {
    struct moat_script_walk walks[MOAT_SCRIPT_WALKS_MAX];
    size_t walk_count;
    struct moat_script_line lines[MOAT_SCRIPT_LINES_MAX];
    size_t used;                           /* of these             */
    uint16_t order[MOAT_SCRIPT_LINES_MAX]; /* by place             */
    size_t count;                          /* of these             */
    uint16_t loops[MOAT_BOTH_ENDS_FRAMES]; /* of one walk          */
};

/* Reads the scripts of all coroutines in the backtrace; `out` is zero. */
void moat_scripts_read(const struct moat_both_ends *ends,
                       struct moat_scripts *out);

/* Of the coroutine: why frames of its script are missing; NULL: none are. */
const char *moat_scripts_error(const struct moat_scripts *scripts,
                               const moat_co *co);

static inline const struct moat_script_line *
moat_scripts_line(const struct moat_scripts *scripts, size_t i)
{
    return &scripts->lines[scripts->order[i]];
}

/* --- poison.c ------------------------------------------------------------ */

/* Has any coroutine been found poisoned so far? Then the heap, stdio and the
 * dynamic linker are out of bounds for the engine. */
bool moat_poison_seen(void);

/* Finds out about this one, if nobody has yet. */
void moat_poison_look(const moat_co *handle);

/* --- text.c -------------------------------------------------------------- */

struct moat_text {
    int fd;
    char *buffer;
    size_t size, used;
    moat_status status; /* of the writes so far */
};

void moat_text_begin(struct moat_text *text, int fd, char *buffer, size_t size);
__attribute__((format(printf, 2, 3))) void
moat_text_put(struct moat_text *text, const char *format, ...);
moat_status moat_text_end(struct moat_text *text);

/* All of it, whatever comes in between; errno says why not. */
moat_status moat_write_all(int fd, const void *from, size_t count);

/* --- report.c, json.c ---------------------------------------------------- */

/* One that is being written; a mapping of its own, because the heap may be out
 * of bounds. */
struct moat_report {
    const moat_co *co;
    moat_trap_info info;
    const char *lock_function; /* NULL: none, or not known */
    struct moat_both_ends ends;
    struct moat_scripts scripts;
    struct moat_text text;
    char buffer[(size_t)1 << 20]; /* more than a report: it is one write */
};

/* The trap record, and all frames of a trapped coroutine. Holds off deadlines
 * until moat_report_end, which writes what was put into `text`. */
moat_status moat_report_begin(const moat_co *co, int fd, uintptr_t from_sp,
                              struct moat_report **out);
moat_status moat_report_end(struct moat_report *report);

#endif
