/*
 * crimes.h: the table of guest faults: how each is committed and what the trap
 * record must say.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FAULT_CRIMES_H
#define TESTS_FAULT_CRIMES_H

#include <stddef.h>
#include <stdint.h>

#include <moat/moat.h>

struct scene;

/* What info.address must be. */
enum address_rule {
    ADDRESS_ZERO,       /* 0: the kind has none                           */
    ADDRESS_TARGET,     /* scene.target                                   */
    ADDRESS_BELOW,      /* eight bytes below scene.target: a push         */
    ADDRESS_OWN_GUARD,  /* anywhere in the coroutine's own guard          */
    ADDRESS_LIMIT,      /* the highest word of its own guard              */
    ADDRESS_ABOVE_BASE, /* at or above its stack's base                   */
};

/* What info.pc must be. */
enum pc_rule {
    PC_LABEL,   /* crime.pc                                               */
    PC_TARGET,  /* scene.target: a jump that arrived                      */
    PC_EITHER,  /* one of the two: CPU makers differ                      */
    PC_AT_INT1, /* crime.pc, or the byte before: hypervisors differ       */
    PC_CODE,    /* anything that can be read                              */
};

#define KIND(name) (1u << MOAT_TRAP_##name)

/* Flags of a crime. */
#define CRIME_KEEPS_ERRNO 1u /* calls nothing that may set errno          */
#define CRIME_WIDE_GUARD  2u /* its coroutine gets a guard of 2 MiB       */
#define CRIME_PRINTS      4u /* the C library says something on stderr    */
#define CRIME_SETS_AC     8u /* alignment checks are on as it faults      */

struct crime {
    const char *name;
    void *(*body)(moat_co *self, void *scene);
    const char *pc;                  /* the label for PC_LABEL and PC_EITHER */
    void (*prepare)(struct scene *); /* sets scene.target; NULL: it is 0   */
    unsigned kinds;                  /* KIND() of those that are right      */
    int signo;
    moat_access access;
    enum address_rule address;
    enum pc_rule pc_rule;
    unsigned flags;
};

/* One coroutine that commits a crime, and what stands around it. The first two
 * words are also crimes_cpu.S's. */
struct scene {
    uintptr_t target;
    uintptr_t base;
    const struct crime *crime;
    const char *place; /* for messages */
    moat_co *criminal;
    moat_co *bystander; /* suspended, with a pattern on its stack */
    int innocent;       /* the guest returns at once              */
    void *mapping;      /* what prepare mapped                    */
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

/* The user_code of crime_trap_raise. */
#define CRIME_USER_CODE 4711

#endif
