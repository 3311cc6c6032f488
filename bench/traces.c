/*
 * traces.c: work of libraries that allocate much: binary trees and strings in
 * Lua and Duktape, documents of JSON and XML, and blocks alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/traces.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <duktape.h>
#include <expat.h>
#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "bench/bench.h"

#define RECORDS 20000

static const struct trace_allocator *in_use;
static double scale;

static size_t scaled(size_t count)
{
    size_t result = (size_t)((double)count * scale);

    return result > 0 ? result : 1;
}

/* ---- Interpreters -------------------------------------------------------- */

static void *lua_hook(void *unused, void *block, size_t had, size_t bytes)
{
    (void)unused;
    (void)had;
    if (bytes != 0)
        return in_use->resize(block, bytes);
    in_use->give_back(block);
    return NULL;
}

/* Binary trees, then a table of strings, sorted and concatenated. */
static const char lua_source[] =
    "local trees, strings = ...\n"
    "local function tree(depth)\n"
    "  if depth == 0 then return {} end\n"
    "  return {tree(depth - 1), tree(depth - 1)}\n"
    "end\n"
    "for i = 1, trees do tree(12) end\n"
    "local words = {}\n"
    "for i = 1, strings do words[i] = 'word' .. i end\n"
    "table.sort(words)\n"
    "local seen = {}\n"
    "for i, word in ipairs(words) do seen[word] = i end\n"
    "for word in table.concat(words, ','):gmatch('[^,]+') do\n"
    "  assert(seen[word])\n"
    "end\n";

static void run_lua(const struct trace_allocator *allocator)
{
    lua_State *state = lua_newstate(
        allocator->lua != NULL ? allocator->lua : lua_hook, allocator->arg);

    if (state == NULL)
        bench_stop("lua_newstate");
    luaL_openlibs(state);
    if (luaL_loadstring(state, lua_source) != 0)
        bench_stop("luaL_loadstring");
    lua_pushinteger(state, (lua_Integer)scaled(30));
    lua_pushinteger(state, (lua_Integer)scaled(30000));
    if (lua_pcall(state, 2, 0, 0) != 0)
        bench_stop(lua_tostring(state, -1));
    lua_close(state);
}

static void *duk_take(void *unused, size_t bytes)
{
    (void)unused;
    return in_use->take(bytes);
}

static void *duk_resize(void *unused, void *block, size_t bytes)
{
    return lua_hook(unused, block, 0, bytes);
}

static void duk_give_back(void *unused, void *block)
{
    (void)unused;
    in_use->give_back(block);
}

static const char duk_source[] =
    "function tree(depth) {\n"
    "  return depth == 0 ? {} : {a: tree(depth - 1), b: tree(depth - 1)};\n"
    "}\n"
    "for (var i = 0; i < trees; i++) tree(10);\n"
    "var words = [];\n"
    "for (var i = 0; i < strings; i++) words.push('word' + i);\n"
    "words.sort();\n"
    "words.join(',').split(',').length;\n";

static void run_duktape(const struct trace_allocator *allocator)
{
    duk_context *context =
        allocator->duk_take != NULL
            ? duk_create_heap(allocator->duk_take, allocator->duk_resize,
                              allocator->duk_give_back, allocator->arg, NULL)
            : duk_create_heap(duk_take, duk_resize, duk_give_back, NULL, NULL);

    if (context == NULL)
        bench_stop("duk_create_heap");
    duk_push_number(context, (double)scaled(20));
    duk_put_global_string(context, "trees");
    duk_push_number(context, (double)scaled(10000));
    duk_put_global_string(context, "strings");
    if (duk_peval_string(context, duk_source) != 0)
        bench_stop(duk_safe_to_string(context, -1));
    duk_destroy_heap(context);
}

/* ---- Parsers ------------------------------------------------------------- */

static char *json_text, *xml_text;

static void make_texts(void)
{
    size_t records = scaled(RECORDS), bytes = records * 128 + 16;
    char *json = json_text = malloc(bytes), *xml = xml_text = malloc(bytes);

    if (json == NULL || xml == NULL)
        bench_stop("malloc");
    *json++ = '[';
    xml += sprintf(xml, "<all>");
    for (size_t i = 0; i < records; i++) {
        json += sprintf(json,
                        "%s{\"id\": %zu, \"name\": \"user %zu\", \"tags\": "
                        "[\"a\", \"bb\", 1.5], \"more\": {\"x\": null}}",
                        i > 0 ? ", " : "", i, i);
        xml += sprintf(
            xml, "<user id=\"%zu\"><name>n%zu</name><a><b/></a></user>", i, i);
    }
    (void)strcpy(json, "]");
    (void)strcpy(xml, "</all>");
}

static void run_json(const struct trace_allocator *allocator)
{
    json_error_t error;
    json_t *value;

    json_set_alloc_funcs(allocator->take, allocator->give_back);
    value = json_loads(json_text, 0, &error);
    if (value == NULL)
        bench_stop(error.text);
    json_decref(value);
    json_set_alloc_funcs(malloc, free);
}

struct element {
    struct element *children, *next;
    char name[8];
};

/* The elements that are open. */
static struct element *open_elements[8];
static size_t depth;

static void begin_element(void *unused, const char *name,
                          const char **attributes)
{
    struct element *element = in_use->take(sizeof *element);

    (void)unused;
    (void)attributes;
    if (element == NULL)
        bench_stop("an element");
    element->children = NULL;
    element->next = open_elements[depth]->children;
    (void)snprintf(element->name, sizeof element->name, "%s", name);
    open_elements[depth]->children = element;
    open_elements[++depth] = element;
}

static void end_element(void *unused, const char *name)
{
    (void)unused;
    (void)name;
    depth--;
}

static void drop_elements(struct element *element)
{
    while (element != NULL) {
        struct element *next = element->next;

        drop_elements(element->children);
        in_use->give_back(element);
        element = next;
    }
}

static void run_xml(const struct trace_allocator *allocator)
{
    const XML_Memory_Handling_Suite suite = {allocator->take, allocator->resize,
                                             allocator->give_back};
    XML_Parser parser = XML_ParserCreate_MM(NULL, &suite, NULL);
    struct element root = {NULL, NULL, "root"};

    if (parser == NULL)
        bench_stop("XML_ParserCreate_MM");
    open_elements[0] = &root;
    depth = 0;
    XML_SetElementHandler(parser, begin_element, end_element);
    if (XML_Parse(parser, xml_text, (int)strlen(xml_text), 1) != XML_STATUS_OK)
        bench_stop("XML_Parse");
    XML_ParserFree(parser);
    drop_elements(root.children);
}

/* ---- The blocks alone ---------------------------------------------------- */

#define KEPT ((size_t)4000)

/* Blocks of many sizes, each returned when its slot is needed again. */
static void run_blocks(const struct trace_allocator *allocator)
{
    static void *kept[KEPT];
    size_t count = scaled(400000);
    uint32_t seed = 1;

    for (size_t i = 0; i < count; i++) {
        size_t place;

        seed = seed * 1664525 + 1013904223;
        place = (seed >> 8) % KEPT;
        allocator->give_back(kept[place]);
        kept[place] = allocator->take(16 + ((seed >> 20) & 511));
    }
    for (size_t i = 0; i < KEPT; i++) {
        allocator->give_back(kept[i]);
        kept[i] = NULL;
    }
}

/* ---- The list ------------------------------------------------------------ */

/* The allocator that hooks without an argument find. */
#define RUN(name)                                                     \
    static void begin_##name(const struct trace_allocator *allocator) \
    {                                                                 \
        in_use = allocator;                                           \
        run_##name(allocator);                                        \
    }
RUN(lua)
RUN(duktape)
RUN(json)
RUN(xml)
RUN(blocks)

const struct trace traces[] = {
    {"Lua: trees and strings", begin_lua},
    {"Duktape: trees and strings", begin_duktape},
    {"jansson: a document", begin_json},
    {"expat: a document", begin_xml},
    {"blocks alone", begin_blocks},
};
const size_t trace_count = sizeof traces / sizeof *traces;

void traces_begin(double factor)
{
    scale = factor;
    make_texts();
}

void traces_end(void)
{
    free(json_text);
    free(xml_text);
}
