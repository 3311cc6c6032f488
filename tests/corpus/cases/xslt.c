/*
 * xslt.c: libxslt, whose templates call each other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <libxml/parser.h>
#include <libxslt/transform.h>
#include <libxslt/xslt.h>
#include <libxslt/xsltutils.h>

#include "hcase.h"

const char *hcase_name = NAME;

static const char sheet[] =
    "<xsl:stylesheet version=\"1.0\" "
    "xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\">"
    "<xsl:template match=\"/\"><xsl:call-template name=\"t\">"
    "<xsl:with-param name=\"n\" select=\"DEPTH\"/></xsl:call-template>"
    "</xsl:template><xsl:template name=\"t\"><xsl:param name=\"n\"/>"
    "<x><xsl:if test=\"$n &gt; 0\"><xsl:call-template name=\"t\">"
    "<xsl:with-param name=\"n\" select=\"$n - 1\"/></xsl:call-template>"
    "</xsl:if></x></xsl:template></xsl:stylesheet>";

static char deep[sizeof sheet + 10], flat[sizeof sheet + 10];

static void ignore(void *user, const char *format, ...)
{
    (void)user;
    (void)format;
}

static int transform(const char *text)
{
    xmlDocPtr source = xmlReadMemory(text, (int)strlen(text), "s", NULL, 0);
    xsltStylesheetPtr style =
        source != NULL ? xsltParseStylesheetDoc(source) : NULL;
    xmlDocPtr in = xmlReadMemory("<r/>", 4, "d", NULL, 0);
    xmlDocPtr out = style != NULL ? xsltApplyStylesheet(style, in, NULL) : NULL;
    int failed = out == NULL;

    xmlFreeDoc(out);
    xmlFreeDoc(in);
    xsltFreeStylesheet(style);
    return failed;
}

static void fill(char *to, const char *depth)
{
    const char *at = strstr(sheet, "DEPTH");

    (void)sprintf(to, "%.*s%s%s", (int)(at - sheet), sheet, depth, at + 5);
}

/* What the libraries keep for the process is the host's. */
int hcase_setup(long n)
{
    (void)n;
    fill(deep, "2900");
    fill(flat, "3");
    xmlSetGenericErrorFunc(NULL, ignore);
    xsltSetGenericErrorFunc(NULL, ignore);
    xsltInit();
    return transform(flat);
}

int hcase_run(void)
{
    return transform(deep);
}
