/*
 * locks.c: the functions of the C library that hold a lock, or leave the
 * library's data half changed, while they run.
 *
 * Their addresses are looked up once, when nothing is held yet. After a trap
 * the question is a search in a table: whoever asks it may find malloc's lock
 * or the dynamic linker's in a dead guest's hands.
 *
 * A function's extent is that of its unwind information, which static programs
 * and replaced allocators have too. Many of these functions end in a jump to an
 * inner one, so that their own frame is gone while the lock is held: what they
 * jump to is looked up as well. Inner functions serve others too, which hold no
 * lock (vfprintf's serves snprintf): one that the C library itself has called
 * does not count, for then the frame of whoever was called from outside stands
 * there.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <stdlib.h>

#include "unwind/unwind.h"

/* clang-format off */
#define HEAP(X)                                                                \
    X(malloc) X(free) X(calloc) X(realloc) X(reallocarray) X(memalign)         \
    X(aligned_alloc) X(posix_memalign) X(valloc) X(pvalloc) X(malloc_trim)     \
    X(malloc_info) X(malloc_stats) X(mallinfo) X(mallinfo2) X(mallopt)

#define STDIO(X)                                                               \
    X(fopen) X(fopen64) X(fdopen) X(freopen) X(freopen64) X(fclose)            \
    X(fcloseall) X(fmemopen) X(open_memstream) X(open_wmemstream)              \
    X(fopencookie) X(tmpfile) X(tmpfile64) X(popen) X(pclose)                  \
    X(fflush) X(fread) X(__fread_chk) X(fwrite) X(fgets) X(__fgets_chk)        \
    X(fputs) X(puts) X(getc) X(fgetc) X(getchar) X(putc) X(fputc) X(putchar)   \
    X(ungetc) X(getw) X(putw) X(getline) X(getdelim)                           \
    X(fseek) X(fseeko) X(fseeko64) X(ftell) X(ftello) X(ftello64) X(rewind)    \
    X(fgetpos) X(fgetpos64) X(fsetpos) X(fsetpos64)                            \
    X(setvbuf) X(setbuf) X(setbuffer) X(setlinebuf)                            \
    X(printf) X(fprintf) X(vfprintf) X(vprintf) X(__printf_chk)                \
    X(__fprintf_chk) X(__vprintf_chk) X(__vfprintf_chk)                        \
    X(scanf) X(fscanf) X(vfscanf) X(vscanf) X(__isoc99_scanf)                  \
    X(__isoc99_fscanf) X(__isoc99_vscanf) X(__isoc99_vfscanf)                  \
    X(perror) X(psignal) X(psiginfo) X(fwide)                                  \
    X(getwc) X(fgetwc) X(getwchar) X(fgetws) X(putwc) X(fputwc) X(putwchar)    \
    X(fputws) X(ungetwc) X(wprintf) X(fwprintf) X(vfwprintf) X(vwprintf)       \
    X(__wprintf_chk) X(__fwprintf_chk) X(__vwprintf_chk) X(__vfwprintf_chk)    \
    X(wscanf) X(fwscanf) X(vfwscanf) X(vwscanf)                                \
    X(__isoc99_wscanf) X(__isoc99_fwscanf) X(__isoc99_vwscanf)                 \
    X(__isoc99_vfwscanf)

#define TIME(X)                                                                \
    X(tzset) X(localtime) X(localtime_r) X(gmtime) X(gmtime_r) X(mktime)       \
    X(timegm) X(ctime) X(ctime_r) X(strftime) X(strftime_l) X(wcsftime)        \
    X(wcsftime_l) X(getdate) X(getdate_r) X(timer_create) X(timer_delete)

#define USERS_AND_HOSTS(X)                                                     \
    X(getpwnam) X(getpwnam_r) X(getpwuid) X(getpwuid_r) X(getpwent)            \
    X(getpwent_r) X(setpwent) X(endpwent) X(getgrnam) X(getgrnam_r)            \
    X(getgrgid) X(getgrgid_r) X(getgrent) X(getgrent_r) X(setgrent)            \
    X(endgrent) X(getgrouplist) X(initgroups) X(getspnam) X(getspnam_r)        \
    X(getspent) X(gethostbyname) X(gethostbyname_r) X(gethostbyname2)          \
    X(gethostbyname2_r) X(gethostbyaddr) X(gethostbyaddr_r) X(gethostent)      \
    X(getservbyname) X(getservbyname_r) X(getservbyport) X(getservbyport_r)    \
    X(getservent) X(getprotobyname) X(getprotobyname_r) X(getprotobynumber)    \
    X(getprotobynumber_r) X(getprotoent) X(getnetbyname) X(getnetbyname_r)     \
    X(getnetbyaddr) X(getnetbyaddr_r) X(getnetent) X(getaddrinfo)              \
    X(getnameinfo) X(setnetgrent) X(getnetgrent) X(getnetgrent_r)              \
    X(endnetgrent) X(innetgr) X(setutent) X(getutent) X(getutid) X(getutline)  \
    X(pututline) X(endutent) X(setutxent) X(getutxent) X(pututxline)

#define LOG_AND_RANDOM(X)                                                      \
    X(openlog) X(syslog) X(vsyslog) X(__syslog_chk) X(__vsyslog_chk)           \
    X(closelog) X(rand) X(srand) X(random) X(srandom) X(initstate) X(setstate)

#define LINKER(X)                                                              \
    X(dlopen) X(dlmopen) X(dlclose) X(dlsym) X(dlvsym) X(dladdr) X(dladdr1)    \
    X(dlinfo) X(dlerror) X(dl_iterate_phdr)

#define LOCALE(X)                                                              \
    X(setlocale) X(newlocale) X(duplocale) X(freelocale) X(gettext)            \
    X(dgettext) X(dcgettext) X(ngettext) X(dngettext) X(dcngettext)            \
    X(textdomain) X(bindtextdomain) X(bind_textdomain_codeset)                 \
    X(iconv_open) X(iconv_close)

#define PROCESS(X)                                                             \
    X(exit) X(quick_exit) X(on_exit) X(__cxa_atexit) X(__cxa_at_quick_exit)    \
    X(__cxa_finalize) X(setenv) X(unsetenv) X(putenv) X(clearenv) X(fork)      \
    X(vfork) X(system) X(posix_spawn) X(posix_spawnp) X(pthread_create)        \
    X(pthread_once) X(call_once) X(pthread_atfork) X(sem_open) X(sem_close)    \
    X(mq_notify)

/* The lock is that of the object they were called with. */
#define OBJECTS(X)                                                             \
    X(regexec) X(re_search) X(re_match) X(readdir) X(readdir64) X(readdir_r)   \
    X(readdir64_r) X(seekdir) X(rewinddir)

/* Some of the above end in a jump to one of these, which hold nothing. */
#define HOLDING_NOTHING(X) X(asctime) X(asctime_r)

#define ALL(X)                                                                 \
    HEAP(X) STDIO(X) TIME(X) USERS_AND_HOSTS(X) LOG_AND_RANDOM(X) LINKER(X)    \
    LOCALE(X) PROCESS(X) OBJECTS(X)

/* Weak: a static program has those that it uses, and gets no others. Declared
 * by their names as the linker sees them, whatever their headers make of them. */
#define DECLARE(name) extern const char in_libc_##name[] __asm__(#name)             \
    __attribute__((weak));
ALL(DECLARE)
HOLDING_NOTHING(DECLARE)
#define ENTRY(name) {#name, in_libc_##name},
/* clang-format on */

#pragma weak dlopen
#pragma weak dlsym
#pragma weak dlclose

static const struct {
    const char *name;
    const char *address; /* NULL: not in this program */
} functions[] = {ALL(ENTRY)}, holding_nothing[] = {HOLDING_NOTHING(ENTRY)};

struct procedure {
    uintptr_t start, end;
    const char *name; /* NULL: holds no lock, whoever jumps there       */
    uintptr_t inside; /* != 0: counts if called from outside the module that
                         begins there                                    */
};

/* By address. Room for each function in the program and in the C library, and
 * for what they jump to. */
#define FUNCTIONS (sizeof functions / sizeof functions[0])
#define MOST      (3 * FUNCTIONS)

static struct procedure table[MOST];
static size_t count;

/* The C library's own begins there; 0 in a static program. */
static uintptr_t library;

/* The entry that covers pc, or the place where one that does belongs. */
static size_t place_of(uintptr_t pc)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (table[middle].end <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct procedure *find(uintptr_t pc)
{
    size_t place = place_of(pc);

    return place < count && table[place].start <= pc ? &table[place] : NULL;
}

static void add(uintptr_t start, uintptr_t end, const char *name)
{
    size_t place = place_of(start);

    for (size_t i = count++; i > place; i--)
        table[i] = table[i - 1];
    table[place] = (struct procedure){start, end, name, 0};
}

/* False: there already, or no procedure begins at that address, or no room. */
static bool add_function(uintptr_t address, const char *name)
{
    uintptr_t start, end;

    if (address == 0 || count == MOST || find(address) != NULL ||
        !moat_unwind_procedure(address, &start, &end) || start != address)
        return false;
    add(start, end, name);
    return true;
}

/* The procedures whose beginning the code from `start` on jumps to. Bytes that
 * only look like a jump lead there once in ten thousand. */
static void add_jumps(uintptr_t start, uintptr_t end, const char *name)
{
    uintptr_t at = start, target;

    while ((at = moat_arch_find_jump(at, end, &target)) != 0) {
        at++;
        if (target - start < end - start || !add_function(target, name))
            continue;
        if (moat_module_start(target) == library)
            table[place_of(target)].inside = library;
        add_jumps(target, find(target)->end, name);
    }
}

static void add_jumps_of(uintptr_t address, const char *name)
{
    const struct procedure *procedure = find(address);

    if (procedure != NULL)
        add_jumps(procedure->start, procedure->end, name);
}

/* Where a program or a preloaded library has functions of those names, the C
 * library's own may be called all the same. And in a program that is not
 * position-independent the address of a function may be that of a stub. */
static void find_librarys_own(uintptr_t own[FUNCTIONS])
{
    void *handle =
        dlopen != NULL ? dlopen(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD) : NULL;

    library = 0;
    for (size_t i = 0; i < FUNCTIONS; i++)
        own[i] =
            handle != NULL ? (uintptr_t)dlsym(handle, functions[i].name) : 0;
    if (handle == NULL)
        return;
    library = moat_module_start((uintptr_t)dlsym(handle, "malloc"));
    (void)dlclose(handle);
}

void moat_locks_prepare(void)
{
    static uintptr_t own[FUNCTIONS];

    count = 0;
    find_librarys_own(own);
    for (size_t i = 0; i < FUNCTIONS; i++) {
        (void)add_function((uintptr_t)functions[i].address, functions[i].name);
        (void)add_function(own[i], functions[i].name);
    }
    for (size_t i = 0; i < sizeof holding_nothing / sizeof holding_nothing[0];
         i++)
        (void)add_function((uintptr_t)holding_nothing[i].address, NULL);
    for (size_t i = 0; i < FUNCTIONS; i++) {
        add_jumps_of((uintptr_t)functions[i].address, functions[i].name);
        add_jumps_of(own[i], functions[i].name);
    }
}

const char *moat_locks_find(uintptr_t pc, uintptr_t caller_pc)
{
    const struct procedure *procedure = find(pc);

    if (procedure == NULL ||
        (procedure->inside != 0 &&
         moat_module_start(caller_pc) == procedure->inside))
        return NULL;
    return procedure->name;
}
