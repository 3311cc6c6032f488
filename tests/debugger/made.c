/*
 * made.c: a guest that traps in code that is in no file. The host stops, by a
 * SIGQUIT to its own thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/moat.h>

static void *maker(moat_co *self, void *input)
{
    static const unsigned char store_42_at_0[] = {
        0xc7, 0x04, 0x25, 0, 0, 0, 0, 42, 0, 0, 0, /* movl $42, 0 */
    };
    void (*code)(void);
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)self;
    if (page == MAP_FAILED)
        return input;
    memcpy(page, store_42_at_0, sizeof store_42_at_0);
    memcpy(&code, &page, sizeof code);
    code();
    return input;
}

int main(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    moat_co *co = NULL;

    options.name = "maker";
    if (moat_co_create(&co, maker, &options) != MOAT_OK ||
        moat_co_resume(co, NULL, &event) != MOAT_OK)
        return 1;
    return (int)syscall(SYS_tgkill, getpid(), gettid(), SIGQUIT);
}
