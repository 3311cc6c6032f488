/*
 * documents.h: ordinary input of parsers, which they read without a fault.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_DOCUMENTS_H
#define CORPUS_DOCUMENTS_H

#define JSON_DOCUMENT                                                      \
    "{\"name\": \"harbour \\u00e9\\n\", \"depth\": 12.5, \"open\": true, " \
    "\"berths\": [{\"number\": 1, \"ship\": null}, {\"number\": 2, "       \
    "\"ship\": {\"name\": \"Aurora\", \"length\": 104}}, {\"number\": 3, " \
    "\"tags\": [\"crane\", \"fuel\", \"a rather long tag, longer than "    \
    "what is kept inside of a node\"]}], \"tides\": [0.4, 1e3, -2, 7]}"

#define XML_DOCUMENT                                                       \
    "<?xml version=\"1.0\"?><!DOCTYPE harbour [<!ENTITY crane \"a "        \
    "crane\">]><harbour name=\"north\" depth=\"12.5\"><!-- berths -->"     \
    "<berth number=\"1\"/><berth number=\"2\"><ship length=\"104\">Aurora" \
    " &amp; sister</ship></berth><berth number=\"3\">&crane;<fuel "        \
    "xmlns:f=\"urn:fuel\" f:grade=\"2\"><![CDATA[<raw>]]></fuel></berth>"  \
    "</harbour>"

#endif
