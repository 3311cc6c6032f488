/*
 * expat.c: Expat, which recurses into entities that expand to others. One case
 * per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <expat.h>

#include "documents.h"
#include "hcase.h"

const char *hcase_name = NAME;

#if defined CASE_work
int hcase_setup(long n)
{
    (void)n;
    return 0;
}

static void on_start(void *count, const char *name, const char **attributes)
{
    (void)name;
    (void)attributes;
    ++*(int *)count;
}

int hcase_run(void)
{
    XML_Parser parser = XML_ParserCreateNS(NULL, ':');
    int elements = 0, failed = 1;

    if (parser != NULL) {
        XML_SetUserData(parser, &elements);
        XML_SetStartElementHandler(parser, on_start);
        failed = XML_Parse(parser, XML_DOCUMENT, sizeof XML_DOCUMENT - 1, 1) !=
                     XML_STATUS_OK ||
                 elements != 6;
        XML_ParserFree(parser);
    }
    return failed;
}
#else
static char *input;

/* Each entity is a reference to the one before it. */
int hcase_setup(long n)
{
    int depth = n != 0 ? (int)n : 2000;
    char *end;

    input = malloc((size_t)depth * 40 + 200);
    if (input == NULL)
        return 1;
    end = stpcpy(input, "<!DOCTYPE r [<!ENTITY e0 \"x\">");
    for (int i = 1; i <= depth; i++)
        end += sprintf(end, "<!ENTITY e%d \"&e%d;\">", i, i - 1);
    (void)sprintf(end, "]><r>&e%d;</r>", depth);
    return 0;
}

int hcase_run(void)
{
    XML_Parser parser = XML_ParserCreate(NULL);
    int failed = 1;

    if (parser != NULL)
        failed =
            XML_Parse(parser, input, (int)strlen(input), 1) != XML_STATUS_OK;
    XML_ParserFree(parser);
    return failed;
}
#endif
