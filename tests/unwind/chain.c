/*
 * chain.c: the unwinders, and the comparison of their results.
 *
 * glibc's backtrace and libgcc's _Unwind_Backtrace are looked up in their own
 * libraries, because libunwind defines symbols of the same names, and the link
 * order decides which one a program gets. That one is tested, too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/unwind/chain.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

static int failures;

bool chain_check(bool holds, const char *what, const char *file, int line)
{
    if (!holds) {
        printf("%s:%d: does not hold: %s\n", file, line, what);
        failures++;
    }
    return holds;
}

int chain_result(void)
{
    printf("%d failed\n", failures);
    return failures != 0;
}

/* Returns a function of a library, even if symbols of the program hide it. */
static void *library_function(const char *library, const char *name)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    void *function = handle ? dlsym(handle, name) : NULL;

    if (function == NULL) {
        printf("%s of %s: %s\n", name, library, dlerror());
        exit(1);
    }
    return function;
}

static void push(struct chain *out, uintptr_t pc)
{
    if (out->count < CHAIN_MAX)
        out->pc[out->count++] = pc;
}

FRAME static void walk_moat(struct chain *out)
{
    static moat_frame frames[CHAIN_MAX];
    size_t count = 0;

    CHECK(moat_backtrace(frames, CHAIN_MAX, &count) == MOAT_OK);
    chain_from_frames(out, frames, count, 0);
}

/* Only where every function has frame records: the sanitizers' part of a switch
 * has none. */
#if defined(CHAIN_BY_RECORDS) && !UNDER_ASAN
#    define BY_RECORDS {"moat_backtrace_fp", walk_records},

FRAME static void walk_records(struct chain *out)
{
    static moat_frame frames[CHAIN_MAX];
    size_t count = 0;

    CHECK(moat_backtrace_fp(frames, CHAIN_MAX, &count) == MOAT_OK);
    chain_from_frames(out, frames, count, 0);
}
#else
#    define BY_RECORDS
#endif

FRAME static void walk_libunwind(struct chain *out)
{
    unw_context_t context;
    unw_cursor_t cursor;
    unw_word_t pc = 0;
    int more;

    CHECK(unw_getcontext(&context) == 0);
    CHECK(unw_init_local(&cursor, &context) == 0);
    do {
        CHECK(unw_get_reg(&cursor, UNW_REG_IP, &pc) == 0);
        push(out, (uintptr_t)pc);
        more = unw_step(&cursor);
    } while (more > 0 && out->count < CHAIN_MAX);
    CHECK(more == 0);
}

static _Unwind_Reason_Code take(struct _Unwind_Context *context, void *argument)
{
    push(argument, (uintptr_t)_Unwind_GetIP(context));
    return _URC_NO_REASON;
}

typedef _Unwind_Reason_Code (*unwind_backtrace)(_Unwind_Trace_Fn, void *);

FRAME static void walk_libgcc(struct chain *out)
{
    void *found = library_function("libgcc_s.so.1", "_Unwind_Backtrace");
    unwind_backtrace walk;

    memcpy(&walk, &found, sizeof(walk));
    CHECK(walk(take, out) == _URC_END_OF_STACK);
}

FRAME static void walk_linked(struct chain *out)
{
    (void)_Unwind_Backtrace(take, out);
    KEEP_FRAME();
}

typedef int (*glibc_backtrace)(void **, int);

static void copy_pointers(struct chain *out, void *const *pointers, int count)
{
    for (int i = 0; i < count; i++)
        push(out, (uintptr_t)pointers[i]);
}

FRAME static void walk_glibc(struct chain *out)
{
    static void *pointers[CHAIN_MAX];
    void *found = library_function("libc.so.6", "backtrace");
    glibc_backtrace walk;

    memcpy(&walk, &found, sizeof(walk));
    copy_pointers(out, pointers, walk(pointers, CHAIN_MAX));
}

FRAME static void walk_linked_backtrace(struct chain *out)
{
    static void *pointers[CHAIN_MAX];

    copy_pointers(out, pointers, backtrace(pointers, CHAIN_MAX));
}

const struct chain_walker chain_walkers[] = {
    {"moat_backtrace", walk_moat},
    BY_RECORDS{"libunwind's unw_step", walk_libunwind},
    {"libgcc's _Unwind_Backtrace", walk_libgcc},
    {"_Unwind_Backtrace as linked", walk_linked},
    {"glibc's backtrace", walk_glibc},
    {"backtrace as linked", walk_linked_backtrace},
    {NULL, NULL},
};

const char *chain_name(uintptr_t pc)
{
    Dl_info info;

    /* Subtracts one, because a return address may already belong to the next
     * function. */
    if (pc == 0 || dladdr((const char *)pc - 1, &info) == 0 ||
        info.dli_sname == NULL)
        return "?";
    return info.dli_sname;
}

static void print_chain(const struct chain *chain)
{
    for (size_t i = 0; i < chain->count && i < 64; i++)
        printf("    %2zu %#lx %s\n", i, (unsigned long)chain->pc[i],
               chain_name(chain->pc[i]));
}

bool chain_is_library(uintptr_t pc)
{
    const char *name;

    if (!UNDER_ASAN)
        return false;
    name = chain_name(pc);
    return strcmp(name, "?") == 0 ||
           (strncmp(name, "moat_", 5) == 0 && strcmp(name, "moat_root") != 0);
}

static bool matches_from(const struct chain *chain, size_t at,
                         const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++, at++) {
        while (at < chain->count && chain_is_library(chain->pc[at]))
            at++;
        if (at >= chain->count)
            return false;
        if (strcmp(names[i], "*") != 0 &&
            strcmp(names[i], chain_name(chain->pc[at])) != 0)
            return false;
    }
    return true;
}

bool chain_matches(const char *what, const struct chain *chain,
                   const char *const *names)
{
    for (size_t first = 0; first < chain->count; first++)
        if (strcmp(chain_name(chain->pc[first]), names[0]) == 0) {
            if (matches_from(chain, first, names))
                return true;
            break;
        }
    printf("%s: expected", what);
    for (size_t i = 0; names[i] != NULL; i++)
        printf(" %s", names[i]);
    printf("; found\n");
    print_chain(chain);
    return false;
}

void chain_from_frames(struct chain *out, const moat_frame *frames,
                       size_t count, size_t first)
{
    out->count = 0;
    for (size_t i = first; i < count; i++)
        push(out, frames[i].flags & MOAT_FRAME_TRAP ? frames[i].pc + 1
                                                    : frames[i].pc);
}
