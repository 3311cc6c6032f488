/*
 * post_mortem.c: an ELF core file of one trapped coroutine (elf(5), core(5);
 * fs/binfmt_elf.c of Linux for the notes).
 *
 *   ELF header | program headers | notes | parts of the memory
 *
 * The one thread of the core stands where the guest trapped. Its resumer has
 * gone on since, so the guest's control record, by which a debugger finds the
 * resumer's frame, goes in as a copy that leads to the frame as it is now; or,
 * if that is gone, nowhere.
 *
 * Written front to back from fixed structs, not by libelf: that one allocates,
 * keeps the file in memory until it is complete, and cannot write to a pipe.
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
#include "engine/core.h"
#include "stack/size.h"

/* --- what is written ----------------------------------------------------- */

static void flush(struct core *core)
{
    if (core->status == MOAT_OK)
        core->status = moat_write_all(core->fd, core->buffer, core->used);
    core->used = 0;
}

static void put(struct core *core, const void *from, size_t bytes)
{
    const unsigned char *at = from;

    while (bytes > 0) {
        size_t room = sizeof core->buffer - core->used;
        size_t some = bytes < room ? bytes : room;

        memcpy(core->buffer + core->used, at, some);
        core->used += some;
        at += some;
        bytes -= some;
        if (core->used == sizeof core->buffer)
            flush(core);
    }
}

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

    put(core, from, bytes);
    put(core, zeros, aligned(bytes) - bytes);
}

static void put_note_header(struct core *core, unsigned type, size_t bytes)
{
    Elf64_Nhdr header = {sizeof note_name, (Elf64_Word)bytes, type};

    put(core, &header, sizeof header);
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
    return moat_trap_record_of(&core->co->activation);
}

/* A trap without a signal was raised by a call: there is nothing of the
 * floating point then, and no signal to tell of. */
static bool has_signal(const struct core *core)
{
    return record_of(core)->signo != 0;
}

static void put_status(struct core *core)
{
    const struct moat_trap_record *record = record_of(core);
    struct elf_prstatus status;

    memset(&status, 0, sizeof status);
    status.pr_info.si_signo = record->signo;
    status.pr_info.si_code = record->code;
    status.pr_cursig = (short)record->signo;
    status.pr_pid = gettid();
    status.pr_ppid = getppid();
    status.pr_pgrp = getpgrp();
    status.pr_sid = getsid(0);
    moat_arch_core_regs(&record->regs, status.pr_reg);
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
    /* Without it the file is as good. */
    (void)moat_proc_read("/proc/self/cmdline", process.pr_psargs,
                         sizeof process.pr_psargs - 1, &bytes);
    while (bytes > 0 && process.pr_psargs[bytes - 1] == '\0')
        bytes--;
    for (size_t i = 0; i < bytes; i++) {
        if (process.pr_psargs[i] == '\0')
            process.pr_psargs[i] = ' ';
    }
    put_note(core, NT_PRPSINFO, &process, sizeof process);
}

/* The kernel gives the address of the instruction where there is no other. */
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
    uint64_t head[2] = {core->file_count, MOAT_PAGE_BYTES};
    size_t bytes = files_bytes(core);

    put_note_header(core, NT_FILE, bytes);
    put(core, head, sizeof head);
    put(core, core->files, core->file_count * sizeof core->files[0]);
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

/* The thread's own follow its status. */
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
    header.e_machine = moat_arch_core_machine;
    header.e_version = EV_CURRENT;
    header.e_phoff = sizeof header;
    header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = (Elf64_Half)(core->part_count + 1);
    put(core, &header, sizeof header);
}

/* Parts are neither whole pages nor at page offsets: alignment 1 says so. */
static void put_part_headers(struct core *core)
{
    Elf64_Off offset = headers_bytes(core);
    Elf64_Phdr header = {.p_type = PT_NOTE,
                         .p_offset = offset,
                         .p_filesz = notes_bytes(core),
                         .p_align = 4};

    put(core, &header, sizeof header);
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
        put(core, &header, sizeof header);
        offset += header.p_filesz;
    }
}

/* --- memory -------------------------------------------------------------- */

/* Where a copy holds the guest's control record, puts the file's. */
static void patch(const struct core *core, unsigned char *copy, uintptr_t start,
                  size_t bytes)
{
    uintptr_t at = (uintptr_t)core->co;
    const unsigned char *control = (const unsigned char *)&core->control;

    for (size_t i = 0; i < sizeof core->control; i++) {
        if (at + i - start < bytes)
            copy[at + i - start] = control[i];
    }
}

static void put_part(struct core *core, const struct core_part *part)
{
    uintptr_t at = part->start;

    while (at < part->end && core->status == MOAT_OK) {
        size_t bytes = sizeof core->buffer - core->used;

        if (part->end - at < bytes)
            bytes = part->end - at;
        (void)moat_core_read(core, at, core->buffer + core->used, bytes);
        patch(core, core->buffer + core->used, at, bytes);
        core->used += bytes;
        at += bytes;
        if (core->used == sizeof core->buffer)
            flush(core);
    }
}

static moat_status write_core(struct core *core)
{
    put_header(core);
    put_part_headers(core);
    put_notes(core);
    for (size_t i = 0; i < core->part_count; i++)
        put_part(core, &core->parts[i]);
    flush(core);
    return core->status;
}

/* --- the whole ----------------------------------------------------------- */

static moat_status fill_in(struct core *core)
{
    moat_regs resumer;
    moat_status status =
        moat_backtrace_resumer(core->co, core->from_sp, &resumer);

    if (status != MOAT_OK)
        return status;
    core->control = core->co->activation.co;
    moat_arch_core_resumer(&core->control, &resumer);
    status = moat_proc_read("/proc/self/auxv", core->auxv, sizeof core->auxv,
                            &core->auxv_bytes);
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
    core->pid = getpid();
    core->from_sp = from_sp;
    core->status = MOAT_OK;
    status = fill_in(core);
    if (status == MOAT_OK)
        status = write_core(core);
    error = errno;
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
        return MOAT_E_INVAL;
    if (handle->state != MOAT_MARK_TRAPPED)
        return MOAT_E_STATE;
    status = moat_co_check_owner(co);
    if (status == MOAT_OK)
        status = moat_hold_begin(MOAT_HOLD_UNWIND_BYTES);
    if (status != MOAT_OK)
        return status;
    status = map_and_write(co, fd, from_sp);
    moat_hold_end();
    return status;
}
