/*
 * refused.h: a call is refused, with a status and a sentence that explains it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SUPPORT_REFUSED_H
#define TESTS_SUPPORT_REFUSED_H

#include <string.h>

#include <moat/status.h>

#include "support/fixture.h"

/* Replaces the note of an earlier refusal. */
static inline void forget(void)
{
    (void)moat_error_note(MOAT_E_STATE, "stale", 0, 0);
}

/* `words` are parts of the sentence, separated by '|'. */
static inline void expect_detail(moat_status status, moat_status expected,
                                 const char *words, const char *call)
{
    const char *detail = moat_error_detail(), *word = words;
    size_t name = strlen(moat_status_name(expected));

    expect_context("%s: '%s', should have '%s'", call, detail, words);
    EXPECT_EQ(status, expected);
    EXPECT(strncmp(detail, moat_status_name(expected), name) == 0);
    EXPECT(detail[name] == ':' && detail[name + 1] == ' ');
    EXPECT(strlen(detail) < 200 && detail[strlen(detail) - 1] != '.');
    while (*word != '\0') {
        size_t length = strcspn(word, "|");
        char part[100] = "";

        REQUIRE(length < sizeof part);
        memcpy(part, word, length);
        EXPECT(strstr(detail, part) != NULL);
        word += length + (word[length] == '|');
    }
    expect_context("%s", call);
}

#define REFUSED(words, status, call)                 \
    do {                                             \
        forget();                                    \
        expect_detail((call), status, words, #call); \
    } while (0)
#define INVAL(words, call) REFUSED(words, MOAT_E_INVAL, call)

#endif
