/*
 * preempted.c: random programs of machine code, and the whole state of the CPU
 * before and after them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "preempted.h"

#include <cpuid.h>
#include <stdlib.h>
#include <string.h>

#include "../support/fixture.h"

#define OSXSAVE    (1u << 27)
#define LEAF_XSAVE 0xd
#define AVX        (UINT64_C(1) << 2)
#define AVX512     (UINT64_C(7) << 5)
#define LEGACY     UINT64_C(3)
#define HEADER     512
#define EXTENDED   576

/* Of flags that a program may leave: the arithmetic ones and DF. */
#define FLAGS_KEPT UINT64_C(0xcd5)
#define FLAGS_SET  UINT64_C(0x202)

const unsigned char *preempted_body;

uint64_t random_next(uint64_t *seed)
{
    *seed =
        *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33 ^ *seed << 31;
}

/* ---- Images ---- */

bool cpu_has_xsave(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & OSXSAVE) != 0;
}

static uint64_t parts(void)
{
    uint32_t low, high;

    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return low & (LEGACY | AVX | AVX512);
}

static void place_of(unsigned part, size_t *offset, size_t *bytes)
{
    unsigned a = 0, b = 0, c, d;

    REQUIRE(__get_cpuid_count(LEAF_XSAVE, part, &a, &b, &c, &d) != 0);
    *offset = b;
    *bytes = a;
}

static size_t area_bytes(uint64_t mask)
{
    size_t end = EXTENDED, offset, bytes;

    for (unsigned part = 2; part < 8; part++) {
        if ((mask >> part & 1) == 0)
            continue;
        place_of(part, &offset, &bytes);
        if (offset + bytes > end)
            end = offset + bytes;
    }
    return (end + 63) & ~(size_t)63;
}

static void fill(unsigned char *to, size_t bytes, uint64_t *seed)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (unsigned char)random_next(seed);
}

/* Normal numbers near 1 in all x87 registers, and random vectors. */
static void fill_legacy(unsigned char *area, uint64_t *seed)
{
    const uint16_t fcw = 0x37f, exponent = 0x3fff;
    const uint32_t mxcsr = 0x1f80;

    memcpy(area, &fcw, sizeof fcw);
    area[4] = 0xff;
    memcpy(area + 24, &mxcsr, sizeof mxcsr);
    for (unsigned i = 0; i < 8; i++) {
        fill(area + 32 + 16 * i, 8, seed);
        area[32 + 16 * i + 7] |= 0x80;
        memcpy(area + 32 + 16 * i + 8, &exponent, sizeof exponent);
    }
    fill(area + 160, 256, seed);
}

static void fill_state(struct cpu_image *image, uint64_t *seed)
{
    size_t offset, bytes;

    fill_legacy(image->state, seed);
    memcpy(image->state + HEADER, &image->parts, sizeof image->parts);
    for (unsigned part = 2; part < 8; part++) {
        if ((image->parts >> part & 1) == 0)
            continue;
        place_of(part, &offset, &bytes);
        fill(image->state + offset, bytes, seed);
    }
}

struct cpu_image *cpu_image_make(uint64_t *seed, bool filled)
{
    struct cpu_image *image = calloc(1, sizeof *image);
    size_t bytes = area_bytes(parts());

    REQUIRE(image != NULL);
    image->parts = parts();
    image->state = aligned_alloc(64, bytes);
    REQUIRE(image->state != NULL);
    memset(image->state, 0, bytes);
    if (!filled)
        return image;
    fill((unsigned char *)image->regs, sizeof image->regs, seed);
    fill((unsigned char *)image->red_zone, sizeof image->red_zone, seed);
    image->flags = (random_next(seed) & FLAGS_KEPT) | FLAGS_SET;
    fill_state(image, seed);
    return image;
}

/* Not compared: the last x87 instruction's address and operand, which some CPUs
 * save only with an exception (SDM vol. 1, 13.5.1), and bytes that no XSAVE
 * writes. */
static bool same_legacy(const unsigned char *a, const unsigned char *b)
{
    return memcmp(a, b, 5) == 0 && memcmp(a + 24, b + 24, 4) == 0 &&
           memcmp(a + 32, b + 32, 416 - 32) == 0;
}

const char *cpu_image_difference(const struct cpu_image *a,
                                 const struct cpu_image *b)
{
    static const char *const names[] = {"", "",  "ymm", "",
                                        "", "k", "zmm", "zmm16"};
    size_t offset, bytes;

    if (memcmp(a->regs, b->regs, sizeof a->regs) != 0)
        return "a general register";
    if (((a->flags ^ b->flags) & FLAGS_KEPT) != 0)
        return "the flags";
    if (memcmp(a->red_zone, b->red_zone, sizeof a->red_zone) != 0)
        return "the red zone";
    if (!same_legacy(a->state, b->state))
        return "x87 or xmm";
    for (unsigned part = 2; part < 8; part++) {
        if ((a->parts >> part & 1) == 0)
            continue;
        place_of(part, &offset, &bytes);
        if (memcmp(a->state + offset, b->state + offset, bytes) != 0)
            return names[part];
    }
    return "";
}

/* ---- Programs ---- */

struct writer {
    unsigned char *at;
    uint64_t *seed;
};

static void put(struct writer *writer, unsigned byte)
{
    *writer->at++ = (unsigned char)byte;
}

static unsigned choose(const struct writer *writer, unsigned count)
{
    return (unsigned)(random_next(writer->seed) % count);
}

/* Any general register but rsp. */
static unsigned choose_general(const struct writer *writer)
{
    unsigned number = choose(writer, 15);

    return number < 4 ? number : number + 1;
}

static unsigned modrm(unsigned reg, unsigned rm)
{
    return 0xc0 | (reg & 7) << 3 | (rm & 7);
}

static void put_general(struct writer *writer)
{
    static const unsigned char opcodes[] = {
        0x01, /* add */ 0x11, /* adc */ 0x19, /* sbb */ 0x29, /* sub */
        0x31, /* xor */ 0x89, /* mov */ 0x87, /* xchg */ 0x39 /* cmp */};
    unsigned from = choose_general(writer), to = choose_general(writer);

    put(writer, 0x48 | (from >> 3) << 2 | to >> 3);
    put(writer, opcodes[choose(writer, sizeof opcodes)]);
    put(writer, modrm(from, to));
}

static void put_multiply(struct writer *writer)
{
    unsigned from = choose_general(writer), to = choose_general(writer);

    put(writer, 0x48 | (to >> 3) << 2 | from >> 3);
    put(writer, 0x0f);
    put(writer, 0xaf);
    put(writer, modrm(to, from));
}

static void put_rotate(struct writer *writer)
{
    static const unsigned char kinds[] = {0, 1, 2, 3, 4, 5, 7};
    unsigned to = choose_general(writer);

    put(writer, 0x48 | to >> 3);
    put(writer, 0xc1);
    put(writer, modrm(kinds[choose(writer, sizeof kinds)], to));
    put(writer, 1 + choose(writer, 62));
}

/* mov to or from a word of the red zone. */
static void put_red_zone(struct writer *writer)
{
    unsigned reg = choose_general(writer);

    put(writer, 0x48 | (reg >> 3) << 2);
    put(writer, choose(writer, 2) != 0 ? 0x89 : 0x8b);
    put(writer, 0x44 | (reg & 7) << 3);
    put(writer, 0x24);
    put(writer, 0x100 - 8 * (1 + choose(writer, 16)));
}

static void put_flags(struct writer *writer)
{
    static const unsigned char opcodes[] = {0x9f /* lahf */, 0x9e /* sahf */,
                                            0xf5 /* cmc */,  0xf9 /* stc */,
                                            0xfd /* std */,  0xfc /* cld */};

    put(writer, opcodes[choose(writer, sizeof opcodes)]);
}

static void put_x87(struct writer *writer)
{
    unsigned i = choose(writer, 8);

    switch (choose(writer, 4)) {
    case 0: /* fadd st(i) to st(0) */
        put(writer, 0xd8);
        put(writer, 0xc0 + i);
        break;
    case 1: /* fmul st(0) into st(i) */
        put(writer, 0xdc);
        put(writer, 0xc8 + i);
        break;
    case 2: /* fxch */
        put(writer, 0xd9);
        put(writer, 0xc8 + i);
        break;
    default: /* fchs */
        put(writer, 0xd9);
        put(writer, 0xe0);
    }
}

static const unsigned char vector_opcodes[] = {
    0xd4, /* paddq */ 0xef, /* pxor */ 0xfe, /* paddd */ 0xf4 /* pmuludq */};

static unsigned choose_vector_opcode(const struct writer *writer)
{
    return vector_opcodes[choose(writer, sizeof vector_opcodes)];
}

static void put_sse(struct writer *writer)
{
    unsigned from = choose(writer, 16), to = choose(writer, 16);

    put(writer, 0x66);
    put(writer, 0x40 | (to >> 3) << 2 | from >> 3);
    put(writer, 0x0f);
    put(writer, choose_vector_opcode(writer));
    put(writer, modrm(to, from));
}

static void put_avx(struct writer *writer)
{
    put(writer, 0xc5);
    put(writer, 0x85 | (~choose(writer, 16) & 15) << 3);
    put(writer, choose_vector_opcode(writer));
    put(writer, modrm(choose(writer, 8), choose(writer, 8)));
}

/* vpaddq, vpsubq or vpmuludq of zmm0 to zmm31, or kaddq. */
static void put_avx512(struct writer *writer)
{
    static const unsigned char opcodes[] = {0xd4, 0xfb, 0xf4};
    unsigned to = choose(writer, 32), from = choose(writer, 32);
    unsigned other = choose(writer, 32);

    if (choose(writer, 4) == 0) {
        put(writer, 0xc4);
        put(writer, 0xe1);
        put(writer, 0x84 | (~choose(writer, 8) & 15) << 3);
        put(writer, 0x4a);
        put(writer, modrm(choose(writer, 8), choose(writer, 8)));
        return;
    }
    put(writer, 0x62);
    put(writer,
        (~to & 8) << 4 | (~from & 16) << 2 | (~from & 8) << 2 | (~to & 16) | 1);
    put(writer, 0x85 | (~other & 15) << 3);
    put(writer, 0x40 | (~other & 16) >> 1);
    put(writer, opcodes[choose(writer, sizeof opcodes)]);
    put(writer, modrm(to, from));
}

static void put_instruction(struct writer *writer, uint64_t has)
{
    switch (choose(writer, 12)) {
    case 0:
        put_multiply(writer);
        break;
    case 1:
        put_rotate(writer);
        break;
    case 2:
    case 3:
        put_red_zone(writer);
        break;
    case 4:
        put_flags(writer);
        break;
    case 5:
        put_x87(writer);
        break;
    case 6:
        put_sse(writer);
        break;
    case 7:
    case 8:
        if ((has & AVX) != 0)
            put_avx(writer);
        else
            put_sse(writer);
        break;
    case 9:
        if ((has & AVX512) == AVX512)
            put_avx512(writer);
        else
            put_general(writer);
        break;
    default:
        put_general(writer);
    }
}

/* The end: jmp *0(%rip), and the address. */
static void put_end(struct writer *writer)
{
    const char *end = preempted_end;

    put(writer, 0xff);
    put(writer, 0x25);
    for (unsigned i = 0; i < 4; i++)
        put(writer, 0);
    memcpy(writer->at, &end, sizeof end);
    writer->at += sizeof end;
}

size_t random_program(uint64_t *seed, unsigned count, unsigned char *code,
                      uint32_t *starts)
{
    struct writer writer = {code, seed};
    uint64_t has = parts();

    for (unsigned i = 0; i < count; i++) {
        starts[i] = (uint32_t)(writer.at - code);
        put_instruction(&writer, has);
    }
    put_end(&writer);
    return (size_t)(writer.at - code);
}
