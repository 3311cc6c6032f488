/*
 * exception_info.c: what an exception that left a guest is.
 *
 * Sources: the C++ ABI for Itanium, Exception Handling, 2.2 (the header before
 * an exception object) and 2.9 (type_info); libstdc++'s typeinfo, whose virtual
 * functions catch handlers call, and whose order is part of its ABI.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#include <moat/moat.h>

#include "engine/exceptions.h"
#include "engine/nointr.h"
#include "engine/options.h"
#include "sys/refusal.h"

/* A program without shared libraries has neither: weak, so that it need not
 * link them. */
#pragma weak dlopen
#pragma weak dlsym

/* Before the header that the unwinder knows: the type is the first of ten
 * words. A dependent exception has the object there, which another one owns. */
#define HEADER_BYTES (10 * sizeof(void *))

/* Of std::type_info, and of std::exception. */
#define VIRTUAL_DO_CATCH 4
#define VIRTUAL_WHAT     2

struct type_info {
    void *const *virtuals;
    const char *name;
};

/* Passed to the reader, which fills in the rest. */
struct question {
    const struct _Unwind_Exception *exception;
    const struct type_info *exception_type; /* std::exception's; NULL: none */
    const struct type_info *type;
    void *object;
    char name[256];
    char *what;
    size_t what_bytes;
};

static void copy_text(char *to, size_t size, const char *from)
{
    size_t i = 0;

    for (; i + 1 < size && from[i] != '\0'; i++)
        to[i] = from[i];
    to[i] = '\0';
}

static void find_type(struct question *question)
{
    const char *header = (const char *)question->exception - HEADER_BYTES;
    const void *word;

    memcpy(&word, header, sizeof word);
    question->object = (void *)(question->exception + 1);
    if ((question->exception->exception_class & 1) != 0) {
        question->object = (void *)word;
        header = (const char *)word - HEADER_BYTES -
                 sizeof(struct _Unwind_Exception);
        memcpy(&word, header, sizeof word);
    }
    question->type = word;
    /* An asterisk marks a name that is compared by address. */
    copy_text(question->name, sizeof question->name,
              question->type->name + (question->type->name[0] == '*'));
}

/* Does what `catch (const std::exception &e) { e.what(); }` does. */
static void ask_what(struct question *question)
{
    bool (*do_catch)(const struct type_info *, const struct type_info *,
                     void **, unsigned);
    const char *(*what)(const void *);
    void *object = question->object;
    void *const *virtuals;

    memcpy(&do_catch, &question->exception_type->virtuals[VIRTUAL_DO_CATCH],
           sizeof do_catch);
    if (!do_catch(question->exception_type, question->type, &object, 1))
        return;
    memcpy(&virtuals, object, sizeof virtuals);
    memcpy(&what, &virtuals[VIRTUAL_WHAT], sizeof what);
    copy_text(question->what, question->what_bytes, what(object));
}

/* A plugin's C++ runtime may be no part of the program's global scope. */
static void *find(const char *name)
{
    void *library, *found = NULL;

    if (dlopen == NULL || dlsym == NULL)
        return NULL;
    library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
    if (library != NULL) {
        found = dlsym(library, name);
        (void)dlclose(library);
    }
    return found != NULL ? found : dlsym(RTLD_DEFAULT, name);
}

static void put_type(const char *name, char *to, size_t size)
{
    char *(*demangle)(const char *, char *, size_t *, int *);
    void *found = find("__cxa_demangle");
    char *plain = NULL;
    int failed;

    memcpy(&demangle, &found, sizeof demangle);
    if (demangle != NULL)
        plain = demangle(name, NULL, NULL, &failed);
    copy_text(to, size, plain != NULL ? plain : name);
    free(plain);
}

/* --- read on a coroutine -------------------------------------------------- */

/* what() is the guest's code: it may fault, and need not return. */
#define READ_WALL_NS UINT64_C(1000000000)

static void *read_it(moat_co *self, void *input)
{
    struct question *question = input;

    (void)self;
    find_type(question);
    if (question->exception_type != NULL)
        ask_what(question);
    return NULL;
}

/* Returns whether what() was read to its end. */
static bool resume(moat_co *reader, struct question *question)
{
    moat_event event;

    if (moat_co_resume_slow(reader, question, &event) != MOAT_OK)
        return false;
    if (event.kind == MOAT_EVENT_PANIC)
        _Unwind_DeleteException(event.value);
    return event.kind == MOAT_EVENT_RETURN;
}

static moat_status read_all(struct question *question)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *reader;
    moat_status status;

    limits.wall_ns = READ_WALL_NS;
    options.limits = &limits;
    status = moat_co_create(&reader, read_it, &options);
    if (status != MOAT_OK)
        return status;
    if (!resume(reader, question))
        question->what[0] = '\0';
    /* Reset first: a cancel would let its cleanup code run once more. */
    status = moat_co_reset(reader);
    moat_co_destroy(reader);
    return status;
}

static moat_status describe(const struct _Unwind_Exception *exception,
                            moat_exception_info *info)
{
    struct question question = {
        .exception = exception,
        .exception_type = find("_ZTISt9exception"),
        .what = info->what,
        .what_bytes = sizeof info->what,
    };
    moat_status status;

    if (!moat_exceptions_are_gnu(exception->exception_class))
        question.exception_type = NULL;
    status = read_all(&question);
    if (status == MOAT_OK)
        put_type(question.name, info->type, sizeof info->type);
    return status;
}

moat_status moat_exception_describe(const void *exception,
                                    moat_exception_info *out)
{
    moat_exception_info info = MOAT_EXCEPTION_INFO_INIT;
    const struct _Unwind_Exception *thrown = exception;
    moat_status status;

    if (exception == NULL || out == NULL)
        return moat_refuse(MOAT_E_INVAL,
                           out == NULL ? "out is NULL" : "exception is NULL");
    status = moat_options_check_out(out, sizeof *out);
    if (status == MOAT_OK)
        status = moat_stack_reserve(MOAT_STACK_FOR_ENTRY);
    if (status != MOAT_OK)
        return status;
    info.is_cxx = moat_exceptions_are_cxx(thrown->exception_class);
    if (info.is_cxx)
        status = describe(thrown, &info);
    if (status != MOAT_OK)
        return status;
    moat_options_copy_out(out, &info, sizeof info);
    return MOAT_OK;
}
