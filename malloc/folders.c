/*
 * folders.c: streams of folders.
 *
 * They lie in the guest's heap, so after its guest was stopped one could not be
 * closed: its descriptor is closed then.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include <moat/moat.h>

#include "malloc/take.h"

static void *object_of(int fd)
{
    return (void *)((uintptr_t)fd + 1);
}

static void close_folder(void *object)
{
    (void)close((int)((uintptr_t)object - 1));
}

__attribute__((constructor)) static void set_undo(void)
{
    moat_held_undos[MOAT_HELD_FOLDER] = close_folder;
}

struct folder_call {
    struct moat_libc_call call;
    moat_co *co;
    const char *path;
    int fd, error;
};

/* Without room to note the descriptor, the folder is not opened. */
static void open_run(struct moat_libc_call *call)
{
    struct folder_call *each = (struct folder_call *)call;
    struct moat_holder *holder = moat_held_prepare(each->co);

    if (holder == NULL) {
        each->error = ENOMEM;
        return;
    }
    if (each->path != NULL)
        each->fd =
            open(each->path, O_RDONLY | O_NDELAY | O_DIRECTORY | O_CLOEXEC);
    if (each->fd >= 0)
        moat_held_add(holder, MOAT_HELD_FOLDER, object_of(each->fd));
    else
        each->error = errno;
}

static void forget_run(struct moat_libc_call *call)
{
    struct folder_call *each = (struct folder_call *)call;

    (void)moat_held_remove(each->co, MOAT_HELD_FOLDER, object_of(each->fd));
}

static void forget(int fd)
{
    struct folder_call each = {
        .call = {.run = forget_run}, .co = moat_co_current(), .fd = fd};

    moat_libc_call(&each.call);
}

/* The descriptor is noted before the stream is made of it. */
static DIR *open_for_guest(const char *path, int fd)
{
    struct folder_call each = {.call = {.run = open_run},
                               .co = moat_co_current(),
                               .path = path,
                               .fd = fd};
    REAL(DIR *, fdopendir, int);
    DIR *folder;

    if (path != NULL)
        (void)moat_touch_text(path);
    moat_libc_call(&each.call);
    if (each.error != 0) {
        errno = each.error;
        return NULL;
    }
    folder = function(each.fd);
    if (folder == NULL) {
        int error = errno;

        forget(each.fd);
        if (path != NULL)
            (void)close(each.fd);
        errno = error;
    }
    return folder;
}

MOAT_API DIR *opendir(const char *path)
{
    if (moat_takes_as_guest())
        return open_for_guest(path, -1);
    REAL(DIR *, opendir, const char *);
    return function(path);
}

MOAT_API DIR *fdopendir(int fd)
{
    if (moat_takes_as_guest() && fd >= 0)
        return open_for_guest(NULL, fd);
    REAL(DIR *, fdopendir, int);
    return function(fd);
}

MOAT_API int closedir(DIR *folder)
{
    REAL(int, closedir, DIR *);

    if (moat_takes_as_guest() && !moat_touch_is_null(folder))
        forget(dirfd(folder));
    return function(folder);
}
