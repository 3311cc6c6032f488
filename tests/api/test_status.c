/*
 * test_status.c: names, texts and numbers of statuses; the version.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include <moat/moat.h>

#include "support/fixture.h"

static void every_status_has_its_number_and_name(const void *arg)
{
    static const struct {
        int number;
        const char *name;
    } pinned[] = {
        {0, "MOAT_OK"},
        {-1, "MOAT_E_INVAL"},
        {-2, "MOAT_E_NOMEM"},
        {-3, "MOAT_E_OVERLAP"},
        {-10, "MOAT_E_STATE"},
        {-11, "MOAT_E_THREAD"},
        {-12, "MOAT_E_STACK"},
        {-20, "MOAT_E_UNSUPPORTED"},
        {-21, "MOAT_E_LIMIT"},
        {-22, "MOAT_E_GUARD_LIMIT"},
        {-30, "MOAT_E_HANDLER_LOST"},
        {-40, "MOAT_E_SYSTEM"},
        {-50, "MOAT_E_FAULT"},
        {-51, "MOAT_E_EXCEPTION"},
        {-60, "MOAT_E_CLOSED"},
        {-61, "MOAT_E_TIMEOUT"},
        {-62, "MOAT_E_CANCELLED"},
        {-63, "MOAT_E_DEADLOCK"},
        {-64, "MOAT_E_OWNER_DIED"},
        {-65, "MOAT_E_RESTARTS"},
        {-70, "MOAT_E_FULL"},
    };
    int named = 0;

    (void)arg;
    for (size_t i = 0; i < sizeof pinned / sizeof pinned[0]; i++)
        EXPECT_STR(moat_status_name((moat_status)pinned[i].number),
                   pinned[i].name);
    for (int number = -1000; number <= 1000; number++)
        named += strcmp(moat_status_name((moat_status)number), "MOAT_E_?") != 0;
    EXPECT_EQ(named, sizeof pinned / sizeof pinned[0]);
}

static void every_status_is_explained(const void *arg)
{
    (void)arg;
#define CHECK(name, number, sentence)            \
    EXPECT_EQ(name, number);                     \
    EXPECT_STR(moat_status_str(name), sentence); \
    EXPECT(sentence[strlen(sentence) - 1] != '.');
    MOAT_STATUS_MAP(CHECK)
#undef CHECK
    EXPECT_STR(moat_status_str((moat_status)7),
               "a status that this version does not know");
}

static void a_status_is_as_wide_as_an_int(const void *arg)
{
    (void)arg;
    EXPECT_EQ(sizeof(moat_status), sizeof(int));
    EXPECT_EQ(sizeof(moat_trap_kind), sizeof(int));
    EXPECT_EQ(sizeof(moat_co_state), sizeof(int));
}

static void the_version_is_one(const void *arg)
{
    char text[64];

    (void)arg;
    (void)snprintf(text, sizeof text, "%d.%d.%d", MOAT_VERSION_MAJOR,
                   MOAT_VERSION_MINOR, MOAT_VERSION_PATCH);
    EXPECT_STR(moat_version(), text);
    EXPECT_STR(MOAT_VERSION_STRING, text);
    EXPECT_EQ(MOAT_VERSION_NUMBER, MOAT_VERSION_MAJOR * 10000 +
                                       MOAT_VERSION_MINOR * 100 +
                                       MOAT_VERSION_PATCH);
}

int main(void)
{
    const struct child_case cases[] = {
        CHILD_CASE(every_status_has_its_number_and_name),
        CHILD_CASE(every_status_is_explained),
        CHILD_CASE(a_status_is_as_wide_as_an_int),
        CHILD_CASE(the_version_is_one),
    };

    return child_cases_run("status", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
