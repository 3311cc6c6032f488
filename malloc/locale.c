/*
 * locale.c: locales, messages, conversions, and texts that are translated.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <iconv.h>
#include <libintl.h>
#include <limits.h>
#include <locale.h>
#include <netdb.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include <moat/moat.h>

#include "malloc/locale_object.h"
#include "malloc/wrap.h"

#undef dcgettext
#undef dcngettext
#undef dgettext
#undef dngettext
#undef gettext
#undef ngettext
#undef strerror_r

/* POSIX' strerror_r: programs call it by this name. */
int __xpg_strerror_r(int number, char *text, size_t room);

/* Returns the text that is used without a translation. */
static char *one_of(const char *singular, const char *plural,
                    unsigned long count)
{
    return (char *)(uintptr_t)(count == 1 ? singular : plural);
}

/* clang-format off */

WRAP_1(char *, gettext, NULL_OR(TEXT, a), const char *)
WRAP_2(char *, dgettext, NULL_OR(TEXT, b); NULL_OR_N(NAME, a, (char *)(uintptr_t)b),
       const char *, const char *)
WRAP_3(char *, dcgettext, NULL_OR(TEXT, b); NULL_OR_N(NAME, a, (char *)(uintptr_t)b),
       const char *, const char *, int)
WRAP_3(char *, ngettext, NULL_OR(TEXT, a); NULL_OR(TEXT, b), const char *,
       const char *, unsigned long)
WRAP_4(char *, dngettext,
       NULL_OR(TEXT, b); NULL_OR(TEXT, c); NULL_OR_N(NAME, a, one_of(b, c, d)),
       const char *, const char *, const char *, unsigned long)
WRAP_5(char *, dcngettext,
       NULL_OR(TEXT, b); NULL_OR(TEXT, c); NULL_OR_N(NAME, a, one_of(b, c, d)),
       const char *, const char *, const char *, unsigned long, int)
WRAP_1(char *, textdomain, NULL_OR_N(NAME, a, NULL), const char *)
WRAP_2(char *, bindtextdomain, NULL_OR_N(NAME, a, NULL); NULL_OR_N(NAME, b, NULL), const char *,
       const char *)
WRAP_2(char *, bind_textdomain_codeset, NULL_OR_N(NAME, a, NULL); NULL_OR_N(NAME, b, NULL),
       const char *, const char *)

WRAP_2(iconv_t, iconv_open, TEXT(a); TEXT(b), const char *, const char *)
WRAP_1(int, iconv_close, NOTHING, iconv_t)

WRAP_1(char *, strerror, NOTHING, int)
WRAP_3(char *, strerror_r, OUT_N(b, c), int, char *, size_t)
WRAP_3(int, __xpg_strerror_r, OUT_N(b, c), int, char *, size_t)
WRAP_2(char *, strerror_l, NOTHING, int, locale_t)
WRAP_1(char *, strsignal, NOTHING, int)
WRAP_1(const char *, gai_strerror, NOTHING, int)
WRAP_1(const char *, hstrerror, NOTHING, int)

/* clang-format on */

/* --- locales ---------------------------------------------------------------
 *
 * The first conversion of a letter loads what it takes, into memory that stays
 * with the locale. So that it is not a guest's, one is made at once, of a byte
 * beyond ASCII. */

void moat_locale_load(locale_t locale)
{
    locale_t before = uselocale(locale);

    (void)btowc(0xe4);
    (void)uselocale(before);
}

struct locale_call {
    struct moat_libc_call call;
    struct moat_real *real;
    int which;
    const char *name;
    char *set;
};

static void setlocale_run(struct moat_libc_call *call)
{
    struct locale_call *each = (struct locale_call *)call;
    char *(*function)(int, const char *);

    moat_real_get(each->real, &function);
    each->set = function(each->which, each->name);
    if (each->set != NULL && each->name != NULL)
        moat_locale_load(LC_GLOBAL_LOCALE);
}

MOAT_API char *setlocale(int category, const char *name)
{
    MOAT_REAL real = {"setlocale", NULL};
    struct locale_call each = {.call = {.run = setlocale_run},
                               .real = &real,
                               .which = category,
                               .name = name};

    if (name != NULL && !moat_malloc_on_host() &&
        moat_touch_text(name) >= PATH_MAX)
        return NULL;
    moat_libc_call(&each.call);
    return each.set;
}
