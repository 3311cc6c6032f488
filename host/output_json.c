/*
 * output_json.c: results for programs. docs/lua-sandbox.md lists the members.
 *
 * SPDX-License-Identifier: MIT
 */
#include "output.h"

#include <string.h>

#include <jansson.h>

#include "json_line.h"

static json_t *text_or_null(const char *text)
{
    return text == NULL ? json_null() : json_line_text(text, strlen(text));
}

static json_t *message_json(const struct result *result)
{
    return result->message == NULL
               ? json_null()
               : json_line_text(result->message, result->message_bytes);
}

static void set_count(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

static json_t *script_frame(json_t *script, size_t c_frame)
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

/* Adds all script frames of a report in one array. The names of the members
 * are fixed (docs/lua-sandbox.md). */
static void add_script_frames(json_t *object, const json_t *trap)
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
            json_array_append_new(array, script_frame(script, i));
        }
    }
    json_object_set_new(object, "lua_frames", array);
    json_object_set_new(object, "lua_frames_cut", json_boolean(cut));
}

/* Parsed only now: until then a text takes much less memory. */
static void add_trap(json_t *object, const struct result *result)
{
    json_t *trap;

    if (result->kind == MOAT_TRAP_NONE)
        return;
    trap = result->report != NULL ? json_loads(result->report, 0, NULL) : NULL;
    json_object_set_new(object, "trap",
                        trap != NULL ? json_incref(trap) : json_null());
    json_object_set_new(
        object, "core",
        text_or_null(result->core_error == NULL ? result->core : NULL));
    add_script_frames(object, trap);
    json_decref(trap);
}

static void add_restart(json_t *object, const struct result *result)
{
    if (result->run == 0)
        return;
    set_count(object, "run", result->run);
    json_object_set_new(object, "restart_in_ns",
                        result->again
                            ? json_integer((json_int_t)result->restart_in_ns)
                            : json_null());
    json_object_set_new(object, "given_up", json_boolean(result->given_up));
}

void output_json(const struct result *result, const struct run_options *options)
{
    json_t *object = json_object();

    json_object_set_new(object, "file", text_or_null(result->file));
    json_object_set_new(object, "verdict", json_string(verdict_text(result)));
    json_object_set_new(object, "ok",
                        json_boolean(result->verdict == VERDICT_OK));
    json_object_set_new(object, "message", message_json(result));
    set_count(object, "wall_ns", result->wall_ns);
    set_count(object, "cpu_ns", result->cpu_ns);
    set_count(object, "memory_peak_bytes", result->memory_peak);
    json_object_set_new(object, "stack_used_bytes",
                        options->stack_use
                            ? json_integer((json_int_t)result->stack_used)
                            : json_null());
    json_object_set_new(object, "output",
                        json_line_text(result->output, result->output_bytes));
    set_count(object, "output_dropped_bytes", result->output_dropped);
    add_restart(object, result);
    add_trap(object, result);
    if (!json_line_write(stdout, object))
        fputs("{\"error\":\"out of memory\"}\n", stdout);
    json_decref(object);
}
