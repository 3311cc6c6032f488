/*
 * symbolise.c: what lies at an address.
 *
 * SPDX-License-Identifier: MIT
 */
#include <link.h>
#include <pthread.h>
#include <string.h>

#include "unwind/row.h"
#include "unwind/symbol_cache.h"

/* Neither libdwfl nor the cache has a locking of its own. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void moat_symbols_lock(void)
{
    (void)pthread_mutex_lock(&lock);
}

void moat_symbols_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

struct question {
    uintptr_t pc;
    uint64_t identity; /* of the file                       */
    bool identified;   /* well enough to be remembered by it */
    bool known;        /* it was in the cache               */
    struct moat_symbol *out;
};

/* Called once: while the dynamic linker goes through its objects none is
 * unloaded. */
static int look_at_module(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct question *question = arg;
    uintptr_t pc = question->pc;

    (void)info;
    (void)size;
    question->identified = moat_object_identity(pc, &question->identity);
    question->known =
        question->identified &&
        moat_symbol_cache_find(pc, question->identity, question->out);
    if (!question->known)
        moat_module_describe(pc, question->out);
    return 1;
}

/* libunwind reads the file's full symbol table, where it has one: prefer its
 * answer if it is nearer. */
static void ask_unwinder(uintptr_t pc, struct moat_symbol *out)
{
    char name[sizeof out->function];
    uintptr_t offset;

    if (out->module[0] == '\0' ||
        !moat_unwind_name(pc, name, sizeof name, &offset))
        return;
    if (out->function[0] != '\0' && offset >= out->offset)
        return;
    memcpy(out->function, name, sizeof name);
    out->offset = offset;
}

static void ask_files(const struct question *question)
{
    moat_lines_find(question->pc, question->identity, question->out);
    if (!moat_lines_available())
        ask_unwinder(question->pc, question->out);
    if (question->identified)
        moat_symbol_cache_store(question->pc, question->identity,
                                question->out);
}

void moat_symbolise(uintptr_t pc, bool with_files, struct moat_symbol *out)
{
    struct question question = {.pc = pc, .out = out};

    memset(out, 0, sizeof *out);
    if (!with_files) {
        moat_module_describe(pc, out);
        return;
    }
    moat_symbols_lock();
    (void)dl_iterate_phdr(look_at_module, &question);
    if (!question.known)
        ask_files(&question);
    moat_symbols_unlock();
}
