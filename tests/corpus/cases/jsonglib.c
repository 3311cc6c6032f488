/*
 * jsonglib.c: JSON-GLib, which recurses into what it reads, with GLib's types,
 * lists and thread-specific keys below it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <json-glib/json-glib.h>

#include "hcase.h"

const char *hcase_name = NAME;
static char *input;

int hcase_setup(long n)
{
    size_t depth = n != 0 ? (size_t)n : 50000;

    input = hc_nest("[", depth, "1", "]", depth);
    return input == NULL;
}

int hcase_run(void)
{
    JsonParser *parser = json_parser_new();
    GError *error = NULL;
    gboolean done = json_parser_load_from_data(parser, input, -1, &error);

    g_object_unref(parser);
    return !done;
}
