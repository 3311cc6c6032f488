/*
 * test_leftovers.c: what scripts leave in the memory of their thread, which the
 * next one uses. A language around Lua searches it all, from the guest's own
 * stack, before the interpreter is made: the stack, the heap, the buffers of
 * the output and of the file.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include <moat/moat.h>

#include "guest.h"
#include "script.h"
#include "start.h"

/* Of the scripts below. It is kept in two halves here, so that the search finds
 * only theirs. */
#define FIRST_HALF  "marked-by-"
#define SECOND_HALF "a-script"
#define MARKER      FIRST_HALF SECOND_HALF

/* A heap has addresses for twice its quota, and tables of about 1 % of them.
 * Its tables and first pages are accessible from the beginning, whether they
 * are in use or not. */
#define QUOTA_BYTES ((size_t)4 << 20)
#define HEAP_BYTES  (2 * QUOTA_BYTES + QUOTA_BYTES / 8)
#define WILD_OFFSET ((size_t)380 * 1024)

/* What the search saw: before a script, and after it, to show that the search
 * finds what is there. */
struct seen {
    size_t heap, stack, output, source;
};
static struct seen before, after;
static size_t scripts_searched;

static size_t count_in(const char *text, size_t bytes)
{
    size_t half = sizeof FIRST_HALF - 1, count = 0;
    const char *end = text + bytes;

    while (text < end &&
           (text = memmem(text, (size_t)(end - text), FIRST_HALF, half)) != 0) {
        text += half;
        if ((size_t)(end - text) >= sizeof SECOND_HALF - 1)
            count += memcmp(text, SECOND_HALF, sizeof SECOND_HALF - 1) == 0;
    }
    return count;
}

/* A guest's stack may contain pages that were never touched; those of a large
 * heap are not read one by one either. Only pages that are there count. */
static size_t count_resident(const char *start, size_t bytes)
{
    static _Thread_local char copy[1 << 16];
    size_t count = 0;

    for (size_t i = 0; i < bytes; i += sizeof copy) {
        size_t length = bytes - i < sizeof copy ? bytes - i : sizeof copy;
        struct iovec from = {(char *)start + i, length};
        struct iovec to = {copy, length};
        ssize_t got = process_vm_readv(getpid(), &to, 1, &from, 1, 0);

        count += got > 0 ? count_in(copy, (size_t)got) : 0;
    }
    return count;
}

static void search(const struct guest *guest, struct seen *seen)
{
    const struct source *source = &guest->source;
    moat_stack_info stack;

    moat_notrap_enter();
    if (moat_stack_bounds(&stack) != MOAT_OK)
        abort();
    seen->stack +=
        count_resident((char *)stack.limit,
                       (uintptr_t)__builtin_frame_address(0) - stack.limit);
    seen->heap += count_resident((const char *)guest->heap, HEAP_BYTES);
    seen->output +=
        count_resident(guest->capture.text.start, guest->capture.text.bytes);
    seen->source += count_resident(source->buffer, source->capacity) -
                    count_in(source->text, source->bytes);
    moat_notrap_leave();
}

static enum guest_end open_and_search(struct guest *guest)
{
    search(guest, &before);
    scripts_searched++;
    if (moat_heap_used(guest->heap) != 0 || moat_heap_peak(guest->heap) != 0 ||
        guest->capture.bytes != 0 || guest->capture.dropped != 0)
        abort();
    return lua_language.open(guest);
}

/* What native code can do, where neither the allocator nor the buffer of the
 * output knows of it. */
static enum { TAME, WILD_RETURN, WILD_TRAP } manner;

static void write_wildly(const struct mapping *mapping)
{
    strcpy(mapping->start + mapping->bytes - 100, MARKER);
    strcpy(mapping->start + mapping->bytes / 2, MARKER);
}

static enum guest_end run_and_search(struct guest *guest)
{
    enum guest_end end = lua_language.run(guest);

    if (manner != TAME) {
        strcpy((char *)guest->heap + WILD_OFFSET, MARKER);
        write_wildly(&guest->capture.text);
    }
    search(guest, &after);
    if (manner == WILD_TRAP)
        moat_trap_raise(7);
    return end;
}

static struct guest_language language;

/* Each ends in another way. All have the marker in their text, in strings and
 * tables, in the output, and on the C stack: that of gsub's buffer. */
#define PLANT                                 \
    "local m, keep = '" MARKER "', {} "       \
    "for i = 1, 200 do keep[i] = m .. i end " \
    "print(m, (('x'):rep(300):gsub('.', function() return m end))) "
static const struct {
    const char *text;
    enum verdict verdict;
} scripts[] = {
    {PLANT, VERDICT_OK},
    {PLANT "error(m)", VERDICT_ERROR},
    {PLANT "x = ", VERDICT_LOAD_ERROR},
    {PLANT "local function f(s) return (s:gsub('.', f)) end f(m)",
     VERDICT_STACK_OVERFLOW},
    {PLANT "while true do keep[#keep + 1] = m .. #keep end",
     VERDICT_MEMORY_LIMIT},
    {PLANT "while true do pcall(string.rep, m, 9) end", VERDICT_TIME_LIMIT},
    {PLANT "for i = 1, 100000 do io.write(m) end", VERDICT_OK},
    {PLANT "setmetatable({}, {__gc = function() print(m) end})", VERDICT_OK},
    {PLANT "local t = {} for i = 1, 10000 do t[i] = m .. i end", VERDICT_OK},
    {PLANT "coroutine.wrap(function() local s = m:rep(1000) "
           "coroutine.yield(s) end)()",
     VERDICT_OK}};
#define SCRIPTS (sizeof scripts / sizeof scripts[0])

static char folder[] = "/tmp/moat-leftovers-XXXXXX";
static char paths[SCRIPTS][64];
static char *files[SCRIPTS];

static void write_scripts(void)
{
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < SCRIPTS; i++) {
        FILE *out;

        snprintf(paths[i], sizeof paths[i], "%s/%zu.lua", folder, i);
        out = fopen(paths[i], "w");
        assert_non_null(out);
        /* The longer ones end where the others do not reach. */
        fprintf(out, "%*s%s", (int)(SCRIPTS - i) * 500, "", scripts[i].text);
        assert_int_equal(fclose(out), 0);
        files[i] = paths[i];
    }
}

static void remove_scripts(void)
{
    for (size_t i = 0; i < SCRIPTS; i++)
        assert_int_equal(unlink(paths[i]), 0);
    assert_int_equal(rmdir(folder), 0);
}

static struct run_options some_options(void)
{
    return (struct run_options){.language = &language,
                                .stack_bytes = (uint64_t)64 * 1024,
                                .memory_bytes = QUOTA_BYTES,
                                .output_bytes = (uint64_t)1 << 20,
                                .json = true,
                                .read_fd = -1,
                                .core_fd = -1,
                                .files = files,
                                .file_count = SCRIPTS};
}

/* Only the one that loops for ever has a limit. */
static void run_all(struct guest *guest, struct run_options *options,
                    unsigned stride)
{
    for (size_t i = 0; i < SCRIPTS; i++) {
        size_t index = i * stride % SCRIPTS;
        struct result *result = result_new(options, index);

        options->cpu_ns =
            scripts[index].verdict == VERDICT_TIME_LIMIT ? 20000000 : 0;
        assert_non_null(result);
        script_run(guest, result);
        assert_int_equal(result->verdict, scripts[index].verdict);
        result_free(result);
    }
}

static void expect_nothing(void)
{
    assert_int_equal(before.heap, 0);
    assert_int_equal(before.stack, 0);
    assert_int_equal(before.output, 0);
    assert_int_equal(before.source, 0);
    /* The search finds what is there. */
    assert_true(after.heap > 0 && after.stack > 0 && after.output > 0);
}

/* Each test starts the engine, because cmocka has installed handlers of its
 * own. */
static void begin(struct guest *guest, struct run_options *options)
{
    assert_true(engine_start("test_leftovers"));
    *options = some_options();
    guest_init(guest, options);
    memset(&before, 0, sizeof before);
    memset(&after, 0, sizeof after);
    manner = TAME;
    scripts_searched = 0;
}

static void end(struct guest *guest)
{
    guest_close(guest);
    assert_int_equal(moat_engine_shutdown(), MOAT_OK);
}

/* More scripts than stacks wait to be scrubbed together. */
static void nothing_is_left(void **state)
{
    struct run_options options;
    struct guest guest;

    (void)state;
    begin(&guest, &options);
    for (unsigned round = 0; round < 9; round++)
        run_all(&guest, &options, (const unsigned[]){1, 3, 7, 9}[round % 4]);
    options.stack_use = true;
    run_all(&guest, &options, 1);
    end(&guest);
    assert_int_equal(scripts_searched, 10 * SCRIPTS);
    expect_nothing();
}

static void run_wild(struct guest *guest, enum verdict wanted)
{
    struct result *result = result_new(guest->options, 0);

    assert_non_null(result);
    script_run(guest, result);
    assert_int_equal(result->verdict, wanted);
    result_free(result);
}

static void native_code_leaves_nothing(void **state)
{
    struct run_options options;
    struct guest guest;

    (void)state;
    begin(&guest, &options);
    manner = WILD_TRAP;
    for (int i = 0; i < 3; i++)
        run_wild(&guest, VERDICT_FAULT);
    manner = WILD_RETURN;
    options.module_count = 1;
    for (int i = 0; i < 3; i++)
        run_wild(&guest, VERDICT_OK);
    end(&guest);
    assert_int_equal(scripts_searched, 6);
    expect_nothing();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left),
        cmocka_unit_test(native_code_leaves_nothing)};
    int failed;

    language = lua_language;
    language.open = open_and_search;
    language.run = run_and_search;
    write_scripts();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_scripts();
    return failed;
}
