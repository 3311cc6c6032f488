/*
 * debugger_image.c: writes an object file without the code, which stays where
 * it is.
 *
 * Source lines are DWARF 4: a unit with the file's name, a function, and the
 * line number program.
 *
 * SPDX-License-Identifier: MIT
 */
#include "publish/debugger_image.h"

#include <elf.h>

#include "arch/values.h"
#include "unwind/bytes.h"

enum section {
    NO_SECTION,
    TEXT,
    SYMBOLS,
    STRINGS,
    EH_FRAME,      /* only with rules */
    ABBREVIATIONS, /* only with lines, from here on */
    INFO,
    LINES,
    MAX_SECTIONS
};

/* The file's strings, which the code's name follows. */
static const char strings[] = "\0.text\0.symtab\0.strtab\0.eh_frame\0"
                              ".debug_abbrev\0.debug_info\0.debug_line";

struct image {
    struct moat_bytes to;
    const moat_code *code;
    Elf64_Shdr sections[MAX_SECTIONS];
};

/* --- lines --------------------------------------------------------------- */

enum {
    DW_TAG_compile_unit = 0x11,
    DW_TAG_subprogram = 0x2e,
    DW_AT_name = 0x03,
    DW_AT_stmt_list = 0x10,
    DW_AT_low_pc = 0x11,
    DW_AT_high_pc = 0x12,
    DW_AT_language = 0x13,
    DW_FORM_addr = 0x01,
    DW_FORM_data8 = 0x07,
    DW_FORM_string = 0x08,
    DW_FORM_data1 = 0x0b,
    DW_FORM_sec_offset = 0x17,
    DW_LANG_C99 = 0x0c,
    DW_LNS_copy = 1,
    DW_LNS_advance_pc = 2,
    DW_LNS_advance_line = 3,
    DW_LNE_end_sequence = 1,
    DW_LNE_set_address = 2
};

static void put_abbreviations(struct image *image)
{
    static const unsigned char all[] = {
        /* 1, with children: the unit */
        1, DW_TAG_compile_unit, 1, DW_AT_language, DW_FORM_data1, DW_AT_name,
        DW_FORM_string, DW_AT_low_pc, DW_FORM_addr, DW_AT_high_pc,
        DW_FORM_data8, DW_AT_stmt_list, DW_FORM_sec_offset, 0, 0,
        /* 2, without: the function */
        2, DW_TAG_subprogram, 0, DW_AT_name, DW_FORM_string, DW_AT_low_pc,
        DW_FORM_addr, DW_AT_high_pc, DW_FORM_data8, 0, 0, 0};

    moat_put(&image->to, all, sizeof all);
}

static void put_extent(struct moat_bytes *to, const moat_code *code)
{
    moat_put_address(to, (uintptr_t)code->start);
    moat_put_address(to, code->size);
}

static void put_info(struct image *image)
{
    static const uint16_t version = 4;
    struct moat_bytes *to = &image->to;
    const moat_code *code = image->code;
    size_t begin = moat_put_begin(to);

    moat_put(to, &version, sizeof version);
    moat_put_word(to, 0); /* the abbreviations */
    moat_put_byte(to, sizeof(uint64_t));
    moat_put_byte(to, 1);
    moat_put_byte(to, DW_LANG_C99);
    moat_put_text(to, code->file);
    put_extent(to, code);
    moat_put_word(to, 0); /* the lines */
    if (code->name != NULL) {
        moat_put_byte(to, 2);
        moat_put_text(to, code->name);
        put_extent(to, code);
    }
    moat_put_byte(to, 0);
    moat_put_end(to, begin);
}

static void put_line_program(struct moat_bytes *to, const moat_code *code)
{
    uint32_t offset = 0, line = 1;

    moat_put_byte(to, 0);
    moat_put_uleb(to, 1 + sizeof(uint64_t));
    moat_put_byte(to, DW_LNE_set_address);
    moat_put_address(to, (uintptr_t)code->start);
    for (size_t i = 0; i < code->line_count; i++) {
        moat_put_byte(to, DW_LNS_advance_pc);
        moat_put_uleb(to, code->lines[i].offset - offset);
        moat_put_byte(to, DW_LNS_advance_line);
        moat_put_sleb(to, (int64_t)code->lines[i].line - line);
        moat_put_byte(to, DW_LNS_copy);
        offset = code->lines[i].offset;
        line = code->lines[i].line;
    }
    moat_put_byte(to, DW_LNS_advance_pc);
    moat_put_uleb(to, code->size - offset);
    moat_put_byte(to, 0);
    moat_put_uleb(to, 1);
    moat_put_byte(to, DW_LNE_end_sequence);
}

static void put_lines(struct image *image)
{
    static const uint16_t version = 4;
    /* Operations of a byte have a unit of 1; special ones are not used. */
    static const unsigned char parameters[] = {1,  1, 1, (unsigned char)-5,
                                               14, 13};
    static const unsigned char operands[] = {0, 1, 1, 1, 1, 0,
                                             0, 0, 1, 0, 0, 1};
    struct moat_bytes *to = &image->to;
    size_t begin = moat_put_begin(to), header;

    moat_put(to, &version, sizeof version);
    header = moat_put_begin(to);
    moat_put(to, parameters, sizeof parameters);
    moat_put(to, operands, sizeof operands);
    moat_put_byte(to, 0); /* no folders */
    moat_put_text(to, image->code->file);
    moat_put(to, "\0\0\0", 3); /* its folder, time and size: not known */
    moat_put_byte(to, 0);      /* no more files */
    moat_put_end(to, header);
    put_line_program(to, image->code);
    moat_put_end(to, begin);
}

/* --- the file ------------------------------------------------------------ */

static void put_text_section(struct image *image)
{
    Elf64_Shdr *text = &image->sections[TEXT];

    text->sh_flags = SHF_ALLOC | SHF_EXECINSTR;
    text->sh_addr = (uintptr_t)image->code->start;
    text->sh_size = image->code->size;
}

static void put_symbols(struct image *image)
{
    Elf64_Shdr *section = &image->sections[SYMBOLS];
    const Elf64_Sym all[2] = {{.st_name = 0},
                              {.st_name = sizeof strings,
                               .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                               .st_shndx = TEXT,
                               .st_value = (uintptr_t)image->code->start,
                               .st_size = image->code->size}};

    section->sh_addralign = sizeof(uint64_t);
    section->sh_entsize = sizeof all[0];
    section->sh_link = STRINGS;
    section->sh_info = 1; /* the first that is not local */
    moat_put(&image->to, all,
             (image->code->name != NULL ? 2 : 1) * sizeof all[0]);
}

static void put_strings(struct image *image)
{
    moat_put(&image->to, strings, sizeof strings);
    moat_put_text(&image->to, image->code->name);
}

static void put_eh_frame(struct image *image)
{
    Elf64_Shdr *section = &image->sections[EH_FRAME];

    section->sh_flags = SHF_ALLOC;
    section->sh_addralign = sizeof(uint64_t);
    section->sh_addr = (uintptr_t)image->code->eh_frame;
    moat_put(&image->to, image->code->eh_frame, image->code->eh_frame_bytes);
}

static const struct {
    Elf64_Word name, type; /* the name's offset in the strings */
    void (*put)(struct image *image);
} kinds[MAX_SECTIONS] = {
    [TEXT] = {1, SHT_NOBITS, put_text_section},
    [SYMBOLS] = {7, SHT_SYMTAB, put_symbols},
    [STRINGS] = {15, SHT_STRTAB, put_strings},
    [EH_FRAME] = {23, SHT_PROGBITS, put_eh_frame},
    [ABBREVIATIONS] = {33, SHT_PROGBITS, put_abbreviations},
    [INFO] = {47, SHT_PROGBITS, put_info},
    [LINES] = {59, SHT_PROGBITS, put_lines},
};

static void put_section(struct image *image, size_t number)
{
    Elf64_Shdr *section = &image->sections[number];

    moat_put_align(&image->to);
    section->sh_name = kinds[number].name;
    section->sh_type = kinds[number].type;
    section->sh_offset = image->to.used;
    section->sh_addralign = 1;
    kinds[number].put(image);
    section->sh_size += image->to.used - section->sh_offset;
}

static void put_header(struct image *image, Elf64_Half sections)
{
    const Elf64_Ehdr header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
                                           ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                               .e_type = ET_EXEC,
                               .e_machine = MOAT_ARCH_ELF_MACHINE,
                               .e_version = EV_CURRENT,
                               .e_entry = (uintptr_t)image->code->start,
                               .e_shoff = sizeof header,
                               .e_ehsize = sizeof header,
                               .e_shentsize = sizeof(Elf64_Shdr),
                               .e_shnum = sections,
                               .e_shstrndx = STRINGS};

    moat_put(&image->to, &header, sizeof header);
    image->to.used += sections * sizeof(Elf64_Shdr); /* put at the end */
}

size_t moat_debugger_image(const moat_code *code, unsigned char *to)
{
    struct image image = {.to = {to, 0}, .code = code};
    size_t sections = EH_FRAME;

    if (code->line_count > 0)
        sections = MAX_SECTIONS;
    else if (code->eh_frame != NULL)
        sections = ABBREVIATIONS;

    put_header(&image, (Elf64_Half)sections);
    for (size_t i = TEXT; i < sections; i++)
        put_section(&image, i);
    if (to != NULL)
        memcpy(to + sizeof(Elf64_Ehdr), image.sections,
               sections * sizeof image.sections[0]);
    moat_put_align(&image.to);
    return image.to.used;
}
