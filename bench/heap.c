/*
 * heap.c: guest heaps beside the C library's malloc, under the same work of the
 * same libraries: each case takes its allocator by the library's own hook.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include <duktape.h>
#include <expat.h>
#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <moat/moat.h>

#include "bench/bench.h"

#define QUOTA   ((size_t)512 << 20)
#define RECORDS 20000

/* NULL: malloc. */
static moat_heap *heap;
static double scale;

static void *take(size_t bytes)
{
    return heap != NULL ? moat_heap_alloc(heap, bytes) : malloc(bytes);
}

static void *resize(void *block, size_t bytes)
{
    return heap != NULL ? moat_heap_realloc(heap, block, bytes)
                        : realloc(block, bytes);
}

static void give_back(void *block)
{
    if (heap != NULL)
        moat_heap_free(heap, block);
    else
        free(block);
}

static size_t scaled(size_t count)
{
    size_t result = (size_t)((double)count * scale);

    return result > 0 ? result : 1;
}

/* ---- Interpreters -------------------------------------------------------- */

static void *lua_malloc(void *unused, void *block, size_t had, size_t bytes)
{
    (void)unused;
    (void)had;
    if (bytes != 0)
        return realloc(block, bytes);
    free(block);
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

static void run_lua(void)
{
    lua_State *state = heap != NULL ? lua_newstate(moat_heap_lua, heap)
                                    : lua_newstate(lua_malloc, NULL);

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

static void *duk_malloc(void *unused, size_t bytes)
{
    (void)unused;
    return malloc(bytes);
}

static void *duk_remalloc(void *unused, void *block, size_t bytes)
{
    return lua_malloc(unused, block, 0, bytes);
}

static void duk_release(void *unused, void *block)
{
    (void)unused;
    free(block);
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

static void run_duktape(void)
{
    duk_context *context =
        heap != NULL
            ? duk_create_heap(moat_heap_duk_alloc, moat_heap_duk_realloc,
                              moat_heap_duk_free, heap, NULL)
            : duk_create_heap(duk_malloc, duk_remalloc, duk_release, NULL,
                              NULL);

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

static void run_json(void)
{
    json_error_t error;
    json_t *value;

    json_set_alloc_funcs(take, give_back);
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
    struct element *element = take(sizeof *element);

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
        give_back(element);
        element = next;
    }
}

static void run_xml(void)
{
    const XML_Memory_Handling_Suite suite = {take, resize, give_back};
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
static void run_blocks(void)
{
    static void *kept[KEPT];
    uint32_t seed = 1;

    for (size_t i = 0; i < scaled(400000); i++) {
        size_t place;

        seed = seed * 1664525 + 1013904223;
        place = (seed >> 8) % KEPT;
        give_back(kept[place]);
        kept[place] = take(16 + ((seed >> 20) & 511));
    }
    for (size_t i = 0; i < KEPT; i++) {
        give_back(kept[i]);
        kept[i] = NULL;
    }
}

/* ---- Measuring ----------------------------------------------------------- */

static double measure(void (*work)(void))
{
    double begin = bench_now_ns();

    work();
    return bench_now_ns() - begin;
}

static void compare(const char *name, void (*work)(void), size_t rounds)
{
    struct bench_series series[] = {{.name = "malloc"}, {.name = "guest heap"}};

    for (size_t i = 0; i < rounds; i++) {
        bench_add(&series[0], measure(work));
        if (moat_heap_create(&heap, QUOTA) != MOAT_OK)
            bench_stop("moat_heap_create");
        bench_add(&series[1], measure(work));
        moat_heap_destroy(heap);
        heap = NULL;
    }
    bench_report(name, series, 2, 0);
}

int main(int argc, char **argv)
{
    struct bench_options options = bench_read_options(argc, argv, 11);

    scale = options.scale;
    bench_open("Guest heaps", &options);
    make_texts();
    compare("Lua: trees and strings", run_lua, options.rounds);
    compare("Duktape: trees and strings", run_duktape, options.rounds);
    compare("jansson: a document", run_json, options.rounds);
    compare("expat: a document", run_xml, options.rounds);
    compare("blocks alone", run_blocks, options.rounds);
    free(json_text);
    free(xml_text);
    return bench_close(&options);
}
