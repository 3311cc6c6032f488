/*
 * guest.h: one script on its coroutine, and the interface of its language.
 *
 * A language is a struct guest_language. The rest of the command knows scripts
 * only through it, so a second language is a folder beside lua/ and an object
 * like lua_language.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_GUEST_H
#define HOST_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/co.h>
#include <moat/heap.h>
#include <moat/script.h>

#include "mapping.h"
#include "options.h"
#include "source.h"

/* The script's output, up to a limit. Bytes past the limit are only counted. */
struct capture {
    struct mapping text;
    size_t bytes;
    size_t capacity; /* the limit: no more than the mapping has */
    size_t dropped;
};

/* The step that a guest has reached; its finalizers belong to the last. */
enum guest_phase { GUEST_OPENING, GUEST_LOADING, GUEST_RUNNING };

/* How a step ended. */
enum guest_end { GUEST_FINE, GUEST_FAILED, GUEST_OUT_OF_MEMORY };

/* A thread uses one for all of its scripts. */
struct guest {
    const struct run_options *options;
    const char *file; /* as the user named it */
    struct source source;
    moat_heap *heap; /* all of the interpreter's memory; NULL: not made yet */
    struct capture capture;
    uint64_t random[3]; /* for the interpreter's hashes and generators */
    double cpu_start;   /* of the thread, when the script began, and later by
                           what it did not use of it since; seconds */
    double cpu_used;    /* by the script, when its last slice ended */
    moat_co *co;        /* on which the script runs */

    unsigned host_sections; /* of guest_host_enter */

    /* Written on the guest's stack and read by the host after the resume.
     * `interpreter` belongs to the language; NULL when there is none. */
    void *interpreter;
    void *state_block; /* the language's: the block that the state lies in */
    enum guest_phase phase;
    enum guest_end end;  /* valid once the guest has returned     */
    const char *message; /* in the guest's heap; NULL: no error   */
    size_t message_bytes;
};

/*
 * The operations of a language. `open_module` runs on the host's stack before
 * any script does. `open`, `load` and `run` are called in this order, on the
 * guest's stack, until one of them fails; `close` follows only if none did.
 * These four may be stopped at any instruction, so they must hold no lock that
 * the host or another guest could want: memory comes from guest->heap, output
 * goes to guest->capture, and library calls that lock are made in no-trap
 * sections. A step that fails leaves its error in guest->message.
 */
struct guest_language {
    const char *version; /* "Lua 5.4.4" */

    /* Loads the shared object of a --module. On failure it writes the reason to
     * stderr and returns false. */
    bool (*open_module)(struct module *module);

    enum guest_end (*open)(struct guest *guest); /* the interpreter   */
    enum guest_end (*load)(struct guest *guest); /* the script's text */
    enum guest_end (*run)(struct guest *guest);
    void (*close)(struct guest *guest); /* runs finalizers */

    /* Reads the script's call stack, wherever the guest was stopped. The `user`
     * of the coroutine is the struct guest. */
    const moat_script *frames;
};

extern const struct guest_language lua_language;

/* Prepares for the thread's first script, or its next. guest_begin makes the
 * heap and the output buffer unless the one before has left them. It returns
 * NULL, or the name of the part that failed, with errno. */
void guest_init(struct guest *guest, const struct run_options *options);
const char *guest_begin(struct guest *guest, const char *file);

/* The CPU time that the script has used since guest_begin. */
double guest_cpu_seconds(const struct guest *guest);

/* Must be called before and after each resume: other scripts may use the
 * thread's time in between. */
void guest_enter(struct guest *guest);
void guest_leave(struct guest *guest);

/* Around code of the host's own that runs on the guest's stack: a no-trap
 * section, whose system calls --syscalls does not concern. */
void guest_host_enter(struct guest *guest);
void guest_host_leave(struct guest *guest);

/* Leaves nothing of what the script allocated and printed. `intact`: it has
 * returned, so the heap and the output buffer know what it wrote. */
void guest_end(struct guest *guest, bool intact);

/* Unmaps all. */
void guest_close(struct guest *guest);

/* Creates the coroutine on which the script runs. */
moat_status guest_create(struct guest *guest);

/* Returns whether the library counts what each script uses. */
bool guest_is_counted(const struct run_options *options);

#endif
