/*
 * yaml.c: libyaml, which writes a document by recursion, and calls functions of
 * the program's. One case per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <yaml.h>

#include "hcase.h"

const char *hcase_name = NAME;

static char *input;

int hcase_setup(long n)
{
    size_t depth = n != 0 ? (size_t)n : 900;

    input = hc_nest("[", depth, "1", "]", depth);
    return input == NULL;
}

static unsigned char *volatile bad __attribute__((unused)) =
    (unsigned char *)0x10;

#if defined CASE_read
static int read_some(void *at, unsigned char *buffer, size_t room, size_t *got)
{
    (void)at;
    memcpy(buffer, bad, room);
    *got = room;
    return 1;
}
#else
static int write_none(void *to, unsigned char *text, size_t bytes)
{
    (void)to;
    (void)text;
    (void)bytes;
    return 1;
}
#endif

int hcase_run(void)
{
    yaml_parser_t parser;
    yaml_document_t document;
    int loaded;

    if (yaml_parser_initialize(&parser) == 0)
        return 2;
#if defined CASE_read
    yaml_parser_set_input(&parser, read_some, NULL);
#else
    yaml_parser_set_input_string(&parser, (unsigned char *)input,
                                 strlen(input));
#endif
    loaded = yaml_parser_load(&parser, &document);
#if defined CASE_write
    if (loaded != 0) {
        yaml_emitter_t emitter;

        if (yaml_emitter_initialize(&emitter) == 0)
            return 2;
        yaml_emitter_set_output(&emitter, write_none, NULL);
        loaded = yaml_emitter_open(&emitter) != 0 &&
                 yaml_emitter_dump(&emitter, &document) != 0;
        yaml_emitter_delete(&emitter);
    }
#endif
    yaml_parser_delete(&parser);
    return loaded == 0;
}
