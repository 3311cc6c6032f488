/*
 * members.c: prints the members of a real JSON report and their types, one per
 * line, for comparison with docs/report.md; with "text", prints the text
 * report.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <moat/moat.h>

/* Inlined, so it has no frame, but a name and a line. */
static inline __attribute__((always_inline)) void write_to(uintptr_t address)
{
    __asm__ volatile("movl $1, (%0)" : : "r"(address) : "memory");
}

static void *write_to_null(moat_co *self, void *input)
{
    (void)self;
    write_to(0);
    return input;
}

/* The pointer is not a stream. */
static void *flush_nothing(moat_co *self, void *input)
{
    static FILE *volatile stream = (FILE *)16;

    (void)self;
    (void)fflush(stream);
    return input;
}

/* Reads the script, and faults after its first frame. */
static void walk(const moat_co *co, moat_script_walk *out)
{
    const moat_script_frame frame = {"f", "writer.toy", 3, 0, 0};

    (void)co;
    moat_script_put(out, &frame);
    write_to(0);
}

static const char *type_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "object", [JSON_ARRAY] = "array",
        [JSON_STRING] = "string", [JSON_INTEGER] = "number",
        [JSON_REAL] = "number",   [JSON_TRUE] = "boolean",
        [JSON_FALSE] = "boolean", [JSON_NULL] = "null"};

    return names[json_typeof(value)];
}

static void print_members(const char *prefix, json_t *object)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
        printf("%s%s %s\n", prefix, key, type_name(value));
}

static json_t *report_of(const moat_co *co)
{
    FILE *file = tmpfile();
    json_t *object;

    if (file == NULL || moat_co_write_json(co, fileno(file)) != MOAT_OK)
        exit(1);
    rewind(file);
    object = json_loadf(file, 0, NULL);
    (void)fclose(file);
    if (object == NULL)
        exit(1);
    return object;
}

static void print_frame(json_t *frame)
{
    json_t *inlined, *script;
    size_t i;

    print_members("frames[].", frame);
    json_array_foreach(json_object_get(frame, "script"), i, script)
        print_members("frames[].script[].", script);
    json_array_foreach(json_object_get(frame, "inlined"), i, inlined)
        print_members("frames[].inlined[].", inlined);
}

static void print_report(const moat_co *co)
{
    json_t *report = report_of(co), *frame;
    size_t i;

    print_members("", report);
    print_members("registers.", json_object_get(report, "registers"));
    json_array_foreach(json_object_get(report, "frames"), i, frame)
        print_frame(frame);
    json_decref(report);
}

static moat_co *trap(moat_entry entry)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_script script = MOAT_SCRIPT_INIT;
    moat_event event;
    moat_co *co = NULL;

    script.walk = walk;
    options.name = "writer";
    options.script = &script;
    if (moat_co_create(&co, entry, &options) != MOAT_OK ||
        moat_co_resume(co, NULL, &event) != MOAT_OK)
        exit(1);
    return co;
}

int main(int argc, char **argv)
{
    moat_co *co = trap(write_to_null);
    moat_status status = MOAT_OK;

    if (argc > 1 && strcmp(argv[1], "text") == 0) {
        status = moat_co_print_report(co, STDOUT_FILENO);
    } else {
        print_report(co);
        moat_co_destroy(co);
        co = trap(flush_nothing);
        print_report(co);
    }
    moat_co_destroy(co);
    return status != MOAT_OK;
}
