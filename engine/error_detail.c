/*
 * error_detail.c: why the thread's last refused call was refused.
 *
 * A thread's sentence lies in memory that is mapped at the thread's first
 * question. Thread-local variables would take from the little room that there
 * is for those of libraries that are loaded late, even in several copies, and
 * the heap's lock may have been left held by a guest. Entries are never freed:
 * a new thread takes that of one that has ended.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/moat.h>

#include "sys/filter.h"
#include "sys/refusal.h"

/* --- a thread's text ------------------------------------------------------ */

#define ENTRIES 16

struct entry {
    _Atomic(pid_t) owner; /* 0: none yet                              */
    char text[248];       /* the longest sentence has about 150 bytes */
};

struct page {
    struct page *next;
    struct entry entries[ENTRIES];
};

/* New pages are put at the front; readers take no lock. */
static _Atomic(struct page *) pages;

/* Returns the first entry that `wanted` accepts; NULL: none. */
static struct entry *find(bool (*wanted)(struct entry *, pid_t), pid_t self)
{
    for (struct page *page = atomic_load(&pages); page != NULL;
         page = page->next) {
        for (size_t i = 0; i < ENTRIES; i++) {
            if (wanted(&page->entries[i], self))
                return &page->entries[i];
        }
    }
    return NULL;
}

static bool is_own(struct entry *entry, pid_t self)
{
    return atomic_load(&entry->owner) == self;
}

/* The parent's threads do not exist in a forked child. */
static bool is_gone(pid_t owner)
{
    return owner == 0 ||
           (syscall(SYS_tgkill, getpid(), owner, 0) != 0 && errno == ESRCH);
}

static bool take(struct entry *entry, pid_t self)
{
    pid_t owner = atomic_load(&entry->owner);

    return is_gone(owner) &&
           atomic_compare_exchange_strong(&entry->owner, &owner, self);
}

static struct entry *make(pid_t self)
{
    struct page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return NULL;
    atomic_store(&page->entries[0].owner, self);
    page->next = atomic_load(&pages);
    while (!atomic_compare_exchange_weak(&pages, &page->next, page))
        continue;
    return &page->entries[0];
}

/* NULL: there is no memory. */
static struct entry *own_entry(void)
{
    pid_t self = (pid_t)syscall(SYS_gettid);
    struct entry *entry = find(is_own, self);

    if (entry == NULL)
        entry = find(take, self);
    return entry != NULL ? entry : make(self);
}

/* --- the sentence --------------------------------------------------------- */

static void write_detail(moat_status status, char *to, size_t size)
{
    char *end = stpcpy(stpcpy(to, moat_status_name(status)), ": ");

    moat_refusal_write(end, size - (size_t)(end - to));
}

const char *moat_error_detail(void)
{
    moat_status status = moat_refusal_status();
    int error = errno; /* that of the refused call */
    unsigned char filter;
    struct entry *entry;

    if (status == MOAT_OK)
        return "";
    filter = moat_filter_pause();
    entry = own_entry();
    moat_filter_restore(filter);
    errno = error;
    if (entry == NULL)
        return moat_status_str(status);
    write_detail(status, entry->text, sizeof entry->text);
    return entry->text;
}

static const char *write_status(moat_status status)
{
    struct entry *entry = own_entry();

    if (entry == NULL)
        return moat_status_str(status);
    stpcpy(stpcpy(stpcpy(entry->text, moat_status_name(status)), ": "),
           moat_status_str(status));
    return entry->text;
}

const char *moat_error_str(moat_status status)
{
    int error = errno;
    const char *text = status == moat_refusal_status() && status != MOAT_OK
                           ? moat_error_detail()
                           : write_status(status);

    errno = error;
    return text;
}

moat_status moat_error_note(moat_status status, const char *sentence,
                            uint64_t first, uint64_t second)
{
    return moat_refuse_values(status, sentence, first, second);
}
