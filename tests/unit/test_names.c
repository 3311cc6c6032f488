/*
 * test_names.c: names in reports stay on their line and steer no terminal.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <sys/mman.h>
#include <unistd.h>

#include "report/names.h"

/* The text of a name, put by way of a buffer smaller than most names. */
static char shown[1 << 16];

static const char *show(const char *name)
{
    struct moat_text text;
    char buffer[16];
    int fd = memfd_create("names", MFD_CLOEXEC);
    ssize_t bytes;

    assert_true(fd >= 0);
    moat_text_begin(&text, &(struct moat_outlet){.fd = fd}, buffer,
                    sizeof buffer);
    moat_text_put_name(&text, name);
    assert_int_equal(moat_text_end(&text), MOAT_OK);
    bytes = pread(fd, shown, sizeof shown - 1, 0);
    assert_true(bytes >= 0);
    shown[bytes] = '\0';
    close(fd);
    return shown;
}

static void plain(void **state)
{
    (void)state;
    assert_string_equal(show(""), "");
    assert_string_equal(show("f+0x10 in a.so"), "f+0x10 in a.so");
    assert_string_equal(show("caf\u00e9 \U0001f600"), "caf\u00e9 \U0001f600");
    assert_string_equal(show("C:\\dir"), "C:\\dir");
}

static void steering(void **state)
{
    static const struct {
        const char *name, *shown;
    } cases[] = {{"a\nb", "a\\x0ab"},
                 {"\x1b[31m\x7f", "\\x1b[31m\\x7f"},
                 {"\t", "\\x09"},
                 {"\xc2\x9b", "\\xc2\\x9b"},
                 {"\xe2\x80\xae!", "\\xe2\\x80\\xae!"},
                 {"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},
                 {"\xef\xbb\xbf", "\\xef\\xbb\\xbf"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(show(cases[i].name), cases[i].shown);
}

static void not_utf8(void **state)
{
    (void)state;
    assert_string_equal(show("\xff!"), "\\xff!");
    assert_string_equal(show("\xc3("), "\\xc3(");
    assert_string_equal(show("\xed\xa0\x80"), "\\xed\\xa0\\x80");
    /* The end of the name comes in the middle of a character. */
    assert_string_equal(show("\xe2\x80"), "\\xe2\\x80");
    assert_string_equal(show("\xf0"), "\\xf0");
}

/* No sequence of three bytes leaves a byte of a control in the output. */
static void every_sequence(void **state)
{
    (void)state;
    for (unsigned a = 1; a < 256; a++)
        for (unsigned b = 1; b < 256; b += 3) {
            const char name[] = {(char)a, (char)b, (char)(a ^ b), '\0'};

            for (const char *c = show(name); *c != '\0'; c++)
                assert_false((unsigned char)*c < 0x20 || *c == 0x7f);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain), cmocka_unit_test(steering),
        cmocka_unit_test(not_utf8), cmocka_unit_test(every_sequence)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
