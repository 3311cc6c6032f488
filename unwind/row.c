/*
 * row.c: call frame information (DWARF 4, 6.4; LSB Core 5.0, 10.6): an entry's
 * program, run up to a pc.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/row.h"
#include "unwind/reader.h"

#define MOST_REMEMBERED 8u

/* How a pointer is written (LSB Core 5.0, 10.5.1). */
enum {
    FORM_ABSPTR = 0x00,
    FORM_UDATA2 = 0x02,
    FORM_UDATA4 = 0x03,
    FORM_UDATA8 = 0x04,
    FORM_SDATA2 = 0x0a,
    FORM_SDATA4 = 0x0b,
    FORM_SDATA8 = 0x0c,
    FORM_MASK = 0x0f,
    FROM_NOTHING = 0x00,
    FROM_HERE = 0x10,
    FROM_MASK = 0x70,
    FORM_OMITTED = 0xff
};

enum {
    CFA_NOP = 0x00,
    CFA_SET_LOC = 0x01,
    CFA_ADVANCE_LOC1 = 0x02,
    CFA_ADVANCE_LOC2 = 0x03,
    CFA_ADVANCE_LOC4 = 0x04,
    CFA_OFFSET_EXTENDED = 0x05,
    CFA_RESTORE_EXTENDED = 0x06,
    CFA_UNDEFINED = 0x07,
    CFA_SAME_VALUE = 0x08,
    CFA_REGISTER = 0x09,
    CFA_REMEMBER_STATE = 0x0a,
    CFA_RESTORE_STATE = 0x0b,
    CFA_DEF_CFA = 0x0c,
    CFA_DEF_CFA_REGISTER = 0x0d,
    CFA_DEF_CFA_OFFSET = 0x0e,
    CFA_DEF_CFA_EXPRESSION = 0x0f,
    CFA_EXPRESSION = 0x10,
    CFA_OFFSET_EXTENDED_SF = 0x11,
    CFA_DEF_CFA_SF = 0x12,
    CFA_DEF_CFA_OFFSET_SF = 0x13,
    CFA_VAL_OFFSET = 0x14,
    CFA_VAL_OFFSET_SF = 0x15,
    CFA_VAL_EXPRESSION = 0x16,
    CFA_GNU_ARGS_SIZE = 0x2e,
    CFA_GNU_NEGATIVE_OFFSET = 0x2f,
    CFA_ADVANCE_LOC = 0x40, /* the lower six bits are an operand */
    CFA_OFFSET = 0x80,
    CFA_RESTORE = 0xc0
};

/* What the entries of many functions have in common. */
struct cie {
    struct moat_reader program;
    uint64_t code_unit;
    int64_t data_unit;
    uint8_t pointer_form;
    bool augmented, signal_frame;
};

struct fde {
    struct cie cie;
    struct moat_reader program;
    uintptr_t start;
    uint64_t bytes;
};

/* --- entries ------------------------------------------------------------- */

/* The contents of the entry at `at`, behind its length. */
static struct moat_reader open_entry(const struct moat_span *bytes,
                                     const unsigned char *at)
{
    struct moat_reader entry = {at, bytes->end, false};
    uint32_t length;

    if (at < bytes->begin || at > bytes->end)
        entry = (struct moat_reader){bytes->end, bytes->end, true};
    length = moat_read_u32(&entry);
    /* 0 ends a section; all ones begin a form for four gigabytes and more. */
    if (length == 0 || length > moat_reader_left(&entry))
        moat_reader_spoil(&entry);
    else
        entry.end = entry.at + length;
    return entry;
}

static uint64_t read_form(struct moat_reader *reader, uint8_t form)
{
    switch (form & FORM_MASK) {
    case FORM_UDATA2:
        return moat_read_u16(reader);
    case FORM_UDATA4:
        return moat_read_u32(reader);
    case FORM_SDATA2:
        return (uint64_t)(int16_t)moat_read_u16(reader);
    case FORM_SDATA4:
        return (uint64_t)(int32_t)moat_read_u32(reader);
    case FORM_ABSPTR:
    case FORM_UDATA8:
    case FORM_SDATA8:
        return moat_read(reader, 8);
    default:
        moat_reader_spoil(reader);
        return 0;
    }
}

static uintptr_t read_pointer(struct moat_reader *reader, uint8_t form)
{
    uintptr_t here = (uintptr_t)reader->at;
    uint64_t value = read_form(reader, form);

    switch (form & FROM_MASK) {
    case FROM_NOTHING:
        return value;
    case FROM_HERE:
        return here + value;
    default:
        moat_reader_spoil(reader);
        return 0;
    }
}

/* Of the letters behind 'z', each of which has data of its own. */
static void read_augmentation(struct moat_reader *entry, const char *letters,
                              struct cie *out)
{
    uint64_t bytes = moat_read_uleb(entry);
    struct moat_reader data = *entry;
    uint8_t form;

    moat_reader_skip(entry, bytes);
    data.end = entry->at;
    for (; *letters != '\0'; letters++) {
        switch (*letters) {
        case 'R':
            out->pointer_form = moat_read_u8(&data);
            break;
        case 'P':
            form = moat_read_u8(&data);
            if (form != FORM_OMITTED)
                (void)read_form(&data, form);
            break;
        case 'L':
            (void)moat_read_u8(&data);
            break;
        case 'S':
            out->signal_frame = true;
            break;
        case 'B': /* of another CPU's */
        default:
            moat_reader_spoil(entry);
            return;
        }
    }
    if (data.bad)
        moat_reader_spoil(entry);
}

static bool read_cie(const struct moat_span *bytes, const unsigned char *at,
                     struct cie *out)
{
    struct moat_reader entry = open_entry(bytes, at);
    uint32_t id = moat_read_u32(&entry);
    uint8_t version = moat_read_u8(&entry);
    const char *letters = (const char *)entry.at;
    size_t room = moat_reader_left(&entry), length = strnlen(letters, room);
    uint64_t pc_register;

    if (entry.bad || length == room || id != 0 ||
        (version != 1 && version != 3) ||
        (letters[0] != 'z' && letters[0] != '\0'))
        return false;
    moat_reader_skip(&entry, length + 1);
    *out = (struct cie){.pointer_form = FORM_ABSPTR,
                        .augmented = letters[0] == 'z'};
    out->code_unit = moat_read_uleb(&entry);
    out->data_unit = moat_read_sleb(&entry);
    pc_register = version == 1 ? moat_read_u8(&entry) : moat_read_uleb(&entry);
    if (out->augmented)
        read_augmentation(&entry, letters + 1, out);
    out->program = entry;
    return !entry.bad && pc_register == MOAT_ARCH_DWARF_PC;
}

/* The common entry, by its distance back from the field that names it. */
static const unsigned char *find_cie(const struct moat_span *bytes,
                                     struct moat_reader *entry)
{
    const unsigned char *here = entry->at;
    uint32_t back = moat_read_u32(entry);

    if (entry->bad || back == 0 || back > (size_t)(here - bytes->begin))
        return NULL;
    return here - back;
}

static bool read_fde(const struct moat_span *bytes, const unsigned char *at,
                     struct fde *out)
{
    struct moat_reader entry = open_entry(bytes, at);
    const unsigned char *cie = find_cie(bytes, &entry);

    if (cie == NULL || !read_cie(bytes, cie, &out->cie))
        return false;
    out->start = read_pointer(&entry, out->cie.pointer_form);
    out->bytes = read_form(&entry, out->cie.pointer_form);
    if (out->cie.augmented)
        moat_reader_skip(&entry, moat_read_uleb(&entry));
    out->program = entry;
    return !entry.bad;
}

/* --- programs ------------------------------------------------------------ */

/* The part of a row that remember and restore are about. */
struct state {
    struct moat_rule cfa;
    unsigned cfa_register;
    struct moat_rule rules[MOAT_ARCH_DWARF_REGISTERS];
};

struct run {
    const struct fde *fde;
    const unsigned char *base; /* of the expressions' places */
    struct moat_reader *program;
    uintptr_t pc, location;
    struct state now, initial, remembered[MOST_REMEMBERED];
    unsigned depth;
    bool failed;
};

static void set_rule(struct run *run, uint64_t number, enum moat_rule_kind kind,
                     int64_t value)
{
    /* Registers of vector units and the like: nothing is found by them. */
    if (number >= MOAT_ARCH_DWARF_REGISTERS)
        return;
    if (value != (int32_t)value)
        run->failed = true;
    run->now.rules[number] = (struct moat_rule){kind, (int32_t)value};
}

static void restore_rule(struct run *run, uint64_t number)
{
    if (number < MOAT_ARCH_DWARF_REGISTERS)
        run->now.rules[number] = run->initial.rules[number];
}

static void set_cfa(struct run *run, enum moat_rule_kind kind, int64_t value)
{
    if (value != (int32_t)value)
        run->failed = true;
    run->now.cfa = (struct moat_rule){kind, (int32_t)value};
}

static void set_cfa_register(struct run *run, uint64_t number)
{
    if (number >= MOAT_ARCH_DWARF_REGISTERS)
        run->failed = true;
    else
        run->now.cfa_register = (unsigned)number;
}

static int64_t read_scaled(struct run *run, bool is_signed)
{
    uint64_t value = moat_read_leb(run->program, is_signed);

    return (int64_t)(value * (uint64_t)run->fde->cie.data_unit);
}

static void advance(struct run *run, uint64_t units)
{
    run->location += units * run->fde->cie.code_unit;
}

static int64_t read_expression(struct run *run)
{
    int64_t place = run->program->at - run->base;

    moat_reader_skip(run->program, moat_read_uleb(run->program));
    return place;
}

static void remember(struct run *run)
{
    if (run->depth == MOST_REMEMBERED)
        run->failed = true;
    else
        run->remembered[run->depth++] = run->now;
}

static void restore(struct run *run)
{
    if (run->depth == 0)
        run->failed = true;
    else
        run->now = run->remembered[--run->depth];
}

static void run_extended(struct run *run, unsigned op)
{
    struct moat_reader *program = run->program;
    uint64_t number;

    switch (op) {
    case CFA_NOP:
        break;
    case CFA_SET_LOC:
        run->location = read_pointer(program, run->fde->cie.pointer_form);
        break;
    case CFA_ADVANCE_LOC1:
        advance(run, moat_read_u8(program));
        break;
    case CFA_ADVANCE_LOC2:
        advance(run, moat_read_u16(program));
        break;
    case CFA_ADVANCE_LOC4:
        advance(run, moat_read_u32(program));
        break;
    case CFA_OFFSET_EXTENDED:
    case CFA_OFFSET_EXTENDED_SF:
        number = moat_read_uleb(program);
        set_rule(run, number, MOAT_RULE_OFFSET,
                 read_scaled(run, op == CFA_OFFSET_EXTENDED_SF));
        break;
    case CFA_GNU_NEGATIVE_OFFSET:
        number = moat_read_uleb(program);
        set_rule(run, number, MOAT_RULE_OFFSET, -read_scaled(run, false));
        break;
    case CFA_VAL_OFFSET:
    case CFA_VAL_OFFSET_SF:
        number = moat_read_uleb(program);
        set_rule(run, number, MOAT_RULE_VAL_OFFSET,
                 read_scaled(run, op == CFA_VAL_OFFSET_SF));
        break;
    case CFA_RESTORE_EXTENDED:
        restore_rule(run, moat_read_uleb(program));
        break;
    case CFA_UNDEFINED:
        set_rule(run, moat_read_uleb(program), MOAT_RULE_UNDEFINED, 0);
        break;
    case CFA_SAME_VALUE:
        set_rule(run, moat_read_uleb(program), MOAT_RULE_SAME, 0);
        break;
    case CFA_REGISTER:
        number = moat_read_uleb(program);
        set_rule(run, number, MOAT_RULE_REGISTER,
                 (int64_t)moat_read_uleb(program));
        break;
    case CFA_REMEMBER_STATE:
        remember(run);
        break;
    case CFA_RESTORE_STATE:
        restore(run);
        break;
    case CFA_DEF_CFA:
        set_cfa_register(run, moat_read_uleb(program));
        set_cfa(run, MOAT_RULE_VAL_OFFSET, (int64_t)moat_read_uleb(program));
        break;
    case CFA_DEF_CFA_SF:
        set_cfa_register(run, moat_read_uleb(program));
        set_cfa(run, MOAT_RULE_VAL_OFFSET, read_scaled(run, true));
        break;
    case CFA_DEF_CFA_REGISTER:
        set_cfa_register(run, moat_read_uleb(program));
        run->failed |= run->now.cfa.kind != MOAT_RULE_VAL_OFFSET;
        break;
    case CFA_DEF_CFA_OFFSET:
        set_cfa(run, MOAT_RULE_VAL_OFFSET, (int64_t)moat_read_uleb(program));
        break;
    case CFA_DEF_CFA_OFFSET_SF:
        set_cfa(run, MOAT_RULE_VAL_OFFSET, read_scaled(run, true));
        break;
    case CFA_DEF_CFA_EXPRESSION:
        set_cfa(run, MOAT_RULE_VAL_EXPRESSION, read_expression(run));
        break;
    case CFA_EXPRESSION:
        number = moat_read_uleb(program);
        set_rule(run, number, MOAT_RULE_EXPRESSION, read_expression(run));
        break;
    case CFA_VAL_EXPRESSION:
        number = moat_read_uleb(program);
        set_rule(run, number, MOAT_RULE_VAL_EXPRESSION, read_expression(run));
        break;
    case CFA_GNU_ARGS_SIZE:
        (void)moat_read_uleb(program);
        break;
    default:
        run->failed = true;
        break;
    }
}

static void run_one(struct run *run)
{
    uint8_t op = moat_read_u8(run->program);

    switch (op & 0xc0) {
    case CFA_ADVANCE_LOC:
        advance(run, op & 0x3f);
        break;
    case CFA_OFFSET:
        set_rule(run, op & 0x3f, MOAT_RULE_OFFSET, read_scaled(run, false));
        break;
    case CFA_RESTORE:
        restore_rule(run, op & 0x3f);
        break;
    default:
        run_extended(run, op);
        break;
    }
}

/* Up to the first row that begins behind the pc. */
static bool run_program(struct run *run, struct moat_reader program)
{
    run->program = &program;
    /* What moves the location sets no rule. */
    while (moat_reader_left(&program) > 0 && !run->failed &&
           run->location <= run->pc)
        run_one(run);
    run->program = NULL;
    return !run->failed && !program.bad;
}

static bool make_row(const struct moat_span *bytes, const struct fde *fde,
                     const unsigned char *base, uintptr_t pc,
                     struct moat_row *out)
{
    struct run run;

    run.fde = fde;
    run.base = base;
    run.pc = pc;
    run.location = fde->start;
    run.depth = 0;
    run.failed = false;
    memset(&run.now, 0, sizeof run.now);
    run.now.rules[MOAT_ARCH_DWARF_PC].kind = MOAT_RULE_UNDEFINED;
    run.now.cfa.kind = MOAT_RULE_UNDEFINED;
    memset(&run.initial, 0, sizeof run.initial);
    if (!run_program(&run, fde->cie.program))
        return false;
    run.initial = run.now;
    if (!run_program(&run, fde->program))
        return false;
    out->base = base;
    out->end = bytes->end;
    out->cfa = run.now.cfa;
    out->cfa_register = run.now.cfa_register;
    out->signal_frame = fde->cie.signal_frame;
    memcpy(out->rules, run.now.rules, sizeof out->rules);
    out->set = 0;
    out->plain = true;
    for (unsigned i = 0; i < MOAT_ARCH_DWARF_REGISTERS; i++) {
        enum moat_rule_kind kind = out->rules[i].kind;

        if (kind != MOAT_RULE_SAME)
            out->set |= UINT32_C(1) << i;
        if (kind > MOAT_RULE_OFFSET)
            out->plain = false;
    }
    return true;
}

bool moat_row_bounds(const struct moat_span *bytes, const unsigned char *fde,
                     uintptr_t *start, uintptr_t *end)
{
    struct fde entry;

    if (!read_fde(bytes, fde, &entry))
        return false;
    *start = entry.start;
    *end = entry.start + entry.bytes;
    return true;
}

bool moat_row_make(const struct moat_span *bytes, const unsigned char *fde,
                   uintptr_t pc, struct moat_row *out)
{
    struct fde entry;

    return read_fde(bytes, fde, &entry) && pc - entry.start < entry.bytes &&
           make_row(bytes, &entry, fde, pc, out);
}

bool moat_row_find(const struct moat_span *bytes, uintptr_t pc,
                   struct moat_row *out)
{
    const unsigned char *at = bytes->begin;

    for (;;) {
        struct moat_reader entry = open_entry(bytes, at);

        if (entry.bad)
            return false;
        /* One that has no common entry is a common entry. */
        if (moat_row_make(bytes, at, pc, out))
            return true;
        at = entry.end;
    }
}

/* --- fingerprints -------------------------------------------------------- */

/* Each word times a number of its own, which is odd: a change of one word
 * always changes the sum, and the products do not wait for each other. */
#define FIRST_FACTOR UINT64_C(0x9e3779b97f4a7c15)
#define NEXT_FACTOR  UINT64_C(0xd6e8feb86659fd92)

struct sum {
    uint64_t value, factor;
};

static void add_bytes(struct sum *sum, const unsigned char *at,
                      const unsigned char *end)
{
    uint64_t word;

    for (; end - at >= (ptrdiff_t)sizeof word; at += sizeof word) {
        memcpy(&word, at, sizeof word);
        sum->value += word * sum->factor;
        sum->factor += NEXT_FACTOR;
    }
    word = (uint64_t)(end - at);
    for (; at < end; at++)
        word = word << 8 | *at;
    sum->value += word * sum->factor;
    sum->factor += NEXT_FACTOR;
}

bool moat_row_fingerprint(const struct moat_span *bytes,
                          const unsigned char *fde, uint64_t *out)
{
    struct moat_reader own = open_entry(bytes, fde), common;
    struct sum sum = {0, FIRST_FACTOR};
    const unsigned char *begin = own.at;
    const unsigned char *cie = find_cie(bytes, &own);

    if (cie == NULL)
        return false;
    common = open_entry(bytes, cie);
    if (common.bad)
        return false;
    add_bytes(&sum, begin, own.end);
    add_bytes(&sum, common.at, common.end);
    *out = sum.value;
    return true;
}
