/*
 * descriptors.c: reads the open descriptors from /proc.
 *
 * SPDX-License-Identifier: MIT
 */
#include "descriptors.h"

#include <dirent.h>
#include <stddef.h>
#include <stdlib.h>

int descriptors_list(bool open_now[DESCRIPTORS_MAX])
{
    DIR *directory = opendir("/proc/self/fd");
    const struct dirent *entry;
    int count = 0;

    if (directory == NULL)
        return -1;
    while ((entry = readdir(directory)) != NULL) {
        long fd =
            entry->d_name[0] == '.' ? -1 : strtol(entry->d_name, NULL, 10);

        if (fd < 0 || fd >= DESCRIPTORS_MAX || fd == dirfd(directory))
            continue;
        open_now[fd] = true;
        count++;
    }
    (void)closedir(directory);
    return count;
}
