/*
 * memory.c: the malloc family, and its state after a run.
 *
 * The guest's heap is a file in memory that only the set-up writes. After
 * memory_keep the process has a private view of it, so that dropping the view's
 * pages restores everything.
 *
 * A guest that frees a pointer that is not a block of its own aborts, as it
 * would with the C library, but on its own stack, where that is a trap.
 *
 * SPDX-License-Identifier: MIT
 */
#include "memory.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <moat/moat.h>

#include "heap.h"
#include "objects.h"
#include "replaced.h"

#define GUEST_BYTES ((size_t)1 << 32)
#define LENT_BYTES  ((size_t)1 << 28)

/* The C library's own names of the functions replaced here. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);
void __libc_free(void *block);

enum owner { HOST, GUEST, LENT };

static struct heap *guest_heap, *lent_heap;
static int guest_file = -1;
static bool misused;
static char *c_library_heap; /* the initial program break */
static __thread bool preparing __attribute__((tls_model("initial-exec")));

bool memory_open(void)
{
    void *guest, *lent;

    c_library_heap = sbrk(0);
    guest_file = memfd_create("guest-heap", MFD_CLOEXEC);
    if (guest_file < 0 || ftruncate(guest_file, (off_t)GUEST_BYTES) != 0)
        return false;
    guest = mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_NORESERVE, guest_file, 0);
    lent = mmap(NULL, LENT_BYTES, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (guest == MAP_FAILED || lent == MAP_FAILED)
        return false;
    guest_heap = heap_make(guest, GUEST_BYTES);
    lent_heap = heap_make(lent, LENT_BYTES);
    return true;
}

void memory_prepare(bool now)
{
    preparing = now;
}

bool memory_keep(void)
{
    return mmap(guest_heap, GUEST_BYTES, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, guest_file,
                0) == guest_heap;
}

void memory_restore(void)
{
    struct heap_root roots[OBJECTS_ROOTS];
    size_t used = (heap_used(guest_heap) + 0xfff) & ~(size_t)0xfff;

    /* Guests may have made their memory executable or read-only. */
    (void)mprotect(guest_heap, used, PROT_READ | PROT_WRITE);
    (void)madvise(guest_heap, used, MADV_DONTNEED);
    heap_collect(lent_heap, roots, objects_c_library_memory(roots));
    misused = false;
}

bool memory_was_misused(void)
{
    return misused;
}

/* ---- Owners of callers and blocks ------------------------------------------
 */

static enum owner owner_for(const void *caller)
{
    if (moat_co_current() != NULL)
        return objects_is_c_library(caller) ? LENT : GUEST;
    /* The dynamic linker's tables belong to the process, even during a
     * set-up. */
    return preparing && !objects_is_linker(caller) ? GUEST : HOST;
}

static struct heap *heap_of(const void *block)
{
    if (guest_heap != NULL && heap_has(guest_heap, block))
        return guest_heap;
    if (lent_heap != NULL && heap_has(lent_heap, block))
        return lent_heap;
    return NULL;
}

/* On a guest's stack this is a trap; on the host's it ends the process. */
static _Noreturn void misuse(void)
{
    static const char message[] = "free or realloc of a bad pointer\n";

    misused = true;
    (void)!write(STDERR_FILENO, message, sizeof(message) - 1);
    abort();
}

/* Returns the heap of a block that is about to be freed or resized; NULL if it
 * is the C library's. */
static struct heap *check(const void *block)
{
    struct heap *heap = heap_of(block);
    const char *at = block;

    if (heap != NULL) {
        if (!heap_owns(heap, block))
            misuse();
    } else if (moat_co_current() != NULL &&
               (at < c_library_heap || at >= (char *)sbrk(0))) {
        /* A wild pointer faults here, on the guest's stack. */
        (void)*(const volatile char *)(at - sizeof(size_t));
        misuse();
    }
    return heap;
}

/* ---- Operations and the stacks they run on ---------------------------------
 */

enum verb { TAKE, ZEROED, RESIZE, GIVE };

struct request {
    enum verb verb;
    enum owner owner; /* of a new block */
    void *block;
    size_t align, bytes;
};

static void *take(const struct request *request, bool zeroed)
{
    struct heap *heap = request->owner == GUEST ? guest_heap : lent_heap;

    if (request->owner != HOST)
        return heap_take(heap, request->align, request->bytes, zeroed);
    if (zeroed)
        return __libc_calloc(1, request->bytes);
    return request->align > 16 ? __libc_memalign(request->align, request->bytes)
                               : __libc_malloc(request->bytes);
}

static void *perform(void *arg)
{
    const struct request *request = arg;
    struct heap *heap = heap_of(request->block);

    switch (request->verb) {
    case TAKE:
        return take(request, false);
    case ZEROED:
        return take(request, true);
    case RESIZE:
        return heap != NULL ? heap_resize(heap, request->block, request->bytes)
                            : __libc_realloc(request->block, request->bytes);
    case GIVE:
        if (heap != NULL)
            heap_give(heap, request->block);
        else
            __libc_free(request->block);
        break;
    }
    return NULL;
}

/* Operations on the guest's heap run on the guest's stack: if it dies in one,
 * its heap is restored with the rest. */
static void *ask(struct request *request)
{
    moat_co *self = moat_co_current();
    bool own = request->block != NULL ? check(request->block) == guest_heap
                                      : request->owner == GUEST;
    void *block;

    if (self == NULL || own)
        block = perform(request);
    else
        block = moat_call_on_parent(self, perform, request);
    if (block == NULL && request->verb != GIVE)
        errno = ENOMEM;
    return block;
}

/* ---- The C library's functions ---------------------------------------------
 */

#define CALLER __builtin_return_address(0)

static void *take_new(const void *caller, enum verb verb, size_t align,
                      size_t bytes)
{
    struct request request = {verb, owner_for(caller), NULL, align, bytes};

    return ask(&request);
}

void *replaced_malloc(size_t bytes)
{
    return take_new(CALLER, TAKE, 16, bytes);
}

void *replaced_calloc(size_t count, size_t bytes)
{
    size_t all;

    if (__builtin_mul_overflow(count, bytes, &all)) {
        errno = ENOMEM;
        return NULL;
    }
    return take_new(CALLER, ZEROED, 16, all);
}

static void *resize_for(const void *caller, void *block, size_t bytes)
{
    struct request request = {RESIZE, HOST, block, 16, bytes};

    if (block == NULL)
        return take_new(caller, TAKE, 16, bytes);
    if (bytes == 0) {
        request.verb = GIVE;
        (void)ask(&request);
        return NULL;
    }
    return ask(&request);
}

void *replaced_realloc(void *block, size_t bytes)
{
    return resize_for(CALLER, block, bytes);
}

void *replaced_reallocarray(void *block, size_t count, size_t bytes)
{
    size_t all;

    if (__builtin_mul_overflow(count, bytes, &all)) {
        errno = ENOMEM;
        return NULL;
    }
    return resize_for(CALLER, block, all);
}

void replaced_free(void *block)
{
    struct request request = {GIVE, HOST, block, 0, 0};
    int error = errno;

    if (block != NULL)
        (void)ask(&request);
    errno = error;
}

static bool is_power(size_t align)
{
    return align != 0 && (align & (align - 1)) == 0;
}

void *replaced_memalign(size_t align, size_t bytes)
{
    if (!is_power(align)) {
        errno = EINVAL;
        return NULL;
    }
    return take_new(CALLER, TAKE, align, bytes);
}

void *replaced_aligned_alloc(size_t align, size_t bytes)
{
    if (!is_power(align)) {
        errno = EINVAL;
        return NULL;
    }
    return take_new(CALLER, TAKE, align, bytes);
}

int replaced_posix_memalign(void **out, size_t align, size_t bytes)
{
    int error = errno;
    void *block;

    if (!is_power(align) || align % sizeof(void *) != 0)
        return EINVAL;
    block = take_new(CALLER, TAKE, align, bytes);
    errno = error;
    if (block == NULL)
        return ENOMEM;
    *out = block;
    return 0;
}

void *replaced_valloc(size_t bytes)
{
    return take_new(CALLER, TAKE, 4096, bytes);
}

void *replaced_pvalloc(size_t bytes)
{
    return take_new(CALLER, TAKE, 4096, (bytes + 4095) & ~(size_t)4095);
}

/* The C library stores a block's size before it. */
size_t malloc_usable_size(void *block)
{
    if (block == NULL)
        return 0;
    if (heap_of(block) != NULL)
        return heap_size(block);
    return (((const size_t *)block)[-1] & ~(size_t)7) - sizeof(size_t);
}
