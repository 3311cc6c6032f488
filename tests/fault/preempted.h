/*
 * preempted.h: random programs of machine code, and the whole state of the CPU
 * before and after them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FAULT_PREEMPTED_H
#define TESTS_FAULT_PREEMPTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* preempted_cpu.S relies on this layout. */
struct cpu_image {
    uint64_t regs[15]; /* all but rsp                                    */
    uint64_t flags;
    uint64_t red_zone[16]; /* from the stack pointer down                    */
    unsigned char *state;  /* an XSAVE area                                  */
    uint64_t parts;        /* that the area has                              */
};

extern const unsigned char *preempted_body;
extern const char preempted_end[];

void preempted_run(const struct cpu_image *in, struct cpu_image *out);
void preempted_destroy(const struct cpu_image *with);

/* Returns whether this CPU has XSAVE. */
bool cpu_has_xsave(void);

/* Creates an image that is empty, or has a random value in every part. It is
 * never freed. */
struct cpu_image *cpu_image_make(uint64_t *seed, bool filled);

/* Returns whether two images are the same: "" or what differs first. */
const char *cpu_image_difference(const struct cpu_image *a,
                                 const struct cpu_image *b);

uint64_t random_next(uint64_t *seed);

/* Writes a program of so many random instructions, which touch every kind of
 * register and the red zone, and an end. Returns its length in bytes;
 * starts[i] is where the instruction i begins. */
size_t random_program(uint64_t *seed, unsigned count, unsigned char *code,
                      uint32_t *starts);

/* At most. */
#define PROGRAM_BYTES(count) ((size_t)(count)*8 + 32)

#endif
