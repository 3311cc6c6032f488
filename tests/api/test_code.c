/*
 * test_code.c: arguments of code registration, and names of code in frames.
 * Traps in registered code are in tests/fault.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <moat/moat.h>

#include "support/eh_frame.h"
#include "support/fixture.h"

#define CODE ((uintptr_t)0x200000000000)

static moat_code range(uintptr_t start, size_t size, const char *name)
{
    moat_code code = MOAT_CODE_INIT;

    memcpy(&code.start, &start, sizeof start);
    code.size = size;
    code.name = name;
    return code;
}

static moat_code_id enrol(uintptr_t start, size_t size, const char *name)
{
    const moat_code code = range(start, size, name);
    moat_code_id id = 0;

    REQUIRE(moat_code_register(&code, &id) == MOAT_OK);
    EXPECT(id != 0);
    return id;
}

static void expect_refused(const moat_code *code, moat_status status)
{
    moat_code_id id = 4711;

    EXPECT_EQ(moat_code_register(code, &id), status);
    EXPECT_EQ(id, 4711);
}

/* Expects the text of a frame with that return address. */
static void expect_described(uintptr_t pc, unsigned flags, const char *text)
{
    const moat_frame frame = {pc, 0, NULL, flags};
    char line[256] = "";

    EXPECT_EQ(moat_frame_describe(&frame, line, sizeof line), MOAT_OK);
    EXPECT_STR(line, text);
}

static void bad_code_is_refused(const void *arg)
{
    const moat_code good = range(CODE, 64, "good");
    moat_code bad = good;

    (void)arg;
    expect_refused(NULL, MOAT_E_INVAL);
    EXPECT_EQ(moat_code_register(&good, NULL), MOAT_E_INVAL);
    bad.struct_size = 3;
    expect_refused(&bad, MOAT_E_INVAL);
    bad = range(0, 64, NULL);
    expect_refused(&bad, MOAT_E_INVAL);
    bad = range(CODE, 0, NULL);
    expect_refused(&bad, MOAT_E_INVAL);
    bad = range(CODE, SIZE_MAX, NULL);
    expect_refused(&bad, MOAT_E_INVAL);
    bad = range(CODE, SIZE_MAX / 2, NULL);
    expect_refused(&bad, MOAT_E_INVAL);
    bad = range((uintptr_t)1 << 62, 64, NULL);
    expect_refused(&bad, MOAT_E_INVAL);
    bad = range(((uintptr_t)1 << 47) - 32, 64, NULL);
    expect_refused(&bad, MOAT_E_INVAL);
    bad = good;
    bad.flags = 1;
    expect_refused(&bad, MOAT_E_INVAL);
    bad = good;
    bad.unwind = (moat_code_unwind)4;
    expect_refused(&bad, MOAT_E_INVAL);
    bad.unwind = MOAT_CODE_UNWIND_FP;
    bad.frame_bytes = 8;
    expect_refused(&bad, MOAT_E_INVAL);
    bad.unwind = MOAT_CODE_UNWIND_FIXED;
    bad.frame_bytes = 12;
    expect_refused(&bad, MOAT_E_INVAL);
    bad.frame_bytes = (size_t)1 << 30;
    expect_refused(&bad, MOAT_E_INVAL);
    EXPECT_EQ(moat_code_unregister(0), MOAT_E_INVAL);
    EXPECT_EQ(moat_code_unregister(99), MOAT_E_INVAL);
}

/* The struct of a program compiled before there were lines and unwind rules. */
static void an_older_struct_is_taken(const void *arg)
{
    moat_code older = range(CODE, 64, "older");
    moat_code_id id;

    (void)arg;
    older.struct_size = offsetof(moat_code, file);
    older.lines = (const moat_code_line *)16; /* beyond that struct */
    older.line_count = 1;
    EXPECT_EQ(moat_code_register(&older, &id), MOAT_OK);
    EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
    older.struct_size--;
    expect_refused(&older, MOAT_E_INVAL);
}

/* ---- Lines ---- */

static void bad_lines_are_refused(const void *arg)
{
    moat_code_line lines[] = {{0, 1}, {8, 2}, {63, 3}};
    const moat_code good = {.struct_size = sizeof good,
                            .start = (const void *)CODE,
                            .size = 64,
                            .file = "file",
                            .lines = lines,
                            .line_count = 3};
    moat_code bad = good;
    moat_code_id id;

    (void)arg;
    bad.file = NULL;
    expect_refused(&bad, MOAT_E_INVAL);
    bad = good;
    bad.lines = NULL;
    expect_refused(&bad, MOAT_E_INVAL);
    bad = good;
    bad.line_count = 0;
    expect_refused(&bad, MOAT_E_INVAL);
    bad.line_count = 65;
    expect_refused(&bad, MOAT_E_INVAL);
    bad.line_count = SIZE_MAX / 8 + 2;
    expect_refused(&bad, MOAT_E_INVAL);
    lines[2].offset = 64;
    expect_refused(&good, MOAT_E_INVAL);
    lines[2].offset = 8;
    expect_refused(&good, MOAT_E_INVAL);
    lines[2].offset = 7;
    expect_refused(&good, MOAT_E_INVAL);
    lines[2].offset = 63;
    EXPECT_EQ(moat_code_register(&good, &id), MOAT_OK);
}

static void frames_are_described_by_their_lines(const void *arg)
{
    moat_code_line lines[] = {{4, 10}, {8, 0}, {16, 4000000000u}};
    char file[] = "script.lua";
    moat_code code = range(CODE, 64, "function");
    moat_code_id id;

    (void)arg;
    code.file = file;
    code.lines = lines;
    code.line_count = 3;
    REQUIRE(moat_code_register(&code, &id) == MOAT_OK);
    memset(file, 'x', sizeof file - 1);
    memset(lines, 0, sizeof lines);
    expect_described(CODE + 3, MOAT_FRAME_TRAP, "function+0x3");
    expect_described(CODE + 4, MOAT_FRAME_TRAP,
                     "function+0x4 at script.lua:10");
    expect_described(CODE + 8, 0, "function+0x8 at script.lua:10");
    expect_described(CODE + 8, MOAT_FRAME_TRAP, "function+0x8");
    expect_described(CODE + 63, MOAT_FRAME_TRAP,
                     "function+0x3f at script.lua:2147483647");
    EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
    expect_described(CODE + 4, MOAT_FRAME_TRAP, "0x200000000004");
}

/* ---- Unwind rules ---- */

static moat_code described(const struct eh_frame *eh)
{
    moat_code code = range(CODE, 64, "described");

    code.unwind = MOAT_CODE_UNWIND_CFI;
    code.eh_frame = eh->bytes;
    code.eh_frame_bytes = eh->used;
    return code;
}

static void expect_rules(const struct eh_frame *eh, bool good)
{
    const moat_code code = described(eh);
    moat_code_id id = 0;

    if (!good) {
        expect_refused(&code, MOAT_E_INVAL);
        return;
    }
    EXPECT_EQ(moat_code_register(&code, &id), MOAT_OK);
    EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
}

static void make_rules(struct eh_frame *eh, unsigned char encoding,
                       const void *instructions, size_t count)
{
    memset(eh, 0, sizeof *eh);
    eh_cie(eh, encoding);
    eh_fde(eh, (const void *)CODE, 64, instructions, count);
}

static void an_eh_frame_goes_with_its_kind_only(const void *arg)
{
    struct eh_frame eh;
    moat_code code;

    (void)arg;
    make_rules(&eh, EH_ABSPTR, "", 0);
    expect_rules(&eh, true);
    code = described(&eh);
    code.unwind = MOAT_CODE_UNWIND_FP;
    expect_refused(&code, MOAT_E_INVAL);
    code = described(&eh);
    code.eh_frame = NULL;
    expect_refused(&code, MOAT_E_INVAL);
    code = described(&eh);
    code.eh_frame_bytes = 0;
    expect_refused(&code, MOAT_E_INVAL);
    code.eh_frame_bytes = SIZE_MAX;
    expect_refused(&code, MOAT_E_INVAL);
    code = described(&eh);
    code.frame_bytes = 8;
    expect_refused(&code, MOAT_E_INVAL);
}

/* Offsets of fields that eh_cie writes. */
enum { VERSION = 8, AUGMENTATION = 9, COLUMN = 14, ENCODING = 16, CFI = 17 };

static void bad_entries_are_refused(const void *arg)
{
    static const struct {
        const char *what;
        size_t at;
        unsigned char value;
    } bytes[] = {
        {"a length beyond the end", 0, 0xff},
        {"a length of 64 bits", 3, 0xff},
        {"a CIE with an invalid id", 4, 200},
        {"an unknown version", VERSION, 2},
        {"a version of .debug_frame", VERSION, 4},
        {"an augmentation of unknown size", AUGMENTATION, 'e'},
        {"an unknown augmentation", AUGMENTATION + 1, 'Q'},
        {"another return address column", COLUMN, 17},
        {"an augmentation beyond the end", COLUMN + 1, 100},
        {"an encoding of two bytes", ENCODING, 0x02},
        {"an encoding of any length", ENCODING, 0x01},
        {"addresses relative to the text", ENCODING, 0x20},
        {"addresses relative to the function", ENCODING, 0x40},
        {"indirect addresses", ENCODING, 0x80},
        {"no addresses", ENCODING, 0xff},
        {"an unknown instruction", CFI, 0x3f},
        {"the FDE's CIE inside the FDE", 24 + 4, 27},
        {"the FDE's CIE before the beginning", 24 + 4, 255},
        {"code before the range", 24 + 8 + 5, 0x1f},
        {"code after the range", 24 + 8, 64},
        {"code that ends after the range", 24 + 8, 1},
        {"no code", 24 + 16, 0},
        {"more code than there is", 24 + 17, 1},
        {"the FDE's augmentation beyond the end", 24 + 24, 100},
    };
    struct eh_frame eh;

    (void)arg;
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        make_rules(&eh, EH_ABSPTR, "", 0);
        expect_context("%s", bytes[i].what);
        eh.bytes[bytes[i].at] = bytes[i].value;
        expect_rules(&eh, false);
    }
    /* Truncated at any point. Only the FDE may be left out as a whole. */
    for (size_t left = 1;; left++) {
        make_rules(&eh, EH_ABSPTR, "", 0);
        expect_context("%zu bytes", left);
        if (left == eh.used)
            break;
        eh.used = left;
        expect_rules(&eh, false);
    }
}

/* A CIE with a personality routine found at an address, and an FDE. */
static void make_indirect(struct eh_frame *eh, const void *address)
{
    static const unsigned char cie[] = {1,  'z',  'P', 'R',  0, 1, 0x78, 16,
                                        10, 0x80, 0,   0,    0, 0, 0,    0,
                                        0,  0,    0,   0x0c, 7, 8, 0x90, 1};
    const uint32_t head[2] = {4 + sizeof cie, 0};

    memset(eh, 0, sizeof *eh);
    eh->encoding = EH_ABSPTR;
    memcpy(eh->bytes, head, sizeof head);
    memcpy(eh->bytes + sizeof head, cie, sizeof cie);
    memcpy(eh->bytes + sizeof head + 10, &address, sizeof address);
    eh->used = sizeof head + sizeof cie;
    eh_fde(eh, (const void *)CODE, 64, "", 0);
}

static void a_personality_is_read_from_readable_memory_only(const void *arg)
{
    static const uintptr_t routine = CODE;
    struct eh_frame eh;

    (void)arg;
    make_indirect(&eh, &routine);
    expect_rules(&eh, true);
    make_indirect(&eh, (const void *)(CODE + 4096));
    expect_rules(&eh, false);
    make_indirect(&eh, (const void *)(UINT64_C(1) << 60));
    expect_rules(&eh, false);
}

static void rules_may_come_in_any_order(const void *arg)
{
    static const unsigned char encodings[] = {EH_ABSPTR, 0x03, 0x04, 0x0b,
                                              0x0c};
    struct eh_frame eh = {.used = 0};

    (void)arg;
    eh_cie(&eh, EH_ABSPTR);
    eh_fde(&eh, (const char *)CODE + 32, 32, "", 0);
    eh_cie(&eh, EH_ABSPTR);
    eh_fde(&eh, (const void *)CODE, 32, "", 0);
    memset(eh.bytes + eh.used, 0, 4); /* a terminator; nothing after it is
                                       * read */
    memset(eh.bytes + eh.used + 4, 0xff, 4);
    eh.used += 8;
    expect_rules(&eh, true);
    eh.used = 0;
    eh_cie(&eh, EH_ABSPTR);
    eh_fde(&eh, (const char *)CODE + 31, 33, "", 0);
    eh_fde(&eh, (const void *)CODE, 32, "", 0);
    expect_context("code twice");
    expect_rules(&eh, false);
    for (size_t i = 0; i < sizeof encodings; i++) {
        bool wide = encodings[i] != 0x03 && encodings[i] != 0x0b;

        expect_context("encoding %#x", encodings[i]);
        make_rules(&eh, EH_ABSPTR, "", 0);
        eh.bytes[ENCODING] = encodings[i];
        /* The code lies beyond the range of four bytes. */
        expect_rules(&eh, wide);
    }
}

static void bad_instructions_are_refused(const void *arg)
{
#define BYTES(text) text, sizeof(text) - 1
    static const struct {
        const char *what, *bytes;
        size_t count;
        bool good;
    } some[] = {
        {"nop", BYTES("\0"), true},
        {"set_loc", BYTES("\x01\0\0\0\0\0\0\x10\0"), false},
        {"advance_loc1, 2, 4", BYTES("\x02\1\x03\1\0\x04\1\0\0\0"), true},
        {"advance_loc4, truncated", BYTES("\x0e\x08\x04"), false},
        {"def_cfa rsp", BYTES("\x0c\x07\x10"), true},
        {"def_cfa of an unknown register", BYTES("\x0c\x11\x10"), false},
        {"remember, restore", BYTES("\x0a\x0b"), true},
        {"restore without remember", BYTES("\x0b"), false},
        {"restore twice", BYTES("\x0a\x0b\x0b"), false},
        {"GNU_args_size", BYTES("\x2e\x90\x01"), true},
        {"GNU_window_save", BYTES("\x2d"), false},
        {"LEB128 without end",
         BYTES("\x0e\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\1"), false},
        {"CFA = rsp + 8", BYTES("\x0f\x02\x77\x08"), true},
        {"CFA = *(rsp + 8) + 4", BYTES("\x0f\x05\x77\x08\x06\x23\x04"), true},
        {"rbx at the CFA - 16", BYTES("\x10\x03\x03\x40\x1c\x96"), true},
        {"an empty expression", BYTES("\x0f\x00"), false},
        {"empty, but with the CFA", BYTES("\x10\x03\x00"), true},
        {"beyond the end", BYTES("\x0f\x20\x77\x08"), false},
        {"too few operands", BYTES("\x0f\x03\x77\x08\x22"), false},
        {"a jump", BYTES("\x0f\x05\x77\x08\x2f\xfd\xff"), false},
        {"an unknown operation", BYTES("\x0f\x03\x77\x08\xe0"), false},
        {"bregx of an unknown register", BYTES("\x0f\x03\x92\x11\x08"), false},
    };
#undef BYTES
    static const unsigned char pushes[] = {0x0f, 61};
    struct eh_frame eh;

    (void)arg;
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        expect_context("%s", some[i].what);
        make_rules(&eh, EH_ABSPTR, some[i].bytes, some[i].count);
        expect_rules(&eh, some[i].good);
    }
    expect_context("too many values");
    make_rules(&eh, EH_ABSPTR, pushes, sizeof pushes);
    memset(eh.bytes + eh.used - 1, 0x30, 61);
    eh.used += 60;
    eh.bytes[24] = (unsigned char)(eh.used - 28);
    expect_rules(&eh, false);
    expect_context("too many states");
    make_rules(&eh, EH_ABSPTR, "", 0);
    memset(eh.bytes + eh.used, 0x0a, 36);
    eh.used += 36;
    eh.bytes[24] = (unsigned char)(eh.used - 28);
    expect_rules(&eh, false);
}

static void a_newer_struct_is_taken_if_its_rest_is_zero(const void *arg)
{
    struct {
        moat_code code;
        uint64_t more;
    } newer = {range(CODE, 64, NULL), 0};
    moat_code_id id;

    (void)arg;
    newer.code.struct_size = sizeof newer;
    EXPECT_EQ(moat_code_register(&newer.code, &id), MOAT_OK);
    EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
    newer.more = 1;
    expect_refused(&newer.code, MOAT_E_UNSUPPORTED);
}

static void overlaps_have_a_status_of_their_own(const void *arg)
{
    static const struct {
        uintptr_t start;
        size_t size;
    } overlaps[] = {{CODE, 64},      {CODE - 10, 11}, {CODE + 63, 1},
                    {CODE + 10, 10}, {CODE - 1, 66},  {CODE, 1}};
    moat_code_id id = enrol(CODE, 64, "middle");

    (void)arg;
    for (size_t i = 0; i < sizeof overlaps / sizeof overlaps[0]; i++) {
        moat_code code = range(overlaps[i].start, overlaps[i].size, "x");

        expect_context("overlap %zu", i);
        expect_refused(&code, MOAT_E_OVERLAP);
    }
    (void)enrol(CODE - 10, 10, "before");
    (void)enrol(CODE + 64, 10, "behind");
    EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
    EXPECT_EQ(moat_code_unregister(id), MOAT_E_INVAL);
    EXPECT(enrol(CODE, 64, "again") != id);
    EXPECT_EQ(moat_code_unregister(id), MOAT_E_INVAL);
}

static void frames_are_described_by_the_name(const void *arg)
{
    char name[] = "compiled";
    moat_code_id id = enrol(CODE, 64, name);
    char buffer[12];
    const moat_frame frame = {CODE + 16, 0, NULL, 0};

    (void)arg;
    memset(name, 'x', sizeof name - 1);
    expect_described(CODE + 16, 0, "compiled+0x10");
    expect_described(CODE, MOAT_FRAME_TRAP, "compiled+0x0");
    /* The return address of a call that is the last instruction. */
    expect_described(CODE + 64, 0, "compiled+0x40");
    expect_described(CODE + 64, MOAT_FRAME_TRAP, "0x200000000040");
    expect_described(CODE, 0, "0x200000000000");
    EXPECT_EQ(moat_frame_describe(&frame, buffer, sizeof buffer), MOAT_OK);
    EXPECT_STR(buffer, "compiled+0x");
    EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
    expect_described(CODE + 16, 0, "0x200000000010");
}

/* A name longer than a report's line is truncated, not refused. */
static void a_name_may_be_long(const void *arg)
{
    static char name[5000];
    const moat_frame frame = {CODE + 1, 0, NULL, 0};
    char line[512] = "";

    (void)arg;
    memset(name, 'n', sizeof name - 1);
    (void)enrol(CODE, 64, name);
    EXPECT_EQ(moat_frame_describe(&frame, line, sizeof line), MOAT_OK);
    EXPECT(strncmp(line, "nnnnnnnnnn", 10) == 0);
    EXPECT(strstr(line, "n+0x1") != NULL);
}

/* The code of a library, which has names of its own. */
static void code_without_a_name_keeps_the_linkers(const void *arg)
{
    const uintptr_t page = (uintptr_t)range & ~(uintptr_t)4095;
    const moat_frame frame = {(uintptr_t)bad_code_is_refused, 0, NULL,
                              MOAT_FRAME_TRAP};
    char before[256] = "", after[256] = "";

    (void)arg;
    EXPECT_EQ(moat_frame_describe(&frame, before, sizeof before), MOAT_OK);
    (void)enrol(page - 65536, 131072, NULL);
    EXPECT_EQ(moat_frame_describe(&frame, after, sizeof after), MOAT_OK);
    EXPECT_STR(after, before);
}

static __attribute__((noinline)) unsigned own_flags(void)
{
    moat_frame frames[2];
    size_t count = 0;
    moat_status status = moat_backtrace(frames, 2, &count);

    if (status == MOAT_E_UNSUPPORTED)
        return MOAT_FRAME_JIT;
    EXPECT_EQ(status, MOAT_E_FULL);
    return frames[0].flags;
}

static void frames_of_code_are_marked(const void *arg)
{
    moat_code_id id;

    (void)arg;
    id = enrol((uintptr_t)own_flags, 1024, "own_flags");
    EXPECT_EQ(own_flags() & MOAT_FRAME_JIT, MOAT_FRAME_JIT);
    EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
}

static void *register_as_a_guest(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(moat_code_unregister(enrol(CODE, 64, "guest")), MOAT_OK);
    return input;
}

static void a_guest_may_register(const void *arg)
{
    moat_event event = {.kind = MOAT_EVENT_TRAP};
    moat_co *co = NULL;

    (void)arg;
    REQUIRE(moat_co_create(&co, register_as_a_guest, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static void it_stays_over_a_shutdown(const void *arg)
{
    moat_code_id id = enrol(CODE, 64, "stays");

    (void)arg;
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    expect_described(CODE + 1, 0, "stays+0x1");
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    expect_described(CODE + 1, 0, "stays+0x1");
    EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
}

/* Reads this process's perf map and removes it; "" if there is none. */
static void take_perf_map(char *text, size_t size)
{
    char path[64];
    FILE *file;

    memset(text, 0, size);
    (void)snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    file = fopen(path, "re");
    if (file == NULL)
        return;
    (void)fread(text, 1, size - 1, file);
    (void)fclose(file);
    (void)unlink(path);
}

static void perf_is_told_if_the_environment_says_so(const void *arg)
{
    char text[1024];
    int status = -1;
    pid_t child;

    (void)arg;
    REQUIRE(setenv("MOAT_PERF_MAP", "1", 1) == 0);
    (void)enrol(CODE, 64, "first");
    (void)enrol(CODE + 64, 64, NULL);
    (void)enrol(CODE + 128, 16, "two\nlines");
    child = fork();
    if (child == 0) {
        (void)enrol(CODE + 256, 16, "child's");
        take_perf_map(text, sizeof text);
        EXPECT_STR(text, "200000000100 10 child's\n");
        child_exit();
    }
    REQUIRE(waitpid(child, &status, 0) == child);
    EXPECT_EQ(status, 0);
    take_perf_map(text, sizeof text);
    EXPECT_STR(text, "200000000000 40 first\n200000000080 10 two?lines\n");
}

static void perf_is_not_told_otherwise(const void *arg)
{
    char text[64];

    (void)arg;
    REQUIRE(setenv("MOAT_PERF_MAP", "0", 1) == 0);
    (void)enrol(CODE, 64, "first");
    take_perf_map(text, sizeof text);
    EXPECT_STR(text, "");
}

/* ---- The dump for perf inject ---- */

static const unsigned char some_code[] = {0x90, 0x90, 0x90, 0xc3};

static moat_code_id enrol_real(const char *name, size_t size)
{
    static const moat_code_line lines[] = {{0, 7}, {3, 8}};
    moat_code code = range((uintptr_t)some_code, size, name);
    moat_code_id id = 0;

    code.file = "f.lua";
    code.lines = lines;
    code.line_count = 2;
    REQUIRE(moat_code_register(&code, &id) == MOAT_OK);
    return id;
}

/* Creates a folder for this process, and returns the path of the dump in it. */
static void find_dump(char *folder, char *path, size_t size)
{
    (void)snprintf(folder, 64, "/tmp/moat-jitdump-XXXXXX");
    REQUIRE(mkdtemp(folder) != NULL);
    REQUIRE(setenv("MOAT_JITDUMP", folder, 1) == 0);
    (void)snprintf(path, size, "%s/jit-%ld.dump", folder, (long)getpid());
}

static size_t take_file(const char *path, unsigned char *bytes, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t count;

    if (file == NULL)
        return 0;
    count = fread(bytes, 1, size, file);
    (void)fclose(file);
    (void)unlink(path);
    return count;
}

static uint32_t word_at(const unsigned char *bytes)
{
    uint32_t word;

    memcpy(&word, bytes, sizeof word);
    return word;
}

static void code_is_dumped_if_the_environment_says_so(const void *arg)
{
    enum { HEADER = 40, INFO = 32 + 2 * (16 + 6), LOAD = 56 };
    char folder[64], path[128];
    unsigned char bytes[1024];
    const unsigned char *info = bytes + HEADER, *load = info + INFO;
    size_t count;

    (void)arg;
    find_dump(folder, path, sizeof path);
    (void)enrol_real("dumped", sizeof some_code);
    /* Code that cannot be read leaves no record. */
    (void)enrol(CODE, 64, "not there");
    count = take_file(path, bytes, sizeof bytes);
    EXPECT_EQ(count, HEADER + INFO + LOAD + 7 + sizeof some_code);
    EXPECT_EQ(word_at(bytes), 0x4a695444);
    EXPECT_EQ(word_at(bytes + 4), 1);
    EXPECT_EQ(word_at(bytes + 8), HEADER);
    EXPECT_EQ(word_at(bytes + 20), getpid());
    EXPECT_EQ(word_at(info), 2);
    EXPECT_EQ(word_at(info + 4), INFO);
    EXPECT_EQ(word_at(info + 24), 2);
    EXPECT_EQ(word_at(info + 40), 7);
    EXPECT_STR((const char *)info + 48, "f.lua");
    EXPECT_EQ(word_at(info + 32 + 22 + 8), 8);
    EXPECT_EQ(word_at(load), 0);
    EXPECT_EQ(word_at(load + 4), LOAD + 7 + sizeof some_code);
    EXPECT_STR((const char *)load + LOAD, "dumped");
    EXPECT(memcmp(load + LOAD + 7, some_code, sizeof some_code) == 0);
    EXPECT_EQ(rmdir(folder), 0);
}

static void a_child_process_has_a_dump_of_its_own(const void *arg)
{
    char folder[64], path[128];
    unsigned char bytes[1024];
    int status = -1;
    pid_t child;

    (void)arg;
    find_dump(folder, path, sizeof path);
    EXPECT_EQ(moat_code_unregister(enrol_real("first", 4)), MOAT_OK);
    child = fork();
    if (child == 0) {
        (void)enrol_real("child's", 4);
        (void)snprintf(path, sizeof path, "%s/jit-%ld.dump", folder,
                       (long)getpid());
        EXPECT(take_file(path, bytes, sizeof bytes) > 40);
        EXPECT_EQ(word_at(bytes + 20), getpid());
        child_exit();
    }
    REQUIRE(waitpid(child, &status, 0) == child);
    EXPECT_EQ(status, 0);
    EXPECT(take_file(path, bytes, sizeof bytes) > 40);
    EXPECT_EQ(word_at(bytes + 20), getpid());
    EXPECT_EQ(rmdir(folder), 0);
}

/* Neither an existing file nor the target of a symbolic link is overwritten. */
static void what_is_in_the_place_of_the_dump_is_left_alone(const void *arg)
{
    char folder[64], path[128], target[160];
    unsigned char bytes[16];
    FILE *file;

    (void)arg;
    find_dump(folder, path, sizeof path);
    (void)snprintf(target, sizeof target, "%s.target", path);
    if (fork() == 0) {
        (void)snprintf(path, sizeof path, "%s/jit-%ld.dump", folder,
                       (long)getpid());
        REQUIRE(symlink(target, path) == 0);
        (void)enrol_real("first", 4);
        EXPECT(access(target, F_OK) != 0);
        (void)unlink(path);
        child_exit();
    }
    REQUIRE(wait(NULL) > 0);
    file = fopen(path, "we");
    REQUIRE(file != NULL);
    REQUIRE(fputs("mine", file) >= 0 && fclose(file) == 0);
    (void)enrol_real("first", 4);
    EXPECT_EQ(take_file(path, bytes, sizeof bytes), 4);
    EXPECT_EQ(rmdir(folder), 0);
}

/* A host without standard output, which prints all the same. */
static void the_map_does_not_become_standard_output(const void *arg)
{
    int out = dup(STDOUT_FILENO);
    char text[64];
    ssize_t written;

    (void)arg;
    REQUIRE(setenv("MOAT_PERF_MAP", "1", 1) == 0);
    REQUIRE(out > STDERR_FILENO && close(STDOUT_FILENO) == 0);
    (void)enrol(CODE, 64, "first");
    written = write(STDOUT_FILENO, "printed\n", 8);
    (void)enrol(CODE + 64, 64, "second");
    REQUIRE(dup2(out, STDOUT_FILENO) == STDOUT_FILENO);
    EXPECT_EQ(written, -1);
    take_perf_map(text, sizeof text);
    EXPECT_STR(text, "200000000000 40 first\n200000000040 40 second\n");
}

/* A symbolic link must not direct the output into another file. */
static void a_link_in_the_place_of_the_map_is_not_followed(const void *arg)
{
    char path[64], target[64];

    (void)arg;
    REQUIRE(setenv("MOAT_PERF_MAP", "1", 1) == 0);
    (void)snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    (void)snprintf(target, sizeof target, "/tmp/moat-target-%ld",
                   (long)getpid());
    REQUIRE(symlink(target, path) == 0);
    (void)enrol(CODE, 64, "first");
    EXPECT(access(target, F_OK) != 0);
    (void)unlink(target);
    (void)unlink(path);
}

/* A pipe without a reader does not block. */
static void a_pipe_in_the_place_of_the_map_is_left_alone(const void *arg)
{
    char path[64];

    (void)arg;
    REQUIRE(setenv("MOAT_PERF_MAP", "1", 1) == 0);
    (void)snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    REQUIRE(mkfifo(path, 0600) == 0);
    (void)enrol(CODE, 64, "first");
    (void)unlink(path);
}

/* A file with a second link may belong to something else. So may one that
 * belongs to another user. */
static void
a_file_of_others_in_the_place_of_the_map_is_left_alone(const void *arg)
{
    char path[64], other[64];
    struct stat found;
    int file;

    (void)arg;
    REQUIRE(setenv("MOAT_PERF_MAP", "1", 1) == 0);
    (void)snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    (void)snprintf(other, sizeof other, "/tmp/moat-other-%ld", (long)getpid());
    file = open(other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    REQUIRE(file >= 0);
    (void)close(file);
    REQUIRE(link(other, path) == 0);
    (void)enrol(CODE, 64, "first");
    EXPECT_EQ(stat(other, &found), 0);
    EXPECT_EQ(found.st_size, 0);
    (void)unlink(other);
    (void)unlink(path);
}

/* Registers ten thousand pieces of code out of order, finds each, and removes
 * them in another order. */
static void many_are_kept_apart(const void *arg)
{
    enum { MANY = 10000, STEP = 7919 };
    static moat_code_id ids[MANY];
    char name[32];

    (void)arg;
    for (size_t i = 0; i < MANY; i++) {
        size_t n = i * STEP % MANY;

        (void)snprintf(name, sizeof name, "f%zu", n);
        ids[n] = enrol(CODE + n * 32, n % 2 == 0 ? 32 : 20, name);
    }
    for (size_t n = 0; n < MANY; n++) {
        (void)snprintf(name, sizeof name, "f%zu+0x13", n);
        expect_described(CODE + n * 32 + 0x13, MOAT_FRAME_TRAP, name);
    }
    for (size_t i = 0; i < MANY; i++)
        EXPECT_EQ(moat_code_unregister(ids[i * 271 % MANY]), MOAT_OK);
    expect_described(CODE + 16, 0, "0x200000000010");
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(bad_code_is_refused),
        CHILD_CASE(an_older_struct_is_taken),
        CHILD_CASE(bad_lines_are_refused),
        CHILD_CASE(frames_are_described_by_their_lines),
        CHILD_CASE(an_eh_frame_goes_with_its_kind_only),
        CHILD_CASE(bad_entries_are_refused),
        CHILD_CASE(a_personality_is_read_from_readable_memory_only),
        CHILD_CASE(rules_may_come_in_any_order),
        CHILD_CASE(bad_instructions_are_refused),
        CHILD_CASE(a_newer_struct_is_taken_if_its_rest_is_zero),
        CHILD_CASE(overlaps_have_a_status_of_their_own),
        CHILD_CASE(frames_are_described_by_the_name),
        CHILD_CASE(a_name_may_be_long),
        CHILD_CASE(code_without_a_name_keeps_the_linkers),
        CHILD_CASE(frames_of_code_are_marked),
        CHILD_CASE(a_guest_may_register),
        CHILD_CASE(it_stays_over_a_shutdown),
        CHILD_CASE(perf_is_told_if_the_environment_says_so),
        CHILD_CASE(perf_is_not_told_otherwise),
        CHILD_CASE(code_is_dumped_if_the_environment_says_so),
        CHILD_CASE(a_child_process_has_a_dump_of_its_own),
        CHILD_CASE(what_is_in_the_place_of_the_dump_is_left_alone),
        CHILD_CASE(the_map_does_not_become_standard_output),
        CHILD_CASE(a_link_in_the_place_of_the_map_is_not_followed),
        CHILD_CASE(a_pipe_in_the_place_of_the_map_is_left_alone),
        CHILD_CASE(a_file_of_others_in_the_place_of_the_map_is_left_alone),
        CHILD_CASE(many_are_kept_apart),
    };

    return child_cases_run("registered code", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
