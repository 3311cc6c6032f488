/*
 * test_plugin.c: a plugin's constructor uses moat while another thread does:
 * the first holds the dynamic linker's lock, so the second must not wait for it
 * with a lock of moat's in its hand.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

void plugin_is_loading(void);

/* A hang ends by a signal, which no case expects. */
#define HANG_SECONDS 120

static void (*use_moat)(void);
static sem_t loading;
static atomic_bool loaded;

/* Called by the plugin's constructor. The pause leaves the other thread the
 * time to get to where it could hang. */
void plugin_is_loading(void)
{
    (void)sem_post(&loading);
    (void)usleep(100000);
    use_moat();
    atomic_store(&loaded, true);
}

static void *load(void *arg)
{
    void *handle = dlopen(PLUGIN, RTLD_NOW);

    EXPECT(handle != NULL);
    EXPECT_EQ(dlclose(handle), 0);
    return arg;
}

/* Both threads do the same, this one again and again. */
static void expect_both_go_on(void (*use)(void))
{
    pthread_t thread;

    (void)alarm(HANG_SECONDS);
    use_moat = use;
    REQUIRE(sem_init(&loading, 0, 0) == 0);
    REQUIRE(pthread_create(&thread, NULL, load, NULL) == 0);
    REQUIRE(sem_wait(&loading) == 0);
    do
        use();
    while (!atomic_load(&loaded));
    EXPECT_EQ(pthread_join(thread, NULL), 0);
}

static void init(void)
{
    EXPECT_EQ(moat_engine_init(NULL), MOAT_OK);
}

static void get_info(void)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
}

static void report(void)
{
    moat_co *co = guest_create(guest_write_null);
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
    EXPECT_EQ(moat_co_print_report(co, fd), MOAT_OK);
    moat_co_destroy(co);
    (void)close(fd);
}

/* Each thread has a page of its own. */
static void register_code(void)
{
    static __thread unsigned char *page;
    moat_code code = MOAT_CODE_INIT;
    moat_code_id id = 0;

    if (page == NULL)
        page = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(page != MAP_FAILED);
    code.start = page;
    code.size = 64;
    code.name = "plugin";
    code.unwind = MOAT_CODE_UNWIND_FP;
    EXPECT_EQ(moat_code_register(&code, &id), MOAT_OK);
    EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
}

static void detach_and_trim(void)
{
    moat_co_destroy(guest_create(guest_echo));
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    EXPECT_EQ(moat_engine_trim(0, NULL), MOAT_OK);
}

static void constructor_against(const void *arg)
{
    void (*const *use)(void) = arg;

    expect_both_go_on(*use);
}

#define AGAINST(use)                                        \
    {                                                       \
        "a_constructor_against_" #use, constructor_against, \
            (void (*[])(void)){use}, NULL, 0, 0             \
    }

static const struct child_case cases[] = {
    AGAINST(init),          AGAINST(get_info),        AGAINST(report),
    AGAINST(register_code), AGAINST(detach_and_trim),
};

int main(int argc, char **argv)
{
    return child_cases_run("plugin", cases, sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
