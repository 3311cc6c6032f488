/*
 * libxml2.c: libxml2, which recurses into what it copies, and into expressions.
 * One case per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xpath.h>

#include "documents.h"
#include "hcase.h"

const char *hcase_name = NAME;

#if defined CASE_work
/* What the library keeps for the process is made on the host's stack. */
int hcase_setup(long n)
{
    (void)n;
    xmlInitParser();
    return 0;
}

int hcase_run(void)
{
    xmlDocPtr tree =
        xmlReadMemory(XML_DOCUMENT, sizeof XML_DOCUMENT - 1, "document", NULL,
                      XML_PARSE_NONET | XML_PARSE_NOENT);
    xmlXPathContextPtr context = xmlXPathNewContext(tree);
    xmlXPathObjectPtr found =
        xmlXPathEvalExpression(BAD_CAST "//berth[@number > 1]/ship", context);
    xmlDocPtr copy = xmlCopyDoc(tree, 1);
    int failed = found == NULL || found->nodesetval == NULL ||
                 found->nodesetval->nodeNr != 1 || copy == NULL;

    xmlXPathFreeObject(found);
    xmlXPathFreeContext(context);
    xmlFreeDoc(copy);
    xmlFreeDoc(tree);
    return failed;
}
#elif defined CASE_xpath
static char *expression;

int hcase_setup(long n)
{
    size_t depth = n != 0 ? (size_t)n : 4000;

    xmlInitParser();
    expression = hc_nest("(", depth, "1", ")", depth);
    return expression == NULL;
}

int hcase_run(void)
{
    xmlXPathCompExprPtr compiled = xmlXPathCompile(BAD_CAST expression);

    if (compiled == NULL)
        return 1;
    xmlXPathFreeCompExpr(compiled);
    return 0;
}
#elif defined CASE_copy
int hcase_setup(long n)
{
    (void)n;
    xmlInitParser();
    return 0;
}

int hcase_run(void)
{
    xmlDocPtr tree = xmlNewDoc(BAD_CAST "1.0"), copy;
    xmlNodePtr innermost = xmlNewNode(NULL, BAD_CAST "a");

    (void)xmlDocSetRootElement(tree, innermost);
    for (int i = 0; i < 20000; i++)
        innermost = xmlNewChild(innermost, NULL, BAD_CAST "a", NULL);
    copy = xmlCopyDoc(tree, 1);
    xmlFreeDoc(copy);
    xmlFreeDoc(tree);
    return copy == NULL;
}
#endif
