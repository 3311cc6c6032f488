/*
 * crimes.h: the table of guest faults: how each is committed, and the trap
 * record it must leave.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FAULT_CRIMES_H
#define TESTS_FAULT_CRIMES_H

#include <stddef.h>
#include <stdint.h>

#include <moat/moat.h>

struct scene;

/* The expected value of info.address. */
enum address_rule {
    ADDRESS_ZERO,       /* 0: the kind has none */
    ADDRESS_TARGET,     /* scene.target */
    ADDRESS_BELOW,      /* eight bytes below scene.target: a push */
    ADDRESS_OWN_GUARD,  /* anywhere in the coroutine's own guard */
    ADDRESS_LIMIT,      /* the highest word of its own guard */
    ADDRESS_ABOVE_BASE, /* at or above its stack's base */
};

/* The expected value of info.pc. */
enum pc_rule {
    PC_LABEL,   /* crime.pc */
    PC_TARGET,  /* scene.target: the jump was made */
    PC_EITHER,  /* either: CPU makers differ */
    PC_AT_INT1, /* crime.pc, or the byte before: hypervisors differ */
    PC_CODE,    /* any readable address */
};

#define KIND(name) (1u << MOAT_TRAP_##name)

/* Flags of a crime. */
#define CRIME_KEEPS_ERRNO 1u  /* calls nothing that could set errno */
#define CRIME_WIDE_GUARD  2u  /* its coroutine has a guard of 2 MiB */
#define CRIME_PRINTS      4u  /* the C library prints to stderr */
#define CRIME_SETS_AC     8u  /* faults with alignment checks enabled */
#define CRIME_32_BIT      16u /* runs code in 32-bit mode */
#define CRIME_AUTODISARM  32u /* trapped with MOAT_ALTSTACK_AUTODISARM only */

struct crime {
    const char *name;
    void *(*body)(moat_co *self, void *scene);
    const char *pc;                  /* the label for PC_LABEL and PC_EITHER */
    void (*prepare)(struct scene *); /* sets scene.target; if NULL, it is 0 */
    unsigned kinds;                  /* KIND() of each acceptable kind */
    int signo;
    moat_access access;
    enum address_rule address;
    enum pc_rule pc_rule;
    unsigned flags;
};

/* One coroutine that commits a crime, and its surroundings. crimes_cpu.S relies
 * on the first two words. */
struct scene {
    uintptr_t target;
    uintptr_t base;
    const struct crime *crime;
    const char *place; /* for messages */
    moat_co *criminal;
    moat_co *bystander; /* suspended, with a pattern on its stack */
    int innocent;       /* the guest returns at once */
    void *mapping;      /* mapped by prepare */
    size_t mapping_bytes;
    moat_stack_info stack;
};

extern const struct crime crimes[];
extern const size_t crime_count;

/* Guest bodies of crimes_memory.c, crimes_libc.c and crimes_hardened.c. */
void *crime_recursion(moat_co *self, void *scene);
void *crime_swab(moat_co *self, void *scene);
void *crime_abort(moat_co *self, void *scene);
void *crime_assert(moat_co *self, void *scene);
void *crime_raise_segv(moat_co *self, void *scene);
void *crime_raise_bus(moat_co *self, void *scene);
void *crime_raise_ill(moat_co *self, void *scene);
void *crime_raise_fpe(moat_co *self, void *scene);
void *crime_raise_trap(moat_co *self, void *scene);
void *crime_trap_raise(moat_co *self, void *scene);
void *crime_smashed_canary(moat_co *self, void *scene);
void *crime_fortify(moat_co *self, void *scene);
void *crime_big_frame_probed(moat_co *self, void *scene);
void *crime_big_frame_unprobed(moat_co *self, void *scene);

/* The user_code that crime_trap_raise passes. */
#define CRIME_USER_CODE 4711

#endif
