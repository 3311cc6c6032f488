/*
 * fork.c: words that the kernel clears in each child that has a copy of the
 * memory (madvise(2), MADV_WIPEONFORK), and the kernel's number of a thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/fork.h"

#include <linux/kcmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/page.h"

/* A word for each watcher, not 0 in the process that wrote it. NULL: the kernel
 * does not offer that. */
static volatile uint32_t *not_forked;

static void *make_page(void)
{
    size_t bytes = moat_page_bytes();
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return NULL;
    if (madvise(page, bytes, MADV_WIPEONFORK) != 0) {
        (void)munmap(page, bytes);
        return NULL;
    }
    return page;
}

uint64_t *moat_fork_word_make(void)
{
    return make_page();
}

void moat_fork_word_free(uint64_t *word)
{
    (void)munmap(word, moat_page_bytes());
}

void moat_fork_watch(void)
{
    if (not_forked == NULL)
        not_forked = make_page();
    if (not_forked == NULL)
        return;
    for (int i = 0; i < MOAT_FORK_WATCHERS; i++)
        not_forked[i] = 1;
}

void moat_fork_unwatch(void)
{
    if (not_forked != NULL)
        (void)munmap((void *)(uintptr_t)not_forked, moat_page_bytes());
    not_forked = NULL;
}

bool moat_fork_happened(enum moat_fork_watcher watcher)
{
    return not_forked != NULL && not_forked[watcher] == 0;
}

bool moat_fork_can_tell(void)
{
    return not_forked != NULL;
}

void moat_fork_settle(enum moat_fork_watcher watcher)
{
    if (not_forked != NULL)
        not_forked[watcher] = 1;
}

int moat_fork_task(void)
{
    return (int)syscall(SYS_gettid);
}

void moat_fork_end_clone(int of_task)
{
    int task = moat_fork_task();

    if (syscall(SYS_kcmp, task, of_task, KCMP_SIGHAND, 0, 0) == 0)
        (void)syscall(SYS_tgkill, getpid(), task, SIGKILL);
}
