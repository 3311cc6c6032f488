/*
 * size_class.h: the sizes of small blocks: 16 to 8192 bytes in 56 classes,
 * eight per power of two above 128, so that at most an eighth of a block is
 * wasted.
 *
 *   class    0   1  ..   7    8  ..  15   16  ..  23  ..  48  ..   55
 *   bytes   16  32  .. 128  144  .. 256  288  .. 512  .. 4608 .. 8192
 *
 * Sizes are in units of 16 bytes, the alignment of every block.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_HEAP_SIZE_CLASS_H
#define MOAT_HEAP_SIZE_CLASS_H

#include <stddef.h>
#include <stdint.h>

#define MOAT_HEAP_UNIT      ((size_t)16)
#define MOAT_HEAP_MAX_SMALL ((size_t)8192)
#define MOAT_HEAP_CLASSES   56u

/* Blocks above this size have a tail (tail.h). */
#define MOAT_HEAP_MAX_PLAIN ((size_t)1024)
#define MOAT_HEAP_PLAIN     32u

/* Returns the class of a block of at least so many bytes, at most
 * MOAT_HEAP_MAX_SMALL. 0 bytes take the smallest block. */
static inline unsigned moat_heap_class_of(size_t bytes)
{
    unsigned last = (unsigned)((bytes - (bytes != 0)) / MOAT_HEAP_UNIT);
    unsigned octave = 28u - (unsigned)__builtin_clz(last | 8);

    return 8 * octave + (last >> octave);
}

/* The classes of blocks of so many units, up to MOAT_HEAP_MAX_PLAIN bytes: a
 * load is faster than the search for the highest bit. */
extern __attribute__((visibility("hidden")))
const uint8_t moat_heap_classes[MOAT_HEAP_MAX_PLAIN / MOAT_HEAP_UNIT + 1];

/* As moat_heap_class_of, of at most MOAT_HEAP_MAX_PLAIN bytes. */
static inline unsigned moat_heap_plain_class_of(size_t bytes)
{
    return moat_heap_classes[(bytes + MOAT_HEAP_UNIT - 1) / MOAT_HEAP_UNIT];
}

/* Returns the size of the blocks of a class, in units. */
static inline unsigned moat_heap_class_units(unsigned size_class)
{
    if (size_class < 16)
        return size_class + 1;
    return (size_class % 8 + 9) << (size_class / 8 - 1);
}

#endif
