/*
 * arguments.c: looks at a guest's arguments of printf and scanf before a lock
 * is taken.
 *
 * What scanf stores, and whether it gets there, depends on the stream: a bad
 * pointer is to end the guest in any case, and on its own stack.
 *
 * A number of many digits takes up to 80 KiB of stack in printf, and memory if
 * there are more. Both are the host's there, but the guest must have as much:
 * how large the host's stack is, is not the guest's to find out, and its quota
 * holds for what is done on its behalf.
 *
 * SPDX-License-Identifier: MIT
 */
#include "malloc/arguments.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include <moat/moat.h>

#include "malloc/guest.h"
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

/* Returns whether the guest's heap has room for them. */
static bool has_memory(size_t bytes)
{
    void *block = moat_malloc_take(NULL, 0, bytes);

    moat_malloc_return(block);
    return block != NULL;
}

/* False: the guest has not the memory for so many digits, and is not to be
 * stopped for it. */
static bool require(int digits)
{
    size_t wide;

    if (digits <= FEW_DIGITS)
        return true;
    wide = (size_t)digits * sizeof(wchar_t);
    if (wide > MOST_STACK)
        return has_memory(wide + (size_t)digits);
    if (moat_stack_reserve(wide + (size_t)digits) != MOAT_OK)
        moat_trap_raise_as(MOAT_TRAP_STACK_OVERFLOW, 0);
    return true;
}

static int read_number(struct walk *walk)
{
    long number = 0;

    for (; is_one_of(look(walk), DIGITS); step(walk)) {
        if (number <= INT_MAX)
            number = 10 * number + ((long)look(walk) - '0');
    }
    return number < INT_MAX ? (int)number : INT_MAX;
}

/* What a conversion takes of the arguments, and where. */
enum what {
    TAKES_INT,
    TAKES_LONG,
    TAKES_DOUBLE,
    TAKES_LONG_DOUBLE,
    TAKES_POINTER,
    TAKES_NOTHING
};

/* A width or a precision: an argument, or a number. */
struct number {
    bool is_argument;
    int value; /* of an argument, its number from 1; 0: the next one */
};

struct conversion {
    int position; /* of its argument, from 1; 0: the next one */
    struct number width, digits;
    enum what what;
};

/* Steps over "N$", or leaves the walk where it is. */
static int read_position(struct walk *walk)
{
    struct walk ahead = *walk;
    int number = read_number(&ahead);

    if (number == 0 || look(&ahead) != '$')
        return 0;
    step(&ahead);
    walk->at = ahead.at;
    return number;
}

static struct number read_argument_or_number(struct walk *walk)
{
    struct number number = {.is_argument = look(walk) == '*'};

    if (number.is_argument)
        step(walk);
    number.value = number.is_argument ? read_position(walk) : read_number(walk);
    return number;
}

static bool is_float(enum what what)
{
    return what == TAKES_DOUBLE || what == TAKES_LONG_DOUBLE;
}

/* False: it is not known here. */
static bool read_what(struct walk *walk, enum what *what)
{
    bool is_long = false, is_long_double = false;
    wint_t letter;

    for (; is_one_of(letter = look(walk), "hlLqjzt"); step(walk)) {
        is_long |= letter != 'h';
        is_long_double |= letter == 'L' || letter == 'q';
    }
    if (is_one_of(letter, "diouxXcC"))
        *what = is_long ? TAKES_LONG : TAKES_INT;
    else if (is_one_of(letter, "eEfFgGaA"))
        *what = is_long_double ? TAKES_LONG_DOUBLE : TAKES_DOUBLE;
    else if (is_one_of(letter, "sSpn"))
        *what = TAKES_POINTER;
    else if (letter == 'm')
        *what = TAKES_NOTHING;
    else
        return false;
    step(walk);
    return true;
}

/* False: it is not known here. */
static bool read_conversion(struct walk *walk, struct conversion *out)
{
    *out = (struct conversion){.position = read_position(walk)};
    (void)skip(walk, "-+ #0'I");
    out->width = read_argument_or_number(walk);
    if (look(walk) == '.') {
        step(walk);
        out->digits = read_argument_or_number(walk);
    }
    return read_what(walk, &out->what);
}

/* Takes one argument; the value of an int. */
static int take_argument(struct walk *walk, enum what what)
{
    if (what == TAKES_INT)
        return va_arg(*walk->args, int);
    if (what == TAKES_LONG)
        (void)va_arg(*walk->args, long);
    if (what == TAKES_DOUBLE)
        (void)va_arg(*walk->args, double);
    if (what == TAKES_LONG_DOUBLE)
        (void)va_arg(*walk->args, long double);
    if (what == TAKES_POINTER)
        (void)va_arg(*walk->args, const void *);
    return 0;
}

/* False: the guest has not the memory. */
static bool look_at_next(struct walk *walk, const struct conversion *each)
{
    int digits = each->digits.value;

    if (each->width.is_argument)
        (void)take_argument(walk, TAKES_INT);
    if (each->digits.is_argument)
        digits = take_argument(walk, TAKES_INT);
    if (is_float(each->what) && !require(digits))
        return false;
    (void)take_argument(walk, each->what);
    return true;
}

/* What the numbered arguments are. Those that no conversion names are ints, as
 * the C library has it. */
struct numbered {
    int count;
    unsigned char what[NL_ARGMAX + 1]; /* an enum what, by the number */
};

/* The precision of a float. */
#define IS_DIGITS 0x80u

static void set_what(struct numbered *all, int position, unsigned what)
{
    if (position > all->count)
        all->count = position;
    if (position > 0 && position <= NL_ARGMAX)
        all->what[position] =
            (unsigned char)((all->what[position] & IS_DIGITS) | what);
}

static bool set_conversion(struct numbered *all, const struct conversion *each)
{
    bool is_number = is_float(each->what);

    if (each->width.is_argument)
        set_what(all, each->width.value, TAKES_INT);
    if (each->digits.is_argument)
        set_what(all, each->digits.value,
                 TAKES_INT | (is_number ? IS_DIGITS : 0));
    set_what(all, each->position, each->what);
    return !is_number || each->digits.is_argument ||
           require(each->digits.value);
}

static bool is_numbered(const struct conversion *each)
{
    return each->position != 0 ||
           (each->width.is_argument && each->width.value != 0) ||
           (each->digits.is_argument && each->digits.value != 0);
}

/* From the first conversion with a number on, all have one. The C library takes
 * memory for each number up to the highest one. */
static __attribute__((noinline)) bool
look_at_numbered(struct walk *walk, const struct conversion *first)
{
    struct numbered all = {0};
    struct conversion each = *first;

    do {
        if (!set_conversion(&all, &each))
            return false;
    } while (find(walk) && read_conversion(walk, &each));
    if (all.count > NL_ARGMAX) {
        errno = EINVAL;
        return false;
    }
    for (int i = 1; i <= all.count; i++) {
        unsigned what = all.what[i] & ~IS_DIGITS;
        int value = take_argument(walk, (enum what)what);

        if ((all.what[i] & IS_DIGITS) != 0 && !require(value))
            return false;
    }
    return true;
}

static bool look_at_print(struct walk *walk)
{
    struct conversion each;

    while (find(walk) && read_conversion(walk, &each)) {
        if (is_numbered(&each))
            return look_at_numbered(walk, &each);
        if (!look_at_next(walk, &each))
            return false;
    }
    return true;
}

bool moat_arguments_look(const char *name, const void *format, bool is_wide,
                         va_list args)
{
    va_list copy;
    struct walk walk = {format, is_wide, &copy};
    bool is_fine = true;

    if (moat_malloc_on_host())
        return true;
    va_copy(copy, args);
    if (strstr(name, "scanf") == NULL)
        is_fine = look_at_print(&walk);
    else
        while (find(&walk) && scan_one(&walk))
            continue;
    va_end(copy);
    return is_fine;
}

/* NOLINTEND(clang-analyzer-valist.Uninitialized) */
