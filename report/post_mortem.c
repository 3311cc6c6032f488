/*
 * post_mortem.c: an ELF core file of one trapped coroutine (elf(5), core(5);
 * fs/binfmt_elf.c of Linux for the notes).
 *
 *   ELF header | program headers | notes | parts of the memory
 *
 * The core's only thread stands where the guest trapped. A debugger finds the
 * resumer's frame by the guest's control record; but the resumer has continued
 * since. So the file gets a copy of the record that leads to that frame as it
 * is now, or nowhere if the frame is gone.
 *
 * It is written front to back from fixed structs instead of by libelf, which
 * allocates, keeps the file in memory until it is complete, and cannot write to
 * a pipe.
 *
 * SPDX-License-Identifier: MIT
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <unistd.h>

#include "arch/core.h"
#include "engine/bring.h"
#include "engine/nointr.h"
#include "engine/room.h"
#include "engine/state.h"
#include "engine/trap_info.h"
#include "report/core_output.h"
#include "sys/file.h"
#include "sys/maps.h"
#include "sys/refusal.h"
#include "sys/size.h"
#include "trace/live_chain.h"

/* --- notes --------------------------------------------------------------- */

static const char note_name[] = "CORE";

static size_t aligned(size_t bytes)
{
    return (bytes + 3) / 4 * 4;
}

static size_t note_bytes(size_t bytes)
{
    return sizeof(Elf64_Nhdr) + aligned(sizeof note_name) + aligned(bytes);
}

static void put_aligned(struct core *core, const void *from, size_t bytes)
{
    static const char zeros[4];

    moat_core_put(core, from, bytes);
    moat_core_put(core, zeros, aligned(bytes) - bytes);
}

static void put_note_header(struct core *core, unsigned type, size_t bytes)
{
    Elf64_Nhdr header = {sizeof note_name, (Elf64_Word)bytes, type};

    moat_core_put(core, &header, sizeof header);
    put_aligned(core, note_name, sizeof note_name);
}

static void put_note(struct core *core, unsigned type, const void *from,
                     size_t bytes)
{
    put_note_header(core, type, bytes);
    put_aligned(core, from, bytes);
}

static const struct moat_trap_record *record_of(const struct core *core)
{
    return moat_trap_record_of(core->co);
}

/* A trap that was raised by a call has no signal, and no floating-point state
 * either. */
static bool has_signal(const struct core *core)
{
    return record_of(core)->signo != 0;
}

static void put_status(struct core *core)
{
    const struct moat_trap_record *record = record_of(core);
    struct elf_prstatus status;
    moat_regs regs;

    memset(&status, 0, sizeof status);
    status.pr_info.si_signo = record->signo;
    status.pr_info.si_code = record->code;
    status.pr_cursig = (short)record->signo;
    status.pr_pid = gettid();
    status.pr_ppid = getppid();
    status.pr_pgrp = getpgrp();
    status.pr_sid = getsid(0);
    /* The frames of a host call are gone, the guest's are not. */
    (void)moat_trapped_regs(core->co, &regs);
    moat_arch_core_regs(&regs, status.pr_reg);
    status.pr_fpvalid = has_signal(core);
    put_note(core, NT_PRSTATUS, &status, sizeof status);
}

static void put_process(struct core *core)
{
    struct elf_prpsinfo process;
    size_t bytes;

    memset(&process, 0, sizeof process);
    process.pr_sname = 'R';
    process.pr_uid = getuid();
    process.pr_gid = getgid();
    process.pr_pid = core->pid;
    process.pr_ppid = getppid();
    process.pr_pgrp = getpgrp();
    process.pr_sid = getsid(0);
    strncpy(process.pr_fname, program_invocation_short_name,
            sizeof process.pr_fname - 1);
    /* The file is usable without it. */
    (void)moat_process_arguments(process.pr_psargs,
                                 sizeof process.pr_psargs - 1, &bytes);
    while (bytes > 0 && process.pr_psargs[bytes - 1] == '\0')
        bytes--;
    for (size_t i = 0; i < bytes; i++) {
        if (process.pr_psargs[i] == '\0')
            process.pr_psargs[i] = ' ';
    }
    put_note(core, NT_PRPSINFO, &process, sizeof process);
}

/* For these signals si_addr is the address of the instruction. */
static uintptr_t fault_address(const struct moat_trap_record *record)
{
    switch (record->signo) {
    case SIGILL:
    case SIGFPE:
    case SIGTRAP:
        return record->regs.pc;
    default:
        return record->address;
    }
}

static void put_signal(struct core *core)
{
    const struct moat_trap_record *record = record_of(core);
    siginfo_t info;

    memset(&info, 0, sizeof info);
    info.si_signo = record->signo;
    info.si_code = record->code;
    if (record->code > 0) {
        info.si_addr = (void *)fault_address(record);
    } else {
        info.si_pid = core->pid;
        info.si_uid = getuid();
    }
    put_note(core, NT_SIGINFO, &info, sizeof info);
}

static size_t files_bytes(const struct core *core)
{
    return 2 * sizeof(uint64_t) + core->file_count * sizeof core->files[0] +
           core->names_used;
}

static void put_files(struct core *core)
{
    uint64_t head[2] = {core->file_count, moat_page_bytes()};
    size_t bytes = files_bytes(core);

    put_note_header(core, NT_FILE, bytes);
    moat_core_put(core, head, sizeof head);
    moat_core_put(core, core->files, core->file_count * sizeof core->files[0]);
    put_aligned(core, core->names, core->names_used + aligned(bytes) - bytes);
}

static size_t notes_bytes(const struct core *core)
{
    size_t bytes = note_bytes(sizeof(struct elf_prstatus)) +
                   note_bytes(sizeof(struct elf_prpsinfo)) +
                   note_bytes(core->auxv_bytes) + note_bytes(files_bytes(core));

    if (has_signal(core))
        bytes +=
            note_bytes(sizeof(siginfo_t)) + note_bytes(sizeof(elf_fpregset_t));
    return bytes;
}

/* The notes of the thread follow its status. */
static void put_notes(struct core *core)
{
    elf_fpregset_t fp;

    put_status(core);
    if (has_signal(core)) {
        moat_arch_core_fpregs(record_of(core)->fpu, &fp);
        put_note(core, NT_FPREGSET, &fp, sizeof fp);
        put_signal(core);
    }
    put_process(core);
    put_note(core, NT_AUXV, core->auxv, core->auxv_bytes);
    put_files(core);
}

/* --- headers ------------------------------------------------------------- */

static size_t headers_bytes(const struct core *core)
{
    return sizeof(Elf64_Ehdr) + (core->part_count + 1) * sizeof(Elf64_Phdr);
}

static void put_header(struct core *core)
{
    Elf64_Ehdr header;

    memset(&header, 0, sizeof header);
    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_CORE;
    header.e_machine = MOAT_ARCH_ELF_MACHINE;
    header.e_version = EV_CURRENT;
    header.e_phoff = sizeof header;
    header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = (Elf64_Half)(core->part_count + 1);
    moat_core_put(core, &header, sizeof header);
}

/* Alignment 1: parts are neither whole pages nor at offsets of pages. */
static void put_part_headers(struct core *core)
{
    Elf64_Off offset = headers_bytes(core);
    Elf64_Phdr header = {.p_type = PT_NOTE,
                         .p_offset = offset,
                         .p_filesz = notes_bytes(core),
                         .p_align = 4};

    moat_core_put(core, &header, sizeof header);
    offset += header.p_filesz;
    for (size_t i = 0; i < core->part_count; i++) {
        const struct core_part *part = &core->parts[i];

        header = (Elf64_Phdr){.p_type = PT_LOAD,
                              .p_flags = PF_R | PF_W,
                              .p_offset = offset,
                              .p_vaddr = part->start,
                              .p_filesz = part->end - part->start,
                              .p_memsz = part->end - part->start,
                              .p_align = 1};
        moat_core_put(core, &header, sizeof header);
        offset += header.p_filesz;
    }
}

/* --- the whole ----------------------------------------------------------- */

static moat_status write_core(struct core *core)
{
    put_header(core);
    put_part_headers(core);
    put_notes(core);
    moat_core_put_memory(core);
    moat_core_finish(core);
    return core->status;
}

static moat_status fill_in(struct core *core)
{
    moat_regs resumer;
    moat_status status;

    moat_live_resumer(core->co, core->from_sp, &resumer);
    core->control = core->co->control;
    moat_arch_core_resumer(&core->control, &resumer);
    status =
        moat_process_vector(core->auxv, sizeof core->auxv, &core->auxv_bytes);
    if (status == MOAT_OK)
        moat_core_collect(core);
    return status == MOAT_OK ? core->status : status;
}

static moat_status map_and_write(const struct co *co, int fd, uintptr_t from_sp)
{
    struct core *core = mmap(NULL, sizeof *core, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    moat_status status;
    int error;

    if (core == MAP_FAILED)
        return MOAT_E_NOMEM;
    core->co = co;
    core->fd = fd;
    core->pagemap = moat_pagemap_open();
    core->takes_holes = moat_file_takes_holes(fd);
    core->pid = getpid();
    core->from_sp = from_sp;
    core->status = MOAT_OK;
    status = fill_in(core);
    if (status == MOAT_OK)
        status = write_core(core);
    error = errno;
    if (core->pagemap >= 0)
        moat_pagemap_close(core->pagemap);
    (void)munmap(core, sizeof *core);
    errno = error;
    return status;
}

__attribute__((noinline)) moat_status moat_co_write_core(const moat_co *handle,
                                                         int fd)
{
    const struct co *co = co_of(handle);
    uintptr_t from_sp = MOAT_CALLER_SP;
    moat_status status;

    if (co == NULL || fd < 0)
        return co == NULL
                   ? moat_refuse(MOAT_E_INVAL, "co is NULL")
                   : moat_refuse_value(MOAT_E_INVAL, "fd is %d: no descriptor",
                                       (uint64_t)fd);
    if (!MOAT_ARCH_KNOWS_REGISTERS)
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "without a port to this CPU, core files cannot "
                           "name its registers");
    if (handle->state != MOAT_MARK_TRAPPED)
        return MOAT_E_STATE;
    status = moat_co_check_owner(co);
    if (status == MOAT_OK)
        status = moat_bring(co);
    if (status == MOAT_OK)
        status = moat_room_begin(MOAT_STACK_FOR_WALK);
    if (status != MOAT_OK)
        return status;
    status = map_and_write(co, fd, from_sp);
    moat_nointr_end();
    return status;
}
