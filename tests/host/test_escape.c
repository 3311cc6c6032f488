/*
 * test_escape.c: text of scripts for terminals.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "escape.h"
#include "utf8.h"

/* Calls one of the writers, and returns what it has written. */
static char written[1024];

static FILE *begin(char **text, size_t *bytes)
{
    FILE *out = open_memstream(text, bytes);

    assert_non_null(out);
    return out;
}

static const char *end(FILE *out, char **text)
{
    assert_int_equal(fclose(out), 0);
    snprintf(written, sizeof written, "%s", *text);
    free(*text);
    return written;
}

static const char *text_of(const char *text, size_t bytes)
{
    char *made;
    size_t length;
    FILE *out = begin(&made, &length);

    escape_write(out, text, bytes);
    return end(out, &made);
}

static const char *name_of(const char *name)
{
    char *made;
    size_t length;
    FILE *out = begin(&made, &length);

    escape_write_name(out, name);
    return end(out, &made);
}

static const char *lines_of(const char *name, const char *text)
{
    char *made;
    size_t length;
    FILE *out = begin(&made, &length);

    escape_write_lines(out, name, "| ", text, strlen(text));
    return end(out, &made);
}

#define TEXT(literal) text_of(literal, sizeof(literal) - 1)

static void controls(void **state)
{
    (void)state;
    assert_string_equal(TEXT("a\tb \\ ~"), "a\tb \\ ~");
    assert_string_equal(TEXT("\0\x1b[m\n\r\x7f"),
                        "\\x00\\x1b[m\\x0a\\x0d\\x7f");
    assert_string_equal(TEXT("\xc2\x80\xc2\x9f\xc2\xa0"),
                        "\\u{80}\\u{9f}\xc2\xa0");
    assert_string_equal(TEXT("\xd8\x9c\xe2\x80\x8f\xe2\x80\xa8\xe2\x81\xa9"),
                        "\\u{61c}\\u{200f}\\u{2028}\\u{2069}");
    assert_string_equal(TEXT("caf\xc3\xa9 \xf0\x9f\x98\x80"),
                        "caf\xc3\xa9 \xf0\x9f\x98\x80");
}

static void not_utf8(void **state)
{
    (void)state;
    assert_string_equal(TEXT("\xff\x9b"), "\\xff\\x9b");
    assert_string_equal(TEXT("\xc0\x80\xe0\x80\x80"),
                        "\\xc0\\x80\\xe0\\x80\\x80");
    assert_string_equal(TEXT("\xed\xa0\x80"), "\\xed\\xa0\\x80");
    assert_string_equal(TEXT("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
    assert_string_equal(TEXT("\xe2\x80"), "\\xe2\\x80");
}

/* Whatever the text, the result is UTF-8 and steers nothing. Escaping is done
 * once: what has been written is not changed by a second time. */
static void anything(void **state)
{
    uint32_t random = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[24], once[sizeof written];
        size_t bytes = (size_t)(round % (int)sizeof text) + 1;
        unsigned code;

        for (size_t i = 0; i < bytes; i++) {
            random = random * 1664525u + 1013904223u;
            text[i] = (char)(random >> 24);
        }
        strcpy(once, text_of(text, bytes));
        for (size_t i = 0, n; once[i] != '\0'; i += n) {
            n = utf8_decode(once + i, strlen(once + i), &code);
            assert_true(n > 0);
            assert_true(code == '\t' || (code >= 0x20 && code < 0x7f) ||
                        code >= 0xa0);
        }
        assert_string_equal(text_of(once, strlen(once)), once);
    }
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(name_of("a b.lua"), "a b.lua");
    assert_string_equal(name_of("a: ok | b| c:d|e"),
                        "a:\\x20ok |\\x20b|\\x20c:d|e");
    assert_string_equal(name_of(" x"), "\\x20x");
    assert_string_equal(name_of("  x"), "\\x20 x");
    assert_string_equal(name_of("a:\n b"), "a:\\x0a b");
    assert_string_equal(name_of(""), "");
}

static void lines(void **state)
{
    (void)state;
    assert_string_equal(lines_of(NULL, ""), "");
    assert_string_equal(lines_of(NULL, "a"), "| a\n");
    assert_string_equal(lines_of(NULL, "a\n\nb\n"), "| a\n| \n| b\n");
    assert_string_equal(lines_of("x: y", "a\rb\nc"),
                        "x:\\x20y| a\\x0db\nx:\\x20y| c\n");
}

/* Whole characters only, and always an end. */
static void copies(void **state)
{
    char buffer[8];

    (void)state;
    assert_string_equal(escape_copy(buffer, sizeof buffer, "abcdefghij"),
                        "abcdefg");
    assert_string_equal(escape_copy(buffer, sizeof buffer, "abcdef\xc3\xa9"),
                        "abcdef");
    assert_string_equal(escape_copy(buffer, sizeof buffer, "abcd\x1b"), "abcd");
    assert_string_equal(escape_copy(buffer, sizeof buffer, "abc\x1b"),
                        "abc\\x1b");
    assert_string_equal(escape_copy(buffer, 1, "a"), "");
}

static void json(void **state)
{
    static const char text[] =
        "{\"a\":\"\\u001b\x7f\xc2\x9b\xe2\x80\xae\xc3\xa9"
        "\xf0\x9f\x98\x80\"}";
    char *made;
    size_t length;
    FILE *out = begin(&made, &length);

    (void)state;
    escape_write_json(out, text, sizeof text - 1);
    assert_string_equal(end(out, &made),
                        "{\"a\":\"\\u001b\\u007f\\u009b\\u202e\xc3\xa9"
                        "\xf0\x9f\x98\x80\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(controls), cmocka_unit_test(not_utf8),
        cmocka_unit_test(anything), cmocka_unit_test(names),
        cmocka_unit_test(lines),    cmocka_unit_test(copies),
        cmocka_unit_test(json)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
