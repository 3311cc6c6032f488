/*
 * debugger_image.c: registered code as an object file, for debuggers: the code
 * itself stays where it is.
 *
 * Source lines are DWARF 4: a unit with the file's name, a function, and the
 * line number program.
 *
 * SPDX-License-Identifier: MIT
 */
#include <elf.h>

#include "unwind/bytes.h"
#include "unwind/publication.h"

enum section {
    NO_SECTION,
    TEXT,
    SYMBOLS,
    STRINGS,
    EH_FRAME,      /* only with rules */
    ABBREVIATIONS, /* only with lines, from here on */
    INFO,
    LINES,
    MOST_SECTIONS
};

/* All that the file has of strings, but the code's name, which follows. */
static const char strings[] = "\0.text\0.symtab\0.strtab\0.eh_frame\0"
                              ".debug_abbrev\0.debug_info\0.debug_line";

/* Where the names begin in it. */
static const Elf64_Word names[MOST_SECTIONS] = {0, 1, 7, 15, 23, 33, 47, 59};

struct image {
    struct moat_bytes to;
    const moat_code *code;
    Elf64_Shdr sections[MOST_SECTIONS];
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

static void put_abbreviations(struct moat_bytes *to)
{
    static const unsigned char all[] = {
        /* 1, with children: the unit */
        1, DW_TAG_compile_unit, 1, DW_AT_language, DW_FORM_data1, DW_AT_name,
        DW_FORM_string, DW_AT_low_pc, DW_FORM_addr, DW_AT_high_pc,
        DW_FORM_data8, DW_AT_stmt_list, DW_FORM_sec_offset, 0, 0,
        /* 2, without: the function */
        2, DW_TAG_subprogram, 0, DW_AT_name, DW_FORM_string, DW_AT_low_pc,
        DW_FORM_addr, DW_AT_high_pc, DW_FORM_data8, 0, 0, 0};

    moat_put(to, all, sizeof all);
}

static void put_extent(struct moat_bytes *to, const moat_code *code)
{
    moat_put_address(to, (uintptr_t)code->start);
    moat_put_address(to, code->size);
}

static void put_info(struct moat_bytes *to, const moat_code *code)
{
    static const uint16_t version = 4;
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

static void put_lines(struct moat_bytes *to, const moat_code *code)
{
    static const uint16_t version = 4;
    /* Operations of a byte have a unit of 1; special ones are not used. */
    static const unsigned char parameters[] = {1,  1, 1, (unsigned char)-5,
                                               14, 13};
    static const unsigned char operands[] = {0, 1, 1, 1, 1, 0,
                                             0, 0, 1, 0, 0, 1};
    size_t begin = moat_put_begin(to), header;

    moat_put(to, &version, sizeof version);
    header = moat_put_begin(to);
    moat_put(to, parameters, sizeof parameters);
    moat_put(to, operands, sizeof operands);
    moat_put_byte(to, 0); /* no folders */
    moat_put_text(to, code->file);
    moat_put(to, "\0\0\0", 3); /* its folder, time and size: not known */
    moat_put_byte(to, 0);      /* no more files */
    moat_put_end(to, header);
    put_line_program(to, code);
    moat_put_end(to, begin);
}

/* --- the file ------------------------------------------------------------ */

static Elf64_Shdr *begin_section(struct image *image, enum section number,
                                 Elf64_Word type)
{
    Elf64_Shdr *section = &image->sections[number];

    moat_put_align(&image->to);
    section->sh_name = names[number];
    section->sh_type = type;
    section->sh_offset = image->to.used;
    section->sh_addralign = 1;
    return section;
}

static void end_section(struct image *image, enum section number)
{
    Elf64_Shdr *section = &image->sections[number];

    section->sh_size = image->to.used - section->sh_offset;
}

static void put_text_section(struct image *image)
{
    Elf64_Shdr *text = begin_section(image, TEXT, SHT_NOBITS);

    text->sh_flags = SHF_ALLOC | SHF_EXECINSTR;
    text->sh_addr = (uintptr_t)image->code->start;
    text->sh_size = image->code->size;
}

static void put_symbols(struct image *image)
{
    Elf64_Shdr *section = begin_section(image, SYMBOLS, SHT_SYMTAB);
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
    end_section(image, SYMBOLS);
}

static void put_strings(struct image *image)
{
    (void)begin_section(image, STRINGS, SHT_STRTAB);
    moat_put(&image->to, strings, sizeof strings);
    moat_put_text(&image->to, image->code->name);
    end_section(image, STRINGS);
}

static void put_eh_frame(struct image *image)
{
    Elf64_Shdr *section = begin_section(image, EH_FRAME, SHT_PROGBITS);

    section->sh_flags = SHF_ALLOC;
    section->sh_addralign = sizeof(uint64_t);
    section->sh_addr = (uintptr_t)image->code->eh_frame;
    moat_put(&image->to, image->code->eh_frame, image->code->eh_frame_bytes);
    end_section(image, EH_FRAME);
}

static void put_debug_sections(struct image *image)
{
    (void)begin_section(image, ABBREVIATIONS, SHT_PROGBITS);
    put_abbreviations(&image->to);
    end_section(image, ABBREVIATIONS);
    (void)begin_section(image, INFO, SHT_PROGBITS);
    put_info(&image->to, image->code);
    end_section(image, INFO);
    (void)begin_section(image, LINES, SHT_PROGBITS);
    put_lines(&image->to, image->code);
    end_section(image, LINES);
}

static void put_header(struct image *image, Elf64_Half sections)
{
    const Elf64_Ehdr header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
                                           ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                               .e_type = ET_EXEC,
                               .e_machine = EM_X86_64,
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
        sections = MOST_SECTIONS;
    else if (code->eh_frame != NULL)
        sections = ABBREVIATIONS;

    put_header(&image, (Elf64_Half)sections);
    put_text_section(&image);
    put_symbols(&image);
    put_strings(&image);
    if (sections > EH_FRAME)
        put_eh_frame(&image);
    if (sections == MOST_SECTIONS)
        put_debug_sections(&image);
    if (to != NULL)
        memcpy(to + sizeof(Elf64_Ehdr), image.sections,
               sections * sizeof image.sections[0]);
    moat_put_align(&image.to);
    return image.to.used;
}
