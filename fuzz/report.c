/*
 * report.c: the target `report`: hostile names. A coroutine's, those of
 * registered code and its source file, and all that a script's `walk` names,
 * are any bytes. Reports must stay well-formed, and names that are sound must
 * arrive unchanged.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/mman.h>
#include <unistd.h>

#include "input.h"
#include "reports.h"
#include "target.h"

#define NAME_BYTES   400u
#define SCRIPT_LINES 6u

static struct input in;
static unsigned char *code;

/* --- names ---------------------------------------------------------------- */

/* Bytes that mean something to terminals and to JSON, and any others. */
static const char *const words[] = {
    "\x1b[2J",      "\x9b",         "\xc2\x9b",
    "\n  #0",       "\r",           "\"",
    "\\",           "\\u0000",      "\x7f",
    "%n%s",         "\xe2\x82\xac", "\xf0\x9f\x98\x80",
    "\xed\xa0\x80", "\xc0\x80",     "\xf4\x90\x80\x80",
    "plain"};

/* Takes a name; NULL: none. */
static const char *take_name(char name[NAME_BYTES])
{
    size_t room = NAME_BYTES - 1, used = 0;
    unsigned parts = input_below(&in, 40);

    if (parts == 0)
        return NULL;
    name[0] = '\0';
    while (parts-- > 0 && used < room) {
        unsigned which = input_below(&in, 24);
        char one[2] = {(char)input_u8(&in), '\0'};
        const char *part = which < 16 ? words[which] : one;

        used += strlen(strncat(name + used, part, room - used));
    }
    return name;
}

static bool is_sound(const char *name)
{
    for (unsigned length; *name != '\0'; name += length) {
        length = reports_sequence(name);
        if (length == 0)
            return false;
    }
    return true;
}

/* --- the script ----------------------------------------------------------- */

static void walk(const moat_co *co, moat_script_walk *put)
{
    char function[NAME_BYTES], source[NAME_BYTES];
    moat_script_frame frame;
    unsigned count = input_below(&in, SCRIPT_LINES);

    (void)co;
    for (unsigned i = 0; i < count; i++) {
        memset(&frame, 0, sizeof frame);
        frame.function = take_name(function);
        frame.source = take_name(source);
        frame.line = (int)input_u32(&in);
        frame.flags = input_u8(&in);
        frame.skipped = input_below(&in, 4) == 0 ? input_u64(&in) : 0;
        moat_script_put(put, &frame);
    }
}

static bool runs(const moat_frame *frame, const char *function)
{
    (void)function;
    return frame->pc % 2 == 0;
}

/* --- the guest ------------------------------------------------------------ */

/* ud2: the registered code traps. */
static void map_code(void)
{
    static const unsigned char trap[] = {0x0f, 0x0b};

    if (code != NULL)
        return;
    code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TARGET_CHECK(code != MAP_FAILED);
    memcpy(code, trap, sizeof trap);
}

static moat_code_id register_code(void)
{
    char name[NAME_BYTES], file[NAME_BYTES];
    moat_code_line line = {0, input_u32(&in)};
    moat_code about = MOAT_CODE_INIT;
    moat_code_id id;

    about.start = code;
    about.size = 16;
    about.name = take_name(name);
    about.file = take_name(file);
    about.unwind = MOAT_CODE_UNWIND_FIXED;
    if (about.file != NULL) {
        about.lines = &line;
        about.line_count = 1;
    }
    TARGET_CHECK(moat_code_register(&about, &id) == MOAT_OK);
    return id;
}

static void *inner(moat_co *self, void *input)
{
    void (*function)(void) = (void (*)(void))(uintptr_t)code;

    (void)self;
    function();
    return input;
}

/* --- the reports ---------------------------------------------------------- */

static void check_json(const moat_co *co)
{
    json_t *report = reports_json(co);
    const char *name = json_string_value(json_object_get(report, "coroutine"));

    TARGET_CHECK(name != NULL && is_sound(name));
    if (is_sound(moat_co_name(co)))
        TARGET_CHECK(strcmp(name, moat_co_name(co)) == 0);
    TARGET_CHECK(json_array_size(json_object_get(report, "frames")) > 3);
    json_decref(report);
}

/* These are for programs: names are as they were given. */
static void check_frames(const moat_co *co)
{
    static moat_described_frame frames[64];
    char line[2048];
    size_t count;

    TARGET_CHECK(moat_co_describe(co, frames, 64, &count) == MOAT_OK);
    for (size_t i = 0; i < count; i++) {
        TARGET_CHECK(moat_frame_describe(&frames[i].frame, line, sizeof line) ==
                     MOAT_OK);
        TARGET_CHECK(strlen(frames[i].function) < sizeof frames[i].function);
    }
}

static void check_reports(const moat_co *co)
{
    const struct input before = in;
    const char *text = reports_text(co);

    TARGET_CHECK(strstr(text, " trapped: illegal instruction\n") != NULL);
    TARGET_CHECK(strstr(text, "backtrace, innermost first:\n") != NULL);
    in = before;
    check_json(co);
    in = before;
    check_frames(co);
}

static moat_co *create(moat_entry entry)
{
    char name[NAME_BYTES], language[NAME_BYTES];
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_script script = MOAT_SCRIPT_INIT;
    moat_co *co;

    options.name = take_name(name);
    script.language = take_name(language);
    script.walk = walk;
    script.runs = input_below(&in, 2) == 0 ? runs : NULL;
    if (input_below(&in, 4) > 0)
        options.script = &script;
    TARGET_CHECK(moat_co_create(&co, entry, &options) == MOAT_OK);
    TARGET_CHECK(strcmp(moat_co_name(co),
                        options.name != NULL ? options.name : "") == 0);
    return co;
}

/* Resumes the one that traps, and reports it while its resumer waits. */
static void *outer(moat_co *self, void *input)
{
    moat_co *co = create(inner);
    moat_event event;

    (void)self;
    TARGET_CHECK(moat_co_resume(co, NULL, &event) == MOAT_OK);
    TARGET_CHECK(event.kind == MOAT_EVENT_TRAP);
    check_reports(co);
    moat_co_destroy(co);
    return input;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    moat_code_id id;
    moat_event event;
    moat_co *co;

    target_begin();
    map_code();
    in = (struct input){data, data + size};
    id = register_code();
    co = create(outer);
    TARGET_CHECK(moat_co_resume(co, NULL, &event) == MOAT_OK);
    TARGET_CHECK(event.kind == MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    TARGET_CHECK(moat_code_unregister(id) == MOAT_OK);
    return 0;
}
