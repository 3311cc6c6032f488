/*
 * output_json.c: results for programs. docs/lua-sandbox.md lists the members.
 *
 * SPDX-License-Identifier: MIT
 */
#include "output.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* The length of the UTF-8 sequence at `text`, 0 if there is none. */
static size_t sequence(const unsigned char *text, size_t bytes)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text[0] < 0x80   ? 1
                    : text[0] < 0xc2 ? 0
                    : text[0] < 0xe0 ? 2
                    : text[0] < 0xf0 ? 3
                    : text[0] < 0xf5 ? 4
                                     : 0;
    unsigned code = length <= 1 ? text[0] : text[0] & (0xffu >> (length + 1));

    if (length == 0 || length > bytes)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3fu);
    }
    if (length > 1 && (code < least[length] || code > 0x10ffff ||
                       (code >= 0xd800 && code < 0xe000)))
        return 0;
    return length;
}

/* A JSON string of any bytes: what is not UTF-8 becomes U+FFFD. */
static json_t *text_of(const char *text, size_t bytes)
{
    char *clean = malloc(bytes * 3 + 1);
    size_t length = 0;
    json_t *string;

    if (clean == NULL)
        return NULL;
    for (size_t i = 0; i < bytes;) {
        size_t n = sequence((const unsigned char *)text + i, bytes - i);

        memcpy(clean + length, n != 0 ? text + i : "\xef\xbf\xbd",
               n != 0 ? n : 3);
        length += n != 0 ? n : 3;
        i += n != 0 ? n : 1;
    }
    string = json_stringn(clean, length);
    free(clean);
    return string;
}

static json_t *text_or_null(const char *text)
{
    return text == NULL ? json_null() : text_of(text, strlen(text));
}

static void set_count(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

static json_t *lua_frame(json_t *script, size_t c_frame)
{
    json_t *object = json_object();
    json_t *line = json_object_get(script, "line");

    json_object_set(object, "source", json_object_get(script, "source"));
    json_object_set_new(object, "line",
                        line != NULL ? json_incref(line) : json_integer(-1));
    json_object_set(object, "function", json_object_get(script, "function"));
    set_count(object, "c_frame", c_frame);
    return object;
}

/* All frames of the script that a report has, in one array. */
static void add_lua_frames(json_t *object, const json_t *trap)
{
    json_t *array = json_array(), *frame, *script;
    bool cut = trap == NULL;
    size_t i, j;

    json_array_foreach(json_object_get(trap, "frames"), i, frame)
    {
        cut = cut || json_object_get(frame, "script_error") != NULL;
        json_array_foreach(json_object_get(frame, "script"), j, script)
        {
            const json_t *number = json_object_get(script, "number");

            cut = cut ||
                  (size_t)json_integer_value(number) != json_array_size(array);
            json_array_append_new(array, lua_frame(script, i));
        }
    }
    json_object_set_new(object, "lua_frames", array);
    json_object_set_new(object, "lua_frames_cut", json_boolean(cut));
}

static void add_trap(json_t *object, const struct result *result)
{
    if (result->kind == MOAT_TRAP_NONE)
        return;
    json_object_set_new(object, "trap",
                        result->trap != NULL ? json_incref(result->trap)
                                             : json_null());
    json_object_set_new(
        object, "core",
        text_or_null(result->core_error == NULL ? result->core : NULL));
    add_lua_frames(object, result->trap);
}

void output_json(const struct result *result)
{
    json_t *object = json_object();

    json_object_set_new(object, "file", text_or_null(result->file));
    json_object_set_new(object, "verdict", json_string(verdict_text(result)));
    json_object_set_new(object, "ok",
                        json_boolean(result->verdict == VERDICT_OK));
    json_object_set_new(object, "message", text_or_null(result->message));
    set_count(object, "wall_ns", result->wall_ns);
    set_count(object, "cpu_ns", result->cpu_ns);
    set_count(object, "memory_peak_bytes", result->memory_peak);
    set_count(object, "stack_used_bytes", result->stack_used);
    json_object_set_new(object, "output",
                        text_of(result->output, result->output_bytes));
    set_count(object, "output_dropped_bytes", result->output_dropped);
    add_trap(object, result);
    if (json_dumpf(object, stdout, JSON_COMPACT) != 0)
        fputs("{\"error\":\"out of memory\"}", stdout);
    putchar('\n');
    json_decref(object);
}
