/*
 * arguments.c: looks at a guest's arguments of printf and scanf before a lock
 * is taken.
 *
 * What scanf stores, and whether it gets there, depends on the stream: a bad
 * pointer is to end the guest in any case, and on its own stack.
 *
 * A number of many digits takes up to 80 KiB of stack in printf. It is the
 * host's there, but the guest must have as much: how large the host's stack is,
 * is not the guest's to find out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "malloc/arguments.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include <moat/moat.h>

#include "malloc/owner.h"
#include "malloc/touch.h"

/* clang's analyzer does not follow a va_list that is in a structure. */
/* NOLINTBEGIN(clang-analyzer-valist.Uninitialized) */

/* A format on its way, with the arguments of a va_list. */
struct walk {
    const void *at;
    bool is_wide;
    va_list *args;
};

static wint_t look(const struct walk *walk)
{
    return walk->is_wide ? (wint_t) * (const wchar_t *)walk->at
                         : *(const unsigned char *)walk->at;
}

static void step(struct walk *walk)
{
    walk->at =
        (const char *)walk->at + (walk->is_wide ? sizeof(wchar_t) : (size_t)1);
}

static bool is_one_of(wint_t letter, const char *letters)
{
    return letter > 0 && letter < CHAR_MAX &&
           strchr(letters, (int)letter) != NULL;
}

/* Steps over the letters, and returns the one after them. */
static wint_t skip(struct walk *walk, const char *letters)
{
    while (is_one_of(look(walk), letters))
        step(walk);
    return look(walk);
}

/* Goes to the next conversion, after its percent sign. */
static bool find(struct walk *walk)
{
    for (; look(walk) != 0; step(walk)) {
        if (look(walk) != '%')
            continue;
        step(walk);
        if (look(walk) != '%')
            return true;
    }
    return false;
}

#define DIGITS "0123456789"

/* --- scanf ------------------------------------------------------------------
 */

/* Skips a set of letters, from the one after its bracket. */
static bool skip_set(struct walk *walk)
{
    if (look(walk) == '^')
        step(walk);
    if (look(walk) == ']')
        step(walk);
    while (look(walk) != ']') {
        if (look(walk) == 0)
            return false;
        step(walk);
    }
    step(walk);
    return true;
}

/* False: it is not known here. */
static bool scan_one(struct walk *walk)
{
    bool is_stored = true;
    wint_t letter;

    while (is_one_of(letter = look(walk), "*'I" DIGITS)) {
        is_stored = is_stored && letter != '*';
        step(walk);
    }
    letter = skip(walk, "hlLqjztm");
    if (!is_one_of(letter, "diouxXnaAeEfFgGcsCSp[") ||
        (step(walk), letter == 'a' && is_one_of(look(walk), "sS[")))
        return false;
    if (is_stored)
        moat_touch_in(va_arg(*walk->args, const void *), 1);
    return letter != '[' || skip_set(walk);
}

/* --- printf -----------------------------------------------------------------
 */

/* Up to so many digits, any stack has the room. */
#define FEW_DIGITS 1000

/* As wide characters; beyond that glibc allocates them. */
#define MOST_STACK 65536

static void require(int digits)
{
    size_t wide;

    if (digits <= FEW_DIGITS)
        return;
    wide = (size_t)digits * sizeof(wchar_t);
    if (wide <= MOST_STACK &&
        moat_stack_reserve(wide + (size_t)digits) != MOAT_OK)
        moat_trap_raise_as(MOAT_TRAP_STACK_OVERFLOW, 0);
}

static int read_number(struct walk *walk)
{
    int number = 0;

    if (look(walk) == '*') {
        step(walk);
        return va_arg(*walk->args, int);
    }
    for (; is_one_of(look(walk), DIGITS); step(walk)) {
        if (number < MOST_STACK)
            number = 10 * number + ((int)look(walk) - '0');
    }
    return number;
}

static void skip_integer(struct walk *walk, bool is_long)
{
    if (!is_long) {
        (void)va_arg(*walk->args, int);
        return;
    }
    (void)va_arg(*walk->args, long);
}

static void skip_number(struct walk *walk, bool is_long_double)
{
    if (!is_long_double) {
        (void)va_arg(*walk->args, double);
        return;
    }
    (void)va_arg(*walk->args, long double);
}

/* False: it is not known here. */
static bool print_one(struct walk *walk)
{
    bool is_long = false, is_long_double = false;
    int digits = 0;
    wint_t letter;

    (void)skip(walk, "-+ #0'I");
    (void)read_number(walk);
    if (look(walk) == '.') {
        step(walk);
        digits = read_number(walk);
    }
    for (; is_one_of(letter = look(walk), "hlLqjzt"); step(walk)) {
        is_long |= letter != 'h';
        is_long_double |= letter == 'L' || letter == 'q';
    }
    step(walk);
    if (is_one_of(letter, "diouxXcC")) {
        skip_integer(walk, is_long);
    } else if (is_one_of(letter, "eEfFgGaA")) {
        require(digits);
        skip_number(walk, is_long_double);
    } else if (is_one_of(letter, "sSpn")) {
        (void)va_arg(*walk->args, const void *);
    } else {
        return letter == 'm';
    }
    return true;
}

void moat_arguments_look(const char *name, const void *format, bool is_wide,
                         va_list args)
{
    va_list copy;
    struct walk walk = {format, is_wide, &copy};
    bool scans = strstr(name, "scanf") != NULL;

    if (moat_malloc_on_host())
        return;
    va_copy(copy, args);
    while (find(&walk) && (scans ? scan_one(&walk) : print_one(&walk)))
        continue;
    va_end(copy);
}

/* NOLINTEND(clang-analyzer-valist.Uninitialized) */
