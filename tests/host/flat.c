/*
 * flat.c: runs scripts by the ten thousand in one `moat run`. The memory that
 * it needs is that for a few of them, apart from their names.
 *
 *   flat MOAT COUNT
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define FEW 2000

/* Of each script: its name, a pointer to it and one to its result. */
#define BYTES_EACH 24
#define SLACK_KIB  1024

/* At most one page fault for so many scripts. */
#define SCRIPTS_PER_FAULT 4

/* The first three end in different ways, and leave different amounts of memory.
 * The fourth prints as much as it may, the last has a long report. */
static char files[][2] = {"a", "b", "c", "d", "e"};
static const char *const texts[] = {
    "print(('x'):rep(100))", "local t = {} for i = 1, 99 do t[i] = {} end",
    "error('no luck')", "io.write(('x'):rep(1 << 20))",
    "local function f(s) return (s:gsub('.', f)) end f('x')"};

/* Results for a reader that begins late, and the memory that they may take: of
 * the output half may wait; a report is small until it is written. */
struct late {
    const char *option;
    size_t file, count;
    int status;
    long max_kib;
};
static const struct late outputs = {"--raw", 3, 150, 0, 110L * 1024};
static const struct late reports = {"--json", 4, 150, 1, 64L * 1024};
#define LATE_MAX 150

static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(2);
}

static void write_files(void)
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        FILE *out = fopen(files[i], "w");

        if (out == NULL || fputs(texts[i], out) < 0 || fclose(out) != 0)
            die(files[i]);
    }
}

static void fill(char **argv, char *moat, const char *jobs, size_t count)
{
    const char *const words[] = {moat, "run", "--quiet", "--jobs", jobs};
    size_t i = 0;

    for (; i < sizeof words / sizeof words[0]; i++)
        argv[i] = (char *)words[i];
    for (size_t script = 0; script < count; script++)
        argv[i++] = files[script % 3];
    argv[i] = NULL;
}

/* Returns what the command has used. */
static struct rusage run(char *moat, const char *jobs, size_t count)
{
    char **argv = calloc(count + 6, sizeof *argv);
    posix_spawn_file_actions_t actions;
    extern char **environ;
    struct rusage used;
    int status;
    pid_t child;

    if (argv == NULL)
        die("memory");
    fill(argv, moat, jobs, count);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    errno = posix_spawn(&child, moat, &actions, NULL, argv, environ);
    if (errno != 0)
        die(moat);
    if (wait4(child, &status, 0, &used) != child)
        die("wait4");
    posix_spawn_file_actions_destroy(&actions);
    free(argv);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 1)
        die("moat run: another status than 1");
    return used;
}

static int compare(char *moat, const char *jobs, size_t count)
{
    struct rusage few = run(moat, jobs, FEW), many = run(moat, jobs, count);
    long names = (long)(count - FEW) * BYTES_EACH / 1024;
    long kib = many.ru_maxrss - few.ru_maxrss;
    long faults = many.ru_minflt - few.ru_minflt;

    printf("--jobs %s: %zu scripts take %ld KiB and %ld page faults more than "
           "%d\n",
           jobs, count, kib, faults, FEW);
    return kib > names + SLACK_KIB ||
           faults > (long)(count - FEW) / SCRIPTS_PER_FAULT;
}

static long resident_pages(pid_t process)
{
    char path[64];
    long pages = 0;
    FILE *in;

    snprintf(path, sizeof path, "/proc/%ld/statm", (long)process);
    in = fopen(path, "r");
    if (in == NULL || fscanf(in, "%*d %ld", &pages) != 1)
        die(path);
    fclose(in);
    return pages;
}

/* Waits until the memory of a process has stayed the same for a while. */
static void settle(pid_t process)
{
    long before = -1;

    for (int same = 0, tries = 0; same < 5 && tries < 300; tries++) {
        long pages = resident_pages(process);

        same = pages == before ? same + 1 : 0;
        before = pages;
        usleep(100000);
    }
}

static bool is_large_for_late_reader(char *moat, const struct late *late)
{
    static char *argv[LATE_MAX + 6], buffer[1 << 16];
    posix_spawn_file_actions_t actions;
    extern char **environ;
    struct rusage used;
    int out[2], status;
    pid_t child;
    size_t i = 0;

    argv[i++] = moat;
    argv[i++] = (char *)"run";
    argv[i++] = (char *)late->option;
    while (i < late->count + 3)
        argv[i++] = files[late->file];
    argv[i] = NULL;
    if (pipe2(out, O_CLOEXEC) != 0)
        die("pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    errno = posix_spawn(&child, moat, &actions, NULL, argv, environ);
    if (errno != 0)
        die(moat);
    close(out[1]);
    settle(child);
    while (read(out[0], buffer, sizeof buffer) > 0)
        continue;
    close(out[0]);
    if (wait4(child, &status, 0, &used) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) != late->status)
        die(late->option);
    posix_spawn_file_actions_destroy(&actions);
    printf("a late reader, %s: %ld KiB\n", late->option, used.ru_maxrss);
    return used.ru_maxrss > late->max_kib;
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/moat-flat-XXXXXX";
    int grown;

    if (argc != 3 || mkdtemp(folder) == NULL || chdir(folder) != 0)
        die("usage: flat MOAT COUNT");
    write_files();
    grown = compare(argv[1], "1", strtoul(argv[2], NULL, 10)) +
            compare(argv[1], "2", strtoul(argv[2], NULL, 10)) +
            is_large_for_late_reader(argv[1], &outputs) +
            is_large_for_late_reader(argv[1], &reports);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        unlink(files[i]);
    if (chdir("/") != 0 || rmdir(folder) != 0)
        die(folder);
    return grown != 0;
}
