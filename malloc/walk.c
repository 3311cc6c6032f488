/*
 * walk.c: functions that read folders and call the guest's: scandir, ftw, nftw,
 * glob.
 *
 * The C library's own have folders open while they call, which stay open if the
 * guest is stopped there. For a guest a folder is read and closed first, except
 * in glob, which uses the streams of folders.c: these are closed with the
 * guest. All of it runs on the guest's stack, the recursion included.
 *
 * For FTW_CHDIR the C library's nftw is called, since the folder is changed for
 * the process in any case.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <moat/moat.h>

#include "malloc/take.h"

typedef int choose_function(const struct dirent *entry);
typedef int order_function(const struct dirent **a, const struct dirent **b);

/* --- entries ----------------------------------------------------------------
 */

struct entries {
    struct dirent **list;
    size_t count, room;
};

static void drop_entries(struct entries *entries)
{
    int error = errno;

    for (size_t i = 0; i < entries->count; i++)
        free(entries->list[i]);
    free(entries->list);
    *entries = (struct entries){.list = NULL};
    errno = error;
}

static bool add_entry(struct entries *entries, const struct dirent *entry)
{
    struct dirent **grown = entries->list, *copy;

    if (entries->count == entries->room) {
        size_t room = entries->room != 0 ? 2 * entries->room : 16;

        grown = reallocarray(grown, room, sizeof(void *));
        if (grown == NULL)
            return false;
        entries->list = grown;
        entries->room = room;
    }
    copy = malloc(entry->d_reclen);
    if (copy == NULL)
        return false;
    memcpy(copy, entry, entry->d_reclen);
    grown[entries->count++] = copy;
    return true;
}

/* Reads all entries and closes the folder. False: errno is set, and there are
 * none. */
static bool read_entries(DIR *folder, struct entries *out)
{
    const struct dirent *entry;
    bool added = true;
    int error;

    *out = (struct entries){.list = NULL};
    errno = 0;
    while (added && (entry = readdir(folder)) != NULL)
        added = add_entry(out, entry);
    error = errno;
    (void)closedir(folder);
    errno = error;
    if (error == 0)
        return true;
    drop_entries(out);
    return false;
}

/* --- scandir ----------------------------------------------------------------
 */

/* Keeps the chosen ones. */
static void choose_entries(struct entries *entries, choose_function *choose)
{
    size_t kept = 0;

    for (size_t i = 0; i < entries->count; i++) {
        if (choose(entries->list[i]) != 0)
            entries->list[kept++] = entries->list[i];
        else
            free(entries->list[i]);
    }
    entries->count = kept;
}

static int scan(DIR *folder, struct dirent ***list, choose_function *choose,
                order_function *order)
{
    struct entries entries;

    if (folder == NULL || !read_entries(folder, &entries))
        return -1;
    if (choose != NULL)
        choose_entries(&entries, choose);
    if (order != NULL && entries.count > 1)
        qsort(entries.list, entries.count, sizeof(void *),
              (int (*)(const void *, const void *))order);
    *list = entries.list;
    return (int)entries.count;
}

static DIR *open_at(int at, const char *path)
{
    int fd = openat(at, path, O_RDONLY | O_NDELAY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;

    if (folder == NULL && fd >= 0)
        (void)close(fd);
    return folder;
}

MOAT_API int scandir(const char *path, struct dirent ***list,
                     choose_function *choose, order_function *order)
{
    if (moat_takes_as_guest())
        return scan(opendir(path), list, choose, order);
    REAL(int, scandir, const char *, struct dirent ***, choose_function *,
         order_function *);
    return function(path, list, choose, order);
}

MOAT_API int scandirat(int at, const char *path, struct dirent ***list,
                       choose_function *choose, order_function *order)
{
    if (moat_takes_as_guest())
        return scan(open_at(at, path), list, choose, order);
    REAL(int, scandirat, int, const char *, struct dirent ***,
         choose_function *, order_function *);
    return function(at, path, list, choose, order);
}

/* --- nftw -------------------------------------------------------------------
 */

/* A folder that was visited: links may lead there again. */
struct visited {
    dev_t device;
    ino_t inode;
};

static int compare_visited(const void *a, const void *b)
{
    const struct visited *x = a, *y = b;

    if (x->inode != y->inode)
        return x->inode < y->inode ? -1 : 1;
    return (x->device > y->device) - (x->device < y->device);
}

struct tree {
    __ftw_func_t old; /* of ftw, or NULL */
    __nftw_func_t function;
    int flags;
    dev_t device; /* of the start, for FTW_MOUNT */
    char *path;
    size_t room;
    struct FTW at;
    void *visited; /* by tsearch */
};

static int call(struct tree *tree, const struct stat *status, int type)
{
    if (tree->old == NULL)
        return tree->function(tree->path, status, type, &tree->at);
    /* ftw knows fewer types. */
    if (type == FTW_SLN)
        type = FTW_NS;
    return tree->old(tree->path, status, type);
}

/* 1: it is new; 0: it is not; -1: no memory. */
static int visit(struct tree *tree, const struct stat *status)
{
    struct visited *made = malloc(sizeof *made), **found;

    if (made == NULL)
        return -1;
    *made = (struct visited){status->st_dev, status->st_ino};
    found = tsearch(made, &tree->visited, compare_visited);
    if (found != NULL && *found == made)
        return 1;
    free(made);
    return found != NULL ? 0 : -1;
}

/* Puts a name behind a path of so many bytes. */
static bool append(struct tree *tree, size_t bytes, const char *name)
{
    size_t length = strlen(name), needed = bytes + length + 2;

    if (needed > tree->room) {
        char *grown = realloc(tree->path, 2 * needed);

        if (grown == NULL)
            return false;
        tree->path = grown;
        tree->room = 2 * needed;
    }
    if (bytes == 0 || tree->path[bytes - 1] != '/')
        tree->path[bytes++] = '/';
    tree->at.base = (int)bytes;
    memcpy(tree->path + bytes, name, length + 1);
    return true;
}

static int type_of(const struct tree *tree, struct stat *status)
{
    bool physical = (tree->flags & FTW_PHYS) != 0;

    if ((physical ? lstat(tree->path, status) : stat(tree->path, status)) ==
        0) {
        if (S_ISDIR(status->st_mode))
            return FTW_D;
        return S_ISLNK(status->st_mode) ? FTW_SL : FTW_F;
    }
    if (errno != EACCES && errno != ENOENT)
        return -1;
    if (!physical && errno == ENOENT && lstat(tree->path, status) == 0 &&
        S_ISLNK(status->st_mode))
        return FTW_SLN;
    return FTW_NS;
}

static int walk(struct tree *tree);

/* Returns whether the walk goes on after a result, of FTW_ACTIONRETVAL also. */
static bool goes_on(const struct tree *tree, int *result, bool *skips)
{
    *skips = false;
    if ((tree->flags & FTW_ACTIONRETVAL) == 0 || *result == FTW_STOP ||
        *result == FTW_CONTINUE)
        return *result == 0;
    *skips = *result == FTW_SKIP_SIBLINGS;
    *result = 0;
    return true;
}

static int walk_entries(struct tree *tree, struct entries *entries,
                        size_t bytes)
{
    int result = 0;
    bool skips = false;

    for (size_t i = 0; i < entries->count && !skips; i++) {
        const char *name = entries->list[i]->d_name;

        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        result = append(tree, bytes, name) ? walk(tree) : -1;
        if (!goes_on(tree, &result, &skips))
            break;
    }
    return result;
}

/* Within a folder that can be read. */
static int walk_folder(struct tree *tree, struct entries *entries,
                       const struct stat *status)
{
    size_t bytes = strlen(tree->path);
    bool late = (tree->flags & FTW_DEPTH) != 0;
    int base = tree->at.base, result = late ? 0 : call(tree, status, FTW_D);

    if (result != 0)
        return (tree->flags & FTW_ACTIONRETVAL) != 0 &&
                       result == FTW_SKIP_SUBTREE
                   ? 0
                   : result;
    tree->at.level++;
    result = walk_entries(tree, entries, bytes);
    tree->at.level--;
    tree->path[bytes] = '\0';
    tree->at.base = base;
    return result == 0 && late ? call(tree, status, FTW_DP) : result;
}

static int walk(struct tree *tree)
{
    struct stat status = {.st_mode = 0};
    struct entries entries;
    int type = type_of(tree, &status), result;
    DIR *folder;

    if (type == -1)
        return -1;
    if ((tree->flags & FTW_MOUNT) != 0 && type != FTW_NS &&
        status.st_dev != tree->device)
        return 0;
    if (type != FTW_D)
        return call(tree, &status, type);
    result = (tree->flags & FTW_PHYS) != 0 ? 1 : visit(tree, &status);
    if (result != 1)
        return result;
    folder = opendir(tree->path);
    if (folder == NULL)
        return errno == EACCES ? call(tree, &status, FTW_DNR) : -1;
    if (!read_entries(folder, &entries))
        return -1;
    result = walk_folder(tree, &entries, &status);
    drop_entries(&entries);
    return result;
}

static int start(const char *path, __ftw_func_t old, __nftw_func_t function,
                 int flags)
{
    struct tree tree = {.old = old, .function = function, .flags = flags};
    struct stat status;
    size_t bytes = moat_touch_text(path);
    int result;

    if (bytes == 0) {
        errno = ENOENT;
        return -1;
    }
    if ((flags & FTW_PHYS) != 0
            ? lstat(path, &status) != 0
            : stat(path, &status) != 0 && lstat(path, &status) != 0)
        return -1;
    tree.device = status.st_dev;
    tree.room = bytes + 256;
    tree.path = malloc(tree.room);
    if (tree.path == NULL)
        return -1;
    memcpy(tree.path, path, bytes + 1);
    while (bytes > 1 && tree.path[bytes - 1] == '/')
        tree.path[--bytes] = '\0';
    while (bytes > 0 && tree.path[bytes - 1] != '/')
        bytes--;
    tree.at.base = (int)bytes;
    result = walk(&tree);
    tdestroy(tree.visited, free);
    free(tree.path);
    return (flags & FTW_ACTIONRETVAL) != 0 &&
                   (result == FTW_SKIP_SUBTREE || result == FTW_SKIP_SIBLINGS)
               ? 0
               : result;
}

MOAT_API int ftw(const char *path, __ftw_func_t callback, int most)
{
    if (moat_takes_as_guest())
        return start(path, callback, NULL, 0);
    REAL(int, ftw, const char *, __ftw_func_t, int);
    return function(path, callback, most);
}

MOAT_API int nftw(const char *path, __nftw_func_t callback, int most, int flags)
{
    if (moat_takes_as_guest() && (flags & FTW_CHDIR) == 0)
        return start(path, NULL, callback, flags);
    REAL(int, nftw, const char *, __nftw_func_t, int, int);
    return function(path, callback, most, flags);
}

/* --- glob -------------------------------------------------------------------
 */

static void *open_folder(const char *path)
{
    return opendir(path);
}

static struct dirent *read_folder(void *folder)
{
    return readdir(folder);
}

static void close_folder(void *folder)
{
    (void)closedir(folder);
}

MOAT_API int glob(const char *pattern, int flags,
                  int (*on_error)(const char *, int), glob_t *found)
{
    REAL(int, glob, const char *, int, int (*)(const char *, int), glob_t *);
    int result;

    if (!moat_takes_as_guest() || (flags & GLOB_ALTDIRFUNC) != 0)
        return function(pattern, flags, on_error, found);
    found->gl_opendir = open_folder;
    found->gl_readdir = read_folder;
    found->gl_closedir = close_folder;
    found->gl_stat = stat;
    found->gl_lstat = lstat;
    result = function(pattern, flags | GLOB_ALTDIRFUNC, on_error, found);
    found->gl_flags &= ~GLOB_ALTDIRFUNC;
    return result;
}

/* --- files of any size ------------------------------------------------------
 *
 * The same functions, by the names that programs have by another setting. */

typedef void any_function(void);

MOAT_API int scandir64(const char *path, struct dirent64 ***list,
                       int (*choose)(const struct dirent64 *),
                       int (*order)(const struct dirent64 **,
                                    const struct dirent64 **))
{
    return scandir(path, (struct dirent ***)(void *)list,
                   (choose_function *)(any_function *)choose,
                   (order_function *)(any_function *)order);
}

MOAT_API int scandirat64(int at, const char *path, struct dirent64 ***list,
                         int (*choose)(const struct dirent64 *),
                         int (*order)(const struct dirent64 **,
                                      const struct dirent64 **))
{
    return scandirat(at, path, (struct dirent ***)(void *)list,
                     (choose_function *)(any_function *)choose,
                     (order_function *)(any_function *)order);
}

MOAT_API int ftw64(const char *path, __ftw64_func_t callback, int most)
{
    return ftw(path, (__ftw_func_t)(any_function *)callback, most);
}

MOAT_API int nftw64(const char *path, __nftw64_func_t callback, int most,
                    int flags)
{
    return nftw(path, (__nftw_func_t)(any_function *)callback, most, flags);
}

MOAT_API int glob64(const char *pattern, int flags,
                    int (*on_error)(const char *, int), glob64_t *found)
{
    return glob(pattern, flags, on_error, (glob_t *)(void *)found);
}
