/*
 * glibc_patterns.c: the C library's matchers and walkers, which recurse or take
 * for ever, and allocate on the way. One case per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include "hcase.h"

const char *hcase_name = NAME;
static char *input __attribute__((unused)); /* but in nftw */

#if defined CASE_regcomp
#    include <regex.h>

int hcase_setup(long n)
{
    size_t depth = n != 0 ? (size_t)n : 20000;

    input = hc_nest("(", depth, "a", ")", depth);
    return input == NULL;
}

int hcase_run(void)
{
    regex_t compiled;
    int error = regcomp(&compiled, input, REG_EXTENDED);

    if (error == 0)
        regfree(&compiled);
    return error;
}
#elif defined CASE_regexec
#    include <regex.h>

static regex_t compiled;

int hcase_setup(long n)
{
    input = hc_nest("a", n != 0 ? (size_t)n : 400, "b", "", 0);
    return regcomp(&compiled, "\\(.*\\)*\\(.*\\)*\\(.*\\)*\\1\\2\\3c", 0);
}

int hcase_run(void)
{
    regmatch_t matches[4];

    return regexec(&compiled, input, 4, matches, 0);
}
#elif defined CASE_fnmatch_nest || defined CASE_fnmatch_loop
#    include <fnmatch.h>

static const char *pattern;

int hcase_setup(long n)
{
#    if defined CASE_fnmatch_nest
    size_t depth = n != 0 ? (size_t)n : 2000;

    pattern = hc_nest("*(", depth, "a", ")", depth);
    input = hc_nest("a", 3, "", "", 0);
#    else
    pattern = "+(+(+(+(a|aa)|aaa)|aaaa)|aaaaa)x";
    input = hc_nest("a", n != 0 ? (size_t)n : 60, "b", "", 0);
#    endif
    return pattern == NULL || input == NULL;
}

int hcase_run(void)
{
    return fnmatch(pattern, input, FNM_EXTMATCH);
}
#elif defined CASE_glob
#    include <glob.h>

int hcase_setup(long n)
{
    size_t depth = n != 0 ? (size_t)n : 400;

    input = hc_nest("{a,", depth, "b", "}", depth);
    return input == NULL;
}

int hcase_run(void)
{
    glob_t paths;
    int error;

    memset(&paths, 0, sizeof paths);
    error = glob(input, GLOB_BRACE, NULL, &paths);
    globfree(&paths);
    return error;
}
#elif defined CASE_nftw
#    include <ftw.h>
#    include <sys/stat.h>
#    include <unistd.h>

/* FOLDER is one of the build's. */
int hcase_setup(long n)
{
    char *before = getcwd(NULL, 0);
    int error = before == NULL;

    (void)mkdir(FOLDER, 0755);
    error = error || chdir(FOLDER) != 0;
    for (long i = 0; error == 0 && i < (n != 0 ? n : 900); i++) {
        (void)mkdir("d", 0755);
        error = chdir("d") != 0;
    }
    if (before != NULL && chdir(before) != 0)
        error = 1;
    free(before);
    return error;
}

static int visit(const char *path, const struct stat *status, int kind,
                 struct FTW *level)
{
    (void)path;
    (void)status;
    (void)kind;
    (void)level;
    return 0;
}

int hcase_run(void)
{
    return nftw(FOLDER, visit, 50, FTW_PHYS);
}
#elif defined CASE_wordexp
#    include <wordexp.h>

int hcase_setup(long n)
{
    size_t depth = n != 0 ? (size_t)n : 20000;

    input = hc_nest("${a:-", depth, "b", "}", depth);
    return input == NULL;
}

int hcase_run(void)
{
    wordexp_t words;
    int error;

    memset(&words, 0, sizeof words);
    error = wordexp(input, &words, WRDE_NOCMD);
    if (error == 0)
        wordfree(&words);
    return error;
}
#endif
