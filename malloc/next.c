/*
 * next.c: finds the next allocator, and serves those who ask meanwhile.
 *
 * The dynamic linker itself may allocate while it searches (for the text of an
 * error). Such memory comes from a small buffer, which is never freed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "malloc/next.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

void moat_malloc_say(const char *what)
{
    static const char name[] = "moat-malloc: ";

    (void)!write(STDERR_FILENO, name, sizeof name - 1);
    (void)!write(STDERR_FILENO, what, strlen(what));
    (void)!write(STDERR_FILENO, "\n", 1);
}

void moat_malloc_give_up(const char *why)
{
    moat_malloc_say(why);
    _exit(EXIT_FAILURE);
}

/* ---- While it searches --------------------------------------------------- */

#define EARLY_BYTES ((size_t)32 << 10)
#define EARLY_ALIGN ((size_t)16)

static _Alignas(16) char early[EARLY_BYTES];
static atomic_size_t early_used;
static __thread bool searching __attribute__((tls_model("initial-exec")));

/* Each block has its size in front of it. */
static void *early_take(size_t bytes)
{
    size_t whole = (bytes + 2 * EARLY_ALIGN - 1) & ~(EARLY_ALIGN - 1);
    size_t at = atomic_fetch_add(&early_used, whole);

    if (bytes > EARLY_BYTES || at + whole > EARLY_BYTES)
        moat_malloc_give_up("the dynamic linker allocates too much while it "
                            "searches for malloc");
    *(size_t *)(void *)(early + at) = bytes;
    return early + at + EARLY_ALIGN;
}

static bool is_early(const void *pointer)
{
    return (uintptr_t)pointer - (uintptr_t)early < EARLY_BYTES;
}

static size_t early_size(const void *pointer)
{
    return *(const size_t *)(const void *)((const char *)pointer - EARLY_ALIGN);
}

/* ---- The dynamic linker's code ------------------------------------------- */

struct moat_loader moat_loader;

static int note_loader(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size, (void)arg;
    if (info->dlpi_addr != moat_loader.base)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];

        if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0)
            continue;
        moat_loader.begin = info->dlpi_addr + part->p_vaddr;
        moat_loader.end = moat_loader.begin + part->p_memsz;
    }
    return 1;
}

/* ---- The search ---------------------------------------------------------- */

static void *find(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);

    if (symbol == NULL)
        moat_malloc_give_up("no other library has malloc and its family");
    return symbol;
}

/* Returns where the file of an address begins. */
static const void *file_of(const void *address)
{
    Dl_info info;

    return dladdr(address, &info) != 0 ? info.dli_fbase : NULL;
}

/* jemalloc has no pvalloc. The C library's would take from another heap than
 * that of free. */
static void *aligned_to_page(size_t bytes)
{
    return moat_next.memalign((size_t)sysconf(_SC_PAGESIZE), bytes);
}

static void *whole_pages(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (bytes > SIZE_MAX - page) {
        errno = ENOMEM;
        return NULL;
    }
    return aligned_to_page((bytes + page - 1) & ~(page - 1));
}

static void make_whole(struct moat_next *found)
{
    const void *file = file_of(*(void **)&found->memalign);

    if (file_of(*(void **)&found->valloc) != file)
        found->valloc = aligned_to_page;
    if (file_of(*(void **)&found->pvalloc) != file)
        found->pvalloc = whole_pages;
}

/* Another allocator may have the C library's names for its own functions, even
 * __libc_free. Two threads that search at once find the same. */
static void search(void)
{
    struct moat_next found;

    searching = true;
#define FIND(name, result, parameters) *(void **)&found.name = find(#name);
    MOAT_NEXT_MAP(FIND)
#undef FIND
    found.is_glibc = file_of(*(void **)&found.free) ==
                     file_of(dlsym(RTLD_NEXT, "gnu_get_libc_version"));
    make_whole(&found);
    moat_next = found;
    searching = false;
}

static void refuse_sanitizers(void)
{
    static const char *const runtimes[] = {"__asan_init", "__hwasan_init",
                                           "__msan_init", "__tsan_init",
                                           "__lsan_init"};

    for (size_t i = 0; i < sizeof runtimes / sizeof *runtimes; i++) {
        if (dlsym(RTLD_DEFAULT, runtimes[i]) != NULL)
            moat_malloc_give_up(
                "this program has a sanitizer, whose allocator must stay the "
                "first: run it without this library (docs/malloc.md)");
    }
}

static void *(*tried_malloc)(size_t);
static bool came_through;

static void *note_malloc(size_t bytes)
{
    came_through = true;
    return tried_malloc(bytes);
}

/*
 * An allocator that is searched before this library serves guests and host
 * alike, and a guest that is stopped in it leaves its lock held. One that wraps
 * the next malloc, as tools do that count blocks, leads here all the same: so
 * it is tried.
 */
static void refuse_to_be_second(void)
{
    void *volatile block;

    if (file_of(dlsym(RTLD_DEFAULT, "malloc")) == file_of(early))
        return;
    tried_malloc = moat_next.malloc;
    moat_next.malloc = note_malloc;
    block = malloc(1);
    moat_next.malloc = tried_malloc;
    free(block);
    if (!came_through)
        moat_malloc_give_up("another allocator is searched before this "
                            "library: name it after this one "
                            "(docs/malloc.md)");
}

/*
 * A program that has libmoat.a in itself and was linked with this library
 * exports what is called here: moat_guest_heap would then be the program's, and
 * the heap that it makes would be passed to libmoat.so, which knows of none. A
 * thread-local tells copies apart: unlike a variable or a function's address it
 * is nowhere but in its library. Without a copy among the exports (the library
 * was preloaded) the program has guests that are strangers here.
 */
static void refuse_copies(void)
{
    if (dlsym(RTLD_DEFAULT, "moat_tls") != dlsym(RTLD_NEXT, "moat_tls"))
        moat_malloc_give_up("this program has a moat of its own: link the "
                            "shared libmoat only (docs/malloc.md)");
}

__attribute__((constructor)) static void search_early(void)
{
    search();
    refuse_sanitizers();
    refuse_copies();
    refuse_to_be_second();
    moat_loader.base = getauxval(AT_BASE);
    if (moat_loader.base != 0)
        (void)dl_iterate_phdr(note_loader, NULL);
}

/* ---- Calls before it is done --------------------------------------------- */

static void *first_malloc(size_t bytes)
{
    if (searching)
        return early_take(bytes);
    search();
    return moat_next.malloc(bytes);
}

static void *first_calloc(size_t count, size_t bytes)
{
    if (searching)
        return bytes != 0 && count > SIZE_MAX / bytes
                   ? NULL
                   : early_take(count * bytes);
    search();
    return moat_next.calloc(count, bytes);
}

static void *first_realloc(void *pointer, size_t bytes)
{
    void *moved;

    if (!searching) {
        search();
        return moat_next.realloc(pointer, bytes);
    }
    moved = early_take(bytes);
    if (pointer != NULL)
        memcpy(moved, pointer,
               early_size(pointer) < bytes ? early_size(pointer) : bytes);
    return moved;
}

static void first_free(void *pointer)
{
    if (searching || is_early(pointer))
        return;
    search();
    moat_next.free(pointer);
}

static size_t first_malloc_usable_size(void *pointer)
{
    search();
    return moat_next.malloc_usable_size(pointer);
}

static void *first_memalign(size_t alignment, size_t bytes)
{
    search();
    return moat_next.memalign(alignment, bytes);
}

static void *first_aligned_alloc(size_t alignment, size_t bytes)
{
    search();
    return moat_next.aligned_alloc(alignment, bytes);
}

static int first_posix_memalign(void **out, size_t alignment, size_t bytes)
{
    search();
    return moat_next.posix_memalign(out, alignment, bytes);
}

static void *first_valloc(size_t bytes)
{
    search();
    return moat_next.valloc(bytes);
}

static void *first_pvalloc(size_t bytes)
{
    search();
    return moat_next.pvalloc(bytes);
}

static void *first_mmap(void *at, size_t bytes, int protection, int flags,
                        int fd, off_t offset)
{
    search();
    return moat_next.mmap(at, bytes, protection, flags, fd, offset);
}

static int first_munmap(void *at, size_t bytes)
{
    search();
    return moat_next.munmap(at, bytes);
}

static void *first_mremap(void *at, size_t had, size_t bytes, int flags, ...)
{
    void *to;
    __builtin_va_list list;

    __builtin_va_start(list, flags);
    to = __builtin_va_arg(list, void *);
    __builtin_va_end(list);
    search();
    return moat_next.mremap(at, had, bytes, flags, to);
}

static int first_brk(void *end)
{
    search();
    return moat_next.brk(end);
}

static void *first_sbrk(intptr_t increment)
{
    search();
    return moat_next.sbrk(increment);
}

struct moat_next moat_next = {
#define FIRST(name, result, parameters) .name = first_##name,
    MOAT_NEXT_MAP(FIRST)
#undef FIRST
};
