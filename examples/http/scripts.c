/*
 * scripts.c: the texts of the Lua handlers, in memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_handler.h"

#define MAX_SCRIPTS 64
#define MAX_TEXT    ((size_t)1 << 20)

static struct script scripts[MAX_SCRIPTS];
static size_t script_count;

static void stop(const char *what)
{
    perror(what);
    exit(1);
}

static void read_script(const char *folder, const char *file, size_t length)
{
    struct script *script = &scripts[script_count];
    char path[4096];
    FILE *stream;

    snprintf(path, sizeof path, "%s/%s", folder, file);
    stream = fopen(path, "r");
    script->text = malloc(MAX_TEXT);
    if (stream == NULL || script->text == NULL)
        stop(path);
    script->length = fread(script->text, 1, MAX_TEXT, stream);
    if (ferror(stream) || script->length == MAX_TEXT)
        stop(path);
    fclose(stream);
    memcpy(script->name, file, length);
    script->name[length] = '\0';
    script_count++;
}

void scripts_read(const char *folder)
{
    DIR *files = opendir(folder);
    const struct dirent *file;

    if (files == NULL)
        stop(folder);
    while ((file = readdir(files)) != NULL) {
        size_t length = strlen(file->d_name);

        if (length <= 4 || strcmp(file->d_name + length - 4, ".lua") != 0)
            continue;
        if (script_count == MAX_SCRIPTS ||
            length - 4 >= sizeof scripts[0].name) {
            fprintf(stderr,
                    "%s/%s: at most %d scripts, with names of less than %zu "
                    "bytes\n",
                    folder, file->d_name, MAX_SCRIPTS, sizeof scripts[0].name);
            exit(1);
        }
        read_script(folder, file->d_name, length - 4);
    }
    closedir(files);
}

void scripts_free(void)
{
    while (script_count > 0)
        free(scripts[--script_count].text);
}

const struct script *script_find(struct span name)
{
    for (size_t i = 0; i < script_count; i++)
        if (strlen(scripts[i].name) == name.length &&
            memcmp(scripts[i].name, name.at, name.length) == 0)
            return &scripts[i];
    return NULL;
}
