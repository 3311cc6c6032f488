/*
 * test_post_mortem.c: the core file of one guest, read back: its contents, the
 * memory it omits, and every way in which writing it can fail. tests/debugger
 * tests what debuggers make of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "../support/frame.h"
#include "../support/inject.h"
#include "../support/resume_far.h"
#include "guests.h"

#define PAGE     ((size_t)4096)
#define RED_ZONE 128
#define MAX_RUNS 2000

/* The size of each further coroutine, apart from its stack in use: its entry,
 * two program headers, a name, and its record if it has trapped. */
#define EACH_BYTES ((size_t)2048)

/* ---- A core file in memory ---- */

struct file {
    unsigned char *bytes;
    size_t size;
    const Elf64_Ehdr *header;
    const Elf64_Phdr *parts;
};

static void expect_sound(const struct file *file)
{
    size_t end =
        sizeof *file->header + file->header->e_phnum * sizeof *file->parts;
    uint64_t last = 0;

    EXPECT(memcmp(file->bytes, ELFMAG, SELFMAG) == 0);
    EXPECT_EQ(file->header->e_type, ET_CORE);
    EXPECT_EQ(file->header->e_machine, EM_X86_64);
    EXPECT_EQ(file->parts[0].p_type, PT_NOTE);
    for (unsigned i = 0; i < file->header->e_phnum; i++) {
        EXPECT_EQ(file->parts[i].p_offset, end);
        end += file->parts[i].p_filesz;
        if (i == 0)
            continue;
        EXPECT_EQ(file->parts[i].p_type, PT_LOAD);
        EXPECT_EQ(file->parts[i].p_memsz, file->parts[i].p_filesz);
        EXPECT(file->parts[i].p_vaddr >= last);
        last = file->parts[i].p_vaddr + file->parts[i].p_memsz;
    }
    EXPECT_EQ(file->size, end);
}

static void read_back(int fd, struct file *file)
{
    struct stat status;

    REQUIRE(fstat(fd, &status) == 0 &&
            status.st_size > (off_t)sizeof(Elf64_Ehdr));
    file->size = (size_t)status.st_size;
    file->bytes = mmap(NULL, file->size, PROT_READ, MAP_SHARED, fd, 0);
    REQUIRE(file->bytes != MAP_FAILED);
    (void)close(fd);
    file->header = (const void *)file->bytes;
    file->parts = (const void *)(file->bytes + file->header->e_phoff);
    expect_sound(file);
}

static void take(const moat_co *co, struct file *file)
{
    int fd = memfd_create("core", MFD_CLOEXEC);

    REQUIRE(fd >= 0);
    EXPECT_EQ(moat_co_write_core(co, fd), MOAT_OK);
    read_back(fd, file);
}

static void drop(struct file *file)
{
    (void)munmap(file->bytes, file->size);
}

/* Returns the file's copy of that memory; NULL if it is not complete. */
static const void *found(const struct file *file, const void *at, size_t bytes)
{
    uintptr_t address = (uintptr_t)at;

    for (unsigned i = 1; i < file->header->e_phnum; i++) {
        const Elf64_Phdr *part = &file->parts[i];

        if (address >= part->p_vaddr &&
            address + bytes <= part->p_vaddr + part->p_filesz)
            return file->bytes + part->p_offset + (address - part->p_vaddr);
    }
    return NULL;
}

/* Also reads other stacks, which a sanitizer would not allow. */
__attribute__((no_sanitize("address"))) static bool
has_same(const struct file *file, const void *at, size_t bytes)
{
    const volatile unsigned char *copy = found(file, at, bytes);
    const volatile unsigned char *memory = at;

    for (size_t i = 0; copy != NULL && i < bytes; i++) {
        if (copy[i] != memory[i])
            return false;
    }
    return copy != NULL;
}

/* Returns the contents of a note, or NULL if there is none. */
static const void *note(const struct file *file, unsigned type, size_t *bytes)
{
    const unsigned char *at = file->bytes + file->parts[0].p_offset;
    const unsigned char *end = at + file->parts[0].p_filesz;

    while (at < end) {
        const Elf64_Nhdr *header = (const void *)at;
        const unsigned char *contents =
            at + sizeof *header + (header->n_namesz + 3) / 4 * 4;

        if (header->n_type == type) {
            *bytes = header->n_descsz;
            return contents;
        }
        at = contents + (header->n_descsz + 3) / 4 * 4;
    }
    return NULL;
}

/* ---- Guests ---- */

/* Faults with known registers of each kind, at a known address. */
static void *fault_with_registers(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movq %0, %%r12\n\t"
                     "movq %%r12, %%xmm5\n\t"
                     "fldpi\n\t"
                     "movl $1, (%1)"
                     :
                     : "r"((uint64_t)0x1122334455667788), "r"((void *)0x20)
                     : "r12", "xmm5", "memory");
    return input;
}

static void *raise_trap(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    moat_trap_raise(7);
}

static void *divide(moat_co *self, void *input)
{
    int result;

    (void)self;
    __asm__ volatile("xorl %%ecx, %%ecx\n\t"
                     "movl $1, %%eax\n\t"
                     "cltd\n\t"
                     "idivl %%ecx"
                     : "=a"(result)
                     :
                     : "ecx", "edx", "cc");
    return input;
}

static void *yield_once(moat_co *self, void *input)
{
    return moat_co_yield(self, input);
}

static moat_co *trapped(moat_entry entry)
{
    moat_co *co = guest_create(entry);

    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_TRAP);
    return co;
}

/* ---- The contents ---- */

static void the_thread_stands_at_the_fault(const void *arg)
{
    moat_co *co = trapped(fault_with_registers);
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    const struct user_regs_struct *regs;
    const struct user_fpregs_struct *fp;
    const struct elf_prstatus *status;
    const siginfo_t *signal;
    struct file file;
    uint64_t word;
    size_t bytes;

    (void)arg;
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    take(co, &file);
    status = note(&file, NT_PRSTATUS, &bytes);
    REQUIRE(status != NULL && bytes == sizeof *status);
    EXPECT_EQ(status->pr_cursig, SIGSEGV);
    EXPECT_EQ(status->pr_pid, gettid());
    regs = (const void *)status->pr_reg;
    EXPECT_EQ(regs->rip, info.pc);
    EXPECT_EQ(regs->rsp, info.sp);
    EXPECT_EQ(regs->rbp, info.fp);
    EXPECT_EQ(regs->r12, 0x1122334455667788);
    EXPECT_EQ(regs->rbx, info.regs->rbx);
    EXPECT_EQ(regs->r15, info.regs->r15);
    EXPECT_EQ(regs->eflags, info.regs->flags);
    fp = note(&file, NT_FPREGSET, &bytes);
    REQUIRE(fp != NULL && bytes == sizeof *fp);
    memcpy(&word, (const char *)fp->xmm_space + (size_t)5 * 16, sizeof word);
    EXPECT_EQ(word, 0x1122334455667788);
    memcpy(&word, fp->st_space, sizeof word);
    EXPECT_EQ(word, 0xc90fdaa22168c235); /* pi */
    EXPECT_EQ(fp->mxcsr, info.regs->mxcsr);
    EXPECT_EQ(fp->cwd, info.regs->fcw);
    signal = note(&file, NT_SIGINFO, &bytes);
    REQUIRE(signal != NULL && bytes == sizeof *signal);
    EXPECT_EQ(signal->si_signo, SIGSEGV);
    EXPECT_EQ(signal->si_code, SEGV_MAPERR);
    EXPECT_EQ((uintptr_t)signal->si_addr, 0x20);
    drop(&file);
    moat_co_destroy(co);
}

static void an_arithmetic_fault_is_at_its_instruction(const void *arg)
{
    moat_co *co = trapped(divide);
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    const siginfo_t *signal;
    struct file file;
    size_t bytes;

    (void)arg;
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    take(co, &file);
    signal = note(&file, NT_SIGINFO, &bytes);
    REQUIRE(signal != NULL);
    EXPECT_EQ(signal->si_signo, SIGFPE);
    EXPECT_EQ((uintptr_t)signal->si_addr, info.pc);
    drop(&file);
    moat_co_destroy(co);
}

static void a_trap_without_a_signal_tells_of_none(const void *arg)
{
    moat_co *co = trapped(raise_trap);
    const struct elf_prstatus *status;
    struct file file;
    size_t bytes;

    (void)arg;
    take(co, &file);
    status = note(&file, NT_PRSTATUS, &bytes);
    REQUIRE(status != NULL);
    EXPECT_EQ(status->pr_cursig, 0);
    EXPECT(note(&file, NT_SIGINFO, &bytes) == NULL);
    EXPECT(note(&file, NT_FPREGSET, &bytes) == NULL);
    drop(&file);
    moat_co_destroy(co);
}

static void *abort_here(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    abort();
}

static void an_abort_names_its_sender(const void *arg)
{
    moat_co *co = trapped(abort_here);
    const siginfo_t *signal;
    struct file file;
    size_t bytes;

    (void)arg;
    take(co, &file);
    signal = note(&file, NT_SIGINFO, &bytes);
    REQUIRE(signal != NULL);
    EXPECT_EQ(signal->si_signo, SIGABRT);
    EXPECT_EQ(signal->si_pid, getpid());
    drop(&file);
    moat_co_destroy(co);
}

static const char *expected_files(const struct file *file)
{
    size_t bytes;
    const char *contents = note(file, NT_FILE, &bytes);
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path);

    REQUIRE(contents != NULL && length > 0);
    return memmem(contents, bytes, path, (size_t)length);
}

static int initialised[2] = {42, 43};
static int zeroed[2];

static void the_core_names_the_process(const void *arg)
{
    moat_co *co = trapped(guest_write_null);
    const struct elf_prpsinfo *process;
    struct file file;
    size_t bytes;

    (void)arg;
    zeroed[1] = 44;
    take(co, &file);
    process = note(&file, NT_PRPSINFO, &bytes);
    REQUIRE(process != NULL && bytes == sizeof *process);
    EXPECT_STR(process->pr_fname, "fault_post_mort"); /* 15 characters */
    EXPECT(strstr(process->pr_psargs, "fault_post_mortem") != NULL);
    EXPECT_EQ(process->pr_pid, getpid());
    EXPECT(note(&file, NT_AUXV, &bytes) != NULL && bytes % 16 == 0);
    EXPECT(expected_files(&file) != NULL);
    EXPECT(has_same(&file, initialised, sizeof initialised));
    EXPECT(has_same(&file, zeroed, sizeof zeroed));
    EXPECT(has_same(&file, &stderr, sizeof stderr)); /* the C library's */
    EXPECT(has_same(&file, &errno, sizeof errno));   /* the thread's */
    drop(&file);
    moat_co_destroy(co);
}

static void other_coroutines_are_in_with_what_they_use(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *waiting, *broken = trapped(divide), *fresh, *co;
    moat_stack_info stack;
    struct file file;

    (void)arg;
    options.name = "a name to be found";
    REQUIRE(moat_co_create(&waiting, yield_once, &options) == MOAT_OK);
    EXPECT_EQ(guest_resume(waiting, NULL).kind, MOAT_EVENT_YIELD);
    fresh = guest_create(yield_once);
    co = trapped(guest_write_null);
    take(co, &file);
    EXPECT(has_same(&file, waiting, sizeof *waiting));
    EXPECT(has_same(&file, moat_co_name(waiting), sizeof "a name to be found"));
    EXPECT(has_same(&file, (void *)(waiting->sp - RED_ZONE), RED_ZONE));
    EXPECT_EQ(moat_co_stack_info(waiting, &stack), MOAT_OK);
    EXPECT(has_same(&file, (void *)(stack.base - stack.used), stack.used));
    EXPECT(has_same(&file, (void *)fresh->sp, 16));
    EXPECT_EQ(moat_co_stack_info(broken, &stack), MOAT_OK);
    EXPECT(has_same(&file, (char *)stack.base - stack.used, stack.used));
    drop(&file);
    moat_co_destroy(co);
    moat_co_destroy(fresh);
    moat_co_destroy(broken);
    moat_co_destroy(waiting);
}

/* The text must not occur anywhere else in memory. */
static void fill_with_secret(char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        text[i] = (char)('A' + (i * i + 7 * i) % 26);
}

static void the_heap_is_not_in_it(const void *arg)
{
    moat_co *co = trapped(guest_write_null);
    char *volatile secret = malloc(100);
    struct file file;

    (void)arg;
    REQUIRE(secret != NULL);
    fill_with_secret(secret, 100);
    take(co, &file);
    EXPECT(found(&file, secret, 1) == NULL);
    EXPECT(memmem(file.bytes, file.size, secret, 100) == NULL);
    drop(&file);
    free(secret);
    moat_co_destroy(co);
}

/* ---- The resumer ---- */

/* From the file's copy of the record, the frames after the root can be found as
 * in a backtrace, if the function that resumed is still active. */
static void expect_linked(const struct file *file, const moat_co *co,
                          bool lives)
{
    moat_frame frames[64];
    size_t count = 0, root = 0;
    const moat_co *copy = found(file, co, sizeof *co);

    REQUIRE(copy != NULL);
    if (moat_co_backtrace(co, frames, 64, &count) == MOAT_E_UNSUPPORTED)
        return;
    while (root < count && !(frames[root].flags & MOAT_FRAME_ROOT))
        root++;
    REQUIRE(root < count);
    EXPECT_EQ(root + 1 < count, lives);
    if (root + 1 == count) {
        EXPECT_EQ(copy->resumer_pc, 0);
        EXPECT_EQ(copy->resumer_sp, 0);
        return;
    }
    EXPECT_EQ(copy->resumer_pc, frames[root + 1].pc);
    EXPECT_EQ(copy->resumer_sp, frames[root + 1].sp);
    EXPECT(found(file, (void *)copy->resumer_sp, 16) != NULL);
}

static __attribute__((noinline)) void write_further_down(const moat_co *co,
                                                         struct file *file)
{
    volatile char room[3000];

    room[0] = 1;
    take(co, file);
    room[2999] = room[0];
    KEEP_FRAME();
}

typedef moat_status resume_call(moat_co *, void *, moat_event *);

static __attribute__((noinline)) void expect_link_by(resume_call *resume,
                                                     moat_co *co)
{
    struct file file;
    moat_event event;

    EXPECT_EQ(resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    write_further_down(co, &file);
    expect_linked(&file, co, true);
    drop(&file);
    moat_co_destroy(co);
}

static void the_resumer_is_found_however_it_resumed(const void *arg)
{
    moat_co *co = guest_create(guest_write_null);
    struct file file;

    (void)arg;
    (void)guest_resume(co, NULL); /* inline, in a function that returned */
    take(co, &file);
    expect_linked(&file, co, false);
    drop(&file);
    moat_co_destroy(co);
    expect_link_by(resume_far, guest_create(guest_write_null));
    expect_link_by(moat_co_resume_slow, guest_create(guest_write_null));
    expect_link_by(resume_far,
                   guest_create_limited(guest_write_null, 100 * MS, 0));
}

/* On a guest's stack, in the middle of a chain. */
static void *resume_and_write(moat_co *self, void *input)
{
    moat_co *co = guest_create(guest_write_null);
    moat_event event;
    struct file file;

    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    write_further_down(co, &file);
    expect_linked(&file, co, true);
    /* Its flags record that it was in a call of the library. */
    EXPECT(has_same(&file, self, offsetof(struct moat_co, flags)));
    EXPECT(found(&file, (void *)self->resumer_sp, 16) != NULL);
    drop(&file);
    moat_co_destroy(co);
    return input;
}

static void a_guest_writes_one_of_its_guest(const void *arg)
{
    moat_co *co = guest_create_on(resume_and_write, (size_t)256 << 10);

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static void *write_on_little(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(moat_co_write_core(input, STDERR_FILENO), MOAT_E_LIMIT);
    return input;
}

/* A stack with just enough room for the call suffices. */
static void *write_on_enough(moat_co *self, void *input)
{
    volatile char *bottom = __builtin_alloca((size_t)111 << 10);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)self;
    bottom[0] = 1;
    EXPECT_EQ(moat_co_write_core(input, null), MOAT_OK);
    (void)close(null);
    return input;
}

static void too_little_stack_is_refused(const void *arg)
{
    moat_co *co = trapped(guest_write_null);
    moat_co *little = guest_create_on(write_on_little, (size_t)4 << 10);
    moat_co *enough = guest_create_on(write_on_enough, (size_t)128 << 10);

    (void)arg;
    EXPECT_EQ(guest_resume(little, co).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(guest_resume(enough, co).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(enough);
    moat_co_destroy(little);
    moat_co_destroy(co);
}

static void it_can_be_written_again(const void *arg)
{
    moat_co *co = trapped(guest_write_null);
    moat_co before = *co;
    struct file first, second;

    (void)arg;
    take(co, &first);
    drop(&first);
    take(co, &second);
    EXPECT_EQ(first.size, second.size);
    EXPECT(memcmp(&before, co, sizeof before) == 0); /* unchanged */
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_TRAP);
    drop(&second);
    moat_co_destroy(co);
}

/* ---- Memory that cannot be read ---- */

static void what_cannot_be_read_is_left_out(const void *arg)
{
    moat_co *co = trapped(guest_write_null);
    int fd = memfd_create("module", MFD_CLOEXEC);
    char *data;
    struct file file;

    (void)arg;
    /* Mapped like a library's data: private, writable, not from the file's
     * start. */
    REQUIRE(fd >= 0 && ftruncate(fd, (off_t)(4 * PAGE)) == 0);
    data = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
                (off_t)PAGE);
    REQUIRE(data != MAP_FAILED);
    data[0] = 'x';
    REQUIRE(ftruncate(fd, (off_t)(2 * PAGE)) == 0);
    take(co, &file);
    EXPECT(has_same(&file, data, PAGE));
    EXPECT(found(&file, data + PAGE, 1) == NULL);
    EXPECT(found(&file, data + 2 * PAGE, 1) == NULL);
    drop(&file);
    moat_co_destroy(co);
}

static void *lose_the_stack_pointer(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movq $0x1000, %%rsp\n\t"
                     "pushq $0"
                     :
                     :
                     : "memory");
    return input;
}

static void a_lost_stack_pointer_leaves_the_whole_stack(const void *arg)
{
    moat_co *co = trapped(lose_the_stack_pointer);
    moat_stack_info stack;
    struct file file;

    (void)arg;
    EXPECT_EQ(moat_co_stack_info(co, &stack), MOAT_OK);
    take(co, &file);
    EXPECT(has_same(&file, (void *)stack.limit, stack.base - stack.limit));
    EXPECT(found(&file, (char *)stack.limit - 1, 1) == NULL);
    drop(&file);
    moat_co_destroy(co);
}

/* ---- Size ---- */

#define MANY 2000

static void it_grows_by_what_is_in_use(const void *arg)
{
    moat_co *co = trapped(guest_write_null);
    static moat_co *others[MANY];
    size_t used = 0;
    struct file alone, crowd;

    (void)arg;
    take(co, &alone);
    for (size_t i = 0; i < MANY; i++) {
        moat_stack_info stack;

        others[i] = guest_create(yield_once);
        EXPECT_EQ(guest_resume(others[i], NULL).kind, MOAT_EVENT_YIELD);
        EXPECT_EQ(moat_co_stack_info(others[i], &stack), MOAT_OK);
        used += stack.used;
    }
    take(co, &crowd);
    EXPECT(crowd.size <= alone.size + used + MANY * EACH_BYTES);
    EXPECT(has_same(&crowd, (void *)others[MANY - 1]->sp, 16));
    for (size_t i = 0; i < MANY; i++)
        moat_co_destroy(others[i]);
    drop(&alone);
    drop(&crowd);
    moat_co_destroy(co);
}

#define LARGE ((size_t)40 << 20)

static void *use_much(moat_co *self, void *input)
{
    volatile char *room = __builtin_alloca(LARGE);

    room[0] = 1;
    (void)moat_co_yield(self, input);
    return (void *)(uintptr_t)room[0];
}

/* Together they exceed the bound for other stacks; only the first is
 * included. */
static void other_stacks_are_bounded(const void *arg)
{
    moat_co *co = trapped(guest_write_null);
    moat_co *first = guest_create_on(use_much, LARGE + ((size_t)1 << 20));
    moat_co *second = guest_create_on(use_much, LARGE + ((size_t)1 << 20));
    struct file file;

    (void)arg;
    EXPECT_EQ(guest_resume(first, NULL).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(guest_resume(second, NULL).kind, MOAT_EVENT_YIELD);
    take(co, &file);
    EXPECT(found(&file, (void *)first->sp, 16) != NULL);
    EXPECT(found(&file, (void *)second->sp, 16) == NULL);
    EXPECT(has_same(&file, second, sizeof *second));
    EXPECT(file.size < LARGE + LARGE / 2);
    drop(&file);
    moat_co_destroy(second);
    moat_co_destroy(first);
    moat_co_destroy(co);
}

/* More segments than a file may have: each coroutine has a stack and a name. */
#define TOO_MANY 33000

static void the_list_of_coroutines_is_complete(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = trapped(guest_write_null), *first = NULL, *last = NULL;
    struct file file;

    (void)arg;
    options.name = "a name";
    options.stack_bytes = (size_t)16 << 10;
    for (size_t i = 0; i < TOO_MANY; i++) {
        moat_status status = moat_co_create(&last, yield_once, &options);

        /* With PROT_NONE guards, so many are not possible. */
        if (status == MOAT_E_GUARD_LIMIT || status == MOAT_E_NOMEM)
            return;
        REQUIRE(status == MOAT_OK);
        first = first != NULL ? first : last;
    }
    take(co, &file);
    EXPECT(file.header->e_phnum <= 65001);
    EXPECT(has_same(&file, first, sizeof *first));
    EXPECT(has_same(&file, last, sizeof *last));
    EXPECT(found(&file, (void *)first->sp, 16) == NULL);
    EXPECT(found(&file, (void *)last->sp, 16) != NULL);
    drop(&file);
}

/* ---- Stacks of which little has been touched ---- */

#define GIANT ((size_t)1 << 30)

/* Touches a page in the middle of its stack, and loses the stack pointer. */
static void *touch_the_middle(moat_co *self, void *input)
{
    moat_stack_info stack;

    EXPECT_EQ(moat_stack_bounds(&stack), MOAT_OK);
    *(volatile char *)(stack.base - GIANT / 2) = 'm';
    return lose_the_stack_pointer(self, input);
}

static moat_co *trapped_giant(moat_stack_info *stack)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;

    options.stack_bytes = GIANT;
    if (moat_co_create(&co, touch_the_middle, &options) != MOAT_OK)
        child_leave_out("no address space");
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_stack_info(co, stack), MOAT_OK);
    return co;
}

/* In KiB, its page tables included. */
static size_t memory_in_use(void)
{
    static const char *const names[] = {"VmRSS:", "VmPTE:", "VmSwap:"};
    char text[4096] = "";
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    size_t sum = 0;

    REQUIRE(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
    (void)close(fd);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *line = strstr(text, names[i]);

        REQUIRE(line != NULL);
        sum += strtoul(line + strlen(names[i]), NULL, 10);
    }
    return sum;
}

static size_t blocks_of(int fd)
{
    struct stat status;

    REQUIRE(fstat(fd, &status) == 0);
    return (size_t)status.st_blocks * 512;
}

/* The whole stack is in the file, of which only what was touched takes room. */
static void expect_sparse(int fd, const moat_stack_info *stack)
{
    const char *middle = (char *)stack->base - GIANT / 2;
    char page[PAGE] = "";
    struct file file;
    const char *copy;

    EXPECT(blocks_of(fd) < GIANT / 16);
    read_back(fd, &file);
    EXPECT(file.size > GIANT);
    copy = found(&file, (void *)stack->limit, stack->base - stack->limit);
    REQUIRE(copy != NULL);
    EXPECT(copy[middle - (char *)stack->limit] == 'm');
    EXPECT(memcmp(copy + GIANT / 4 / PAGE * PAGE, page, PAGE) == 0);
    drop(&file);
}

static void untouched_memory_is_not_read_and_takes_no_room(const void *arg)
{
    moat_stack_info stack;
    moat_co *co = trapped_giant(&stack);
    int fd = memfd_create("core", MFD_CLOEXEC);
    size_t before;

    (void)arg;
    before = memory_in_use();
    EXPECT_EQ(moat_co_write_core(co, fd), MOAT_OK);
    EXPECT(memory_in_use() < before + 1024);
    expect_sparse(fd, &stack);
    moat_co_destroy(co);
}

/* Then all of it is read, but zeros take no room either. */
static void without_a_page_map_the_file_is_sparse_too(const void *arg)
{
    moat_stack_info stack;
    moat_co *co = trapped_giant(&stack);
    int fd = memfd_create("core", MFD_CLOEXEC);

    (void)arg;
    inject_arm(2, false); /* after the mapping of moat's own */
    EXPECT_EQ(moat_co_write_core(co, fd), MOAT_OK);
    (void)inject_disarm();
    EXPECT_STR(inject_victim(), "open");
    expect_sparse(fd, &stack);
    moat_co_destroy(co);
}

/* Touches some pages of its stack, further and further apart. */
static void *touch_some_pages(moat_co *self, void *input)
{
    moat_stack_info stack;

    EXPECT_EQ(moat_stack_bounds(&stack), MOAT_OK);
    for (size_t at = 4 * PAGE; at < (stack.base - stack.limit) / 2; at *= 2)
        *(volatile char *)(stack.base - at) = 'm';
    return lose_the_stack_pointer(self, input);
}

/* A file that already has bytes there, and one that is only appended to, get
 * zeros instead of holes. */
static void old_bytes_do_not_show_through(const void *arg)
{
    static unsigned char old[(size_t)4 << 20];
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    struct file file;
    moat_stack_info stack;
    moat_co *co;

    (void)arg;
    options.stack_bytes = (size_t)2 << 20;
    REQUIRE(moat_co_create(&co, touch_some_pages, &options) == MOAT_OK);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_stack_info(co, &stack), MOAT_OK);
    memset(old, 0xff, sizeof old);
    for (int append = 0; append < 2; append++) {
        int fd = memfd_create("core", MFD_CLOEXEC);

        REQUIRE(fd >= 0);
        if (append)
            REQUIRE(fcntl(fd, F_SETFL, O_APPEND) == 0);
        else
            REQUIRE(pwrite(fd, old, sizeof old, 0) == sizeof old);
        expect_context("append %d", append);
        EXPECT_EQ(moat_co_write_core(co, fd), MOAT_OK);
        if (!append)
            REQUIRE(ftruncate(fd, lseek(fd, 0, SEEK_CUR)) == 0);
        read_back(fd, &file);
        EXPECT(has_same(&file, (void *)stack.limit, stack.base - stack.limit));
        drop(&file);
    }
    moat_co_destroy(co);
}

/* ---- The file descriptors it can be written to ---- */

static int ends[2];
static size_t came;

static void *read_slowly(void *arg)
{
    static char bytes[3001];
    ssize_t got;

    while ((got = read(ends[0], bytes, sizeof bytes)) != 0) {
        if (got > 0)
            came += (size_t)got;
        (void)poll(NULL, 0, came % 7 == 0);
    }
    return arg;
}

static void tick(int signo)
{
    (void)signo;
}

/* Writes are short and interrupted. */
static void a_pipe_takes_it(const void *arg)
{
    const struct itimerval often = {{0, 500}, {0, 500}},
                           never = {{0, 0}, {0, 0}};
    struct sigaction action = {.sa_handler = tick}; /* no SA_RESTART */
    moat_co *co = trapped(guest_write_null);
    pthread_t reader;
    sigset_t alarm;
    struct file file;

    (void)arg;
    take(co, &file);
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    REQUIRE(sigaction(SIGALRM, &action, NULL) == 0);
    /* Only this thread receives the signal. */
    (void)sigemptyset(&alarm);
    (void)sigaddset(&alarm, SIGALRM);
    REQUIRE(pthread_sigmask(SIG_BLOCK, &alarm, NULL) == 0);
    REQUIRE(pthread_create(&reader, NULL, read_slowly, NULL) == 0);
    REQUIRE(pthread_sigmask(SIG_UNBLOCK, &alarm, NULL) == 0);
    (void)setitimer(ITIMER_REAL, &often, NULL);
    EXPECT_EQ(moat_co_write_core(co, ends[1]), MOAT_OK);
    (void)setitimer(ITIMER_REAL, &never, NULL);
    (void)close(ends[1]);
    REQUIRE(pthread_join(reader, NULL) == 0);
    /* Another thread's stack is not included; its file mapping may be. */
    EXPECT(came >= file.size / 2);
    drop(&file);
    moat_co_destroy(co);
}

static void one_that_cannot_be_written_says_so(const void *arg)
{
    moat_co *co = trapped(guest_write_null);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)arg;
    REQUIRE(full >= 0);
    errno = 0;
    EXPECT_EQ(moat_co_write_core(co, full), MOAT_E_SYSTEM);
    EXPECT_EQ(errno, ENOSPC);
    EXPECT_EQ(moat_co_write_core(co, 9999), MOAT_E_SYSTEM);
    EXPECT_EQ(errno, EBADF);
    EXPECT_EQ(moat_co_write_core(co, -1), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_TRAPPED);
    moat_co_destroy(co);
}

/* ---- Every call fails once ---- */

/* Names that begin with two underscores belong to the linker's --wrap. */
ssize_t __real_read(int fd, void *to, size_t bytes);
ssize_t __wrap_read(int fd, void *to, size_t bytes);
ssize_t __real_write(int fd, const void *from, size_t bytes);
ssize_t __wrap_write(int fd, const void *from, size_t bytes);
ssize_t __real_process_vm_readv(pid_t pid, const struct iovec *to,
                                unsigned long to_count,
                                const struct iovec *from,
                                unsigned long from_count, unsigned long flags);
ssize_t __wrap_process_vm_readv(pid_t pid, const struct iovec *to,
                                unsigned long to_count,
                                const struct iovec *from,
                                unsigned long from_count, unsigned long flags);

ssize_t __wrap_read(int fd, void *to, size_t bytes)
{
    return inject_fails("read", EIO) ? -1 : __real_read(fd, to, bytes);
}

ssize_t __wrap_write(int fd, const void *from, size_t bytes)
{
    return inject_fails("write", EIO) ? -1 : __real_write(fd, from, bytes);
}

ssize_t __wrap_process_vm_readv(pid_t pid, const struct iovec *to,
                                unsigned long to_count,
                                const struct iovec *from,
                                unsigned long from_count, unsigned long flags)
{
    return inject_fails("process_vm_readv", EPERM)
               ? -1
               : __real_process_vm_readv(pid, to, to_count, from, from_count,
                                         flags);
}

static int open_files(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)close(fd);
    return fd; /* the lowest that is free */
}

/* Makes the n-th call fail. Returns false if there was no n-th call. */
static bool survives_failure(const moat_co *co, unsigned n)
{
    int fd = memfd_create("core", MFD_CLOEXEC);
    long mapped = inject_live_mapped_bytes();
    moat_status status;
    unsigned calls;

    REQUIRE(fd >= 0);
    inject_arm(n, false);
    status = moat_co_write_core(co, fd);
    calls = inject_disarm();
    expect_context("call %u, %s", n, inject_victim());
    EXPECT_EQ(inject_live_mapped_bytes(), mapped);
    /* The core can do without one file only, that of the arguments. */
    if (status == MOAT_OK) {
        struct file file;

        read_back(fd, &file);
        drop(&file);
        return calls >= n;
    }
    EXPECT(status == MOAT_E_SYSTEM || status == MOAT_E_NOMEM);
    EXPECT_EQ(status == MOAT_E_NOMEM, strcmp(inject_victim(), "mmap") == 0);
    (void)close(fd);
    return true;
}

static void each_call_may_fail(const void *arg)
{
    moat_co *co = trapped(guest_write_null);
    struct file file;
    unsigned n = 1;
    int files;

    (void)arg;
    take(co, &file); /* fills the unwinder's caches */
    drop(&file);
    files = open_files();
    while (n < MAX_RUNS && survives_failure(co, n))
        n++;
    EXPECT(n > 20 && n < MAX_RUNS);
    EXPECT_EQ(open_files(), files);
    moat_co_destroy(co);
}

static const struct child_case cases[] = {
    CHILD_CASE(the_thread_stands_at_the_fault),
    CHILD_CASE(an_arithmetic_fault_is_at_its_instruction),
    CHILD_CASE(a_trap_without_a_signal_tells_of_none),
    CHILD_CASE(an_abort_names_its_sender),
    CHILD_CASE(the_core_names_the_process),
    CHILD_CASE(other_coroutines_are_in_with_what_they_use),
    CHILD_CASE(the_heap_is_not_in_it),
    CHILD_CASE(the_resumer_is_found_however_it_resumed),
    CHILD_CASE(a_guest_writes_one_of_its_guest),
    CHILD_CASE(too_little_stack_is_refused),
    CHILD_CASE(it_can_be_written_again),
    CHILD_CASE(what_cannot_be_read_is_left_out),
    CHILD_CASE(a_lost_stack_pointer_leaves_the_whole_stack),
    CHILD_CASE(it_grows_by_what_is_in_use),
    CHILD_CASE(other_stacks_are_bounded),
    {"the_list_of_coroutines_is_complete", the_list_of_coroutines_is_complete,
     NULL, UNDER_ASAN ? "the sanitizer's memory" : NULL, 0, 0},
    CHILD_CASE(untouched_memory_is_not_read_and_takes_no_room),
    CHILD_CASE(without_a_page_map_the_file_is_sparse_too),
    CHILD_CASE(old_bytes_do_not_show_through),
    CHILD_CASE(a_pipe_takes_it),
    CHILD_CASE(one_that_cannot_be_written_says_so),
    CHILD_CASE(each_call_may_fail),
};

int main(int argc, char **argv)
{
    return child_cases_run("the core of one guest", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
