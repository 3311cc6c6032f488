/*
 * guest_arena.c: a heap per guest: whatever the guest is doing when it dies,
 * the host's heap is whole, and one call gives all of the guest's memory back.
 *
 * Shows: an allocator over a mapping of its own, handed to the guest through
 * the hook that interpreters have for it (lua_newstate, duk_create_heap, ...);
 * that a coroutine that died inside it is not poisoned; MOAT_CO_SCRUB_NONE's
 * reset. Try this: malloc and free in place of arena_alloc. Expected output:
 * expected/guest_arena.txt.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include <moat/moat.h>

#define ARENA_BYTES ((size_t)64 << 20)
#define ROUNDS      100

/* No lock: it has one user. No free: it ends with the guest. */
struct arena {
    char *memory;
    size_t used;
};

static void *arena_alloc(struct arena *arena, size_t bytes)
{
    size_t begin = (arena->used + 15) & ~(size_t)15;

    if (bytes > ARENA_BYTES - begin)
        return NULL;
    arena->used = begin + bytes;
    return arena->memory + begin;
}

static int arena_open(struct arena *arena)
{
    arena->used = 0;
    arena->memory = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return arena->memory != MAP_FAILED;
}

/* An interpreter's value: a list in a list in a list. */
struct list {
    struct list *inner;
    char text[40];
};

__attribute__((noinline)) static struct list *nest(struct arena *arena,
                                                   int depth)
{
    struct list *list = arena_alloc(arena, sizeof *list);

    if (list != NULL)
        list->inner = depth > 0 ? nest(arena, depth - 1) : NULL;
    return list;
}

static void *guest(moat_co *self, void *input)
{
    (void)self;
    return nest(input, INT32_MAX);
}

int main(void)
{
    moat_co *co;
    int survived = 0, poisoned = 0;

    if (moat_co_create(&co, guest, NULL) != MOAT_OK)
        return 1;
    for (int i = 0; i < ROUNDS; i++) {
        struct arena arena;
        moat_event event;

        if (!arena_open(&arena) ||
            moat_co_resume(co, &arena, &event) != MOAT_OK)
            return 1;
        survived += event.kind == MOAT_EVENT_TRAP;
        poisoned += moat_co_is_poisoned(co);
        munmap(arena.memory, ARENA_BYTES);
        if (moat_co_reset(co) != MOAT_OK)
            return 1;
    }
    moat_co_destroy(co);
    printf("%d guests died while they built lists, %d left a lock held\n",
           survived, poisoned);
    printf("the host's heap never heard of them\n");
    return 0;
}
