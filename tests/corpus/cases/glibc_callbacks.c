/*
 * glibc_callbacks.c: functions of the C library that call the caller's, which
 * fault or never end. One case per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <glob.h>
#include <printf.h>
#include <search.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hcase.h"

const char *hcase_name = NAME;

/* Not the folder of the deep tree. */
#define PLACE FOLDER "-callbacks"

/* Never accessible; volatile, for the compiler warns of what it knows. */
static char *volatile bad __attribute__((unused)) = (char *)0x10;

__attribute__((unused)) static int compare_bad(const void *a, const void *b)
{
    return *bad + *(const int *)a - *(const int *)b;
}

/* Not optimised into a loop. */
__attribute__((unused, noinline)) static int descend(int depth)
{
    volatile char frame[200];

    frame[0] = (char)depth;
    return depth < 0 ? 0 : descend(depth + 1) + frame[0];
}

static int numbers[4000] __attribute__((unused));

#if defined CASE_qsort_deep || defined CASE_bsearch || defined CASE_lfind || \
    defined CASE_tsearch
int hcase_setup(long n)
{
    (void)n;
    for (int i = 0; i < 4000; i++)
        numbers[i] = i * 7919 % 4001;
    return 0;
}
#else
/* A folder with files, and others in it. */
static int fill(const char *path)
{
    char name[300];
    FILE *file;

    if (mkdir(path, 0755) != 0 && access(path, W_OK) != 0)
        return 1;
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "%s/file%d", path, i);
        file = fopen(name, "w");
        if (file == NULL || fclose(file) != 0)
            return 1;
    }
    return 0;
}

int hcase_setup(long n)
{
    (void)n;
    return fill(PLACE) != 0 || fill(PLACE "/inner") != 0 ||
           (symlink("loop", PLACE "/loop") != 0 && errno != EEXIST);
}
#endif

#if defined CASE_qsort_deep
/* qsort has memory of its own by then. */
static int compare_deep(const void *a, const void *b)
{
    return *(const int *)a == 4000 && *(const int *)b != 4000
               ? descend(0)
               : *(const int *)a - *(const int *)b;
}

int hcase_run(void)
{
    qsort(numbers, 4000, sizeof numbers[0], compare_deep);
    return 0;
}
#elif defined CASE_bsearch
int hcase_run(void)
{
    return bsearch(numbers, numbers, 4000, sizeof numbers[0], compare_bad) ==
           NULL;
}
#elif defined CASE_lfind
int hcase_run(void)
{
    size_t count = 4000;

    return lfind(numbers, numbers, &count, sizeof numbers[0], compare_bad) ==
           NULL;
}
#elif defined CASE_tsearch
static int compare_late(const void *a, const void *b)
{
    return *(const int *)a == 4000 ? *bad : *(const int *)a - *(const int *)b;
}

int hcase_run(void)
{
    void *root = NULL;

    for (int i = 0; i < 4000; i++) {
        if (tsearch(&numbers[i], &root, compare_late) == NULL)
            return 1;
    }
    return 0;
}
#elif defined CASE_scandir
static int choose(const struct dirent *entry)
{
    return entry->d_name[0] == 'f' ? *bad : 1;
}

int hcase_run(void)
{
    struct dirent **list = NULL;

    return scandir(PLACE, &list, choose, alphasort) < 0;
}
#elif defined CASE_scandir_order
static int order(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, bad) + (*b)->d_name[0];
}

int hcase_run(void)
{
    struct dirent **list = NULL;

    return scandir(PLACE, &list, NULL, order) < 0;
}
#elif defined CASE_readdir
/* The folder is open when the stack ends. */
int hcase_run(void)
{
    DIR *folder = opendir(PLACE);

    if (folder == NULL || readdir(folder) == NULL)
        return 1;
    (void)descend(0);
    return closedir(folder) != 0;
}
#elif defined CASE_nftw_bad
static int visit(const char *path, const struct stat *status, int type,
                 struct FTW *at)
{
    (void)path;
    (void)status;
    (void)type;
    return at->level == 2 ? *bad : 0;
}

int hcase_run(void)
{
    return nftw(PLACE, visit, 10, FTW_PHYS);
}
#elif defined CASE_ftw_deep
static int visit(const char *path, const struct stat *status, int type)
{
    (void)path;
    (void)status;
    return type == FTW_F ? descend(0) : 0;
}

int hcase_run(void)
{
    return ftw(PLACE, visit, 10);
}
#elif defined CASE_glob_error
/* Its function for errors is called for a folder that cannot be opened. */
static int complain(const char *path, int error)
{
    (void)path;
    return *bad + error;
}

int hcase_run(void)
{
    glob_t found;

    return glob(PLACE "/loop/*", GLOB_ERR, complain, &found);
}
#elif defined CASE_glob_folder
/* The caller's functions for folders. */
static void *open_folder(const char *path)
{
    return opendir(path);
}

static struct dirent *read_folder(void *folder)
{
    struct dirent *entry = readdir(folder);

    return entry != NULL && entry->d_name[0] == 'f' ? (struct dirent *)bad
                                                    : entry;
}

static void close_folder(void *folder)
{
    (void)closedir(folder);
}

int hcase_run(void)
{
    glob_t found = {.gl_opendir = open_folder,
                    .gl_readdir = read_folder,
                    .gl_closedir = close_folder,
                    .gl_stat = stat,
                    .gl_lstat = lstat};

    return glob(PLACE "/f*", GLOB_ALTDIRFUNC, NULL, &found);
}
#endif
