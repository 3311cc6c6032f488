/*
 * lock_functions.h: the functions of the C library, and some of the compiler's,
 * that hold a lock or change the library's data while they run; and the table
 * of their addresses in this program.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_LOCK_FUNCTIONS_H
#define MOAT_UNWIND_LOCK_FUNCTIONS_H

/* The formatter takes lists for code. */
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
    X(__isoc23_scanf) X(__isoc23_fscanf) X(__isoc23_vscanf)                    \
    X(__isoc23_vfscanf)                                                        \
    X(perror) X(psignal) X(psiginfo) X(fwide)                                  \
    X(getwc) X(fgetwc) X(getwchar) X(fgetws) X(putwc) X(fputwc) X(putwchar)    \
    X(fputws) X(ungetwc) X(wprintf) X(fwprintf) X(vfwprintf) X(vwprintf)       \
    X(__wprintf_chk) X(__fwprintf_chk) X(__vwprintf_chk) X(__vfwprintf_chk)    \
    X(wscanf) X(fwscanf) X(vfwscanf) X(vwscanf)                                \
    X(__isoc99_wscanf) X(__isoc99_fwscanf) X(__isoc99_vwscanf)                 \
    X(__isoc99_vfwscanf) X(__isoc23_wscanf) X(__isoc23_fwscanf)                \
    X(__isoc23_vwscanf) X(__isoc23_vfwscanf)

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

/* These hold the lock of the object that they were called with. */
#define OBJECTS(X)                                                             \
    X(regexec) X(re_search) X(re_match) X(readdir) X(readdir64) X(readdir_r)   \
    X(readdir64_r) X(seekdir) X(rewinddir)

/* The compiler's library: where unwinders find unwind information. */
#define UNWINDER(X)                                                            \
    X(_Unwind_Find_FDE) X(__register_frame) X(__register_frame_info)           \
    X(__register_frame_info_bases) X(__register_frame_info_table)              \
    X(__register_frame_info_table_bases) X(__register_frame_table)             \
    X(__deregister_frame) X(__deregister_frame_info)                           \
    X(__deregister_frame_info_bases)

/* Some of the above end in a jump to one of these, which hold no lock. */
#define MOAT_LOCKLESS_FUNCTION_MAP(X) X(asctime) X(asctime_r)

#define MOAT_LOCK_FUNCTION_MAP(X)                                              \
    HEAP(X) STDIO(X) TIME(X) USERS_AND_HOSTS(X) LOG_AND_RANDOM(X) LINKER(X)    \
    LOCALE(X) PROCESS(X) OBJECTS(X) UNWINDER(X)

/* clang-format on */

#ifndef __ASSEMBLER__
struct moat_lock_function {
    const char *name;
    const char *address; /* NULL: not in this program */
};

#    define MOAT_COUNT_ONE(name) +1
enum {
    MOAT_LOCK_FUNCTIONS = 0 MOAT_LOCK_FUNCTION_MAP(MOAT_COUNT_ONE),
    MOAT_LOCKLESS_FUNCTIONS = 0 MOAT_LOCKLESS_FUNCTION_MAP(MOAT_COUNT_ONE)
};

/* lock_functions.S */
extern const struct moat_lock_function moat_lock_functions[MOAT_LOCK_FUNCTIONS],
    moat_lockless_functions[MOAT_LOCKLESS_FUNCTIONS];

/* An address in a library that has functions of these names which hold no lock:
 * they call the C library's on another stack. NULL: there is none. */
extern const char *const moat_lockless_module;

/* Its members are NULL in static programs that do not use the functions. */
extern const struct moat_linker {
    void *(*open)(const char *, int);
    void *(*find)(void *, const char *);
    int (*close)(void *);
} moat_linker;
#endif

#endif
