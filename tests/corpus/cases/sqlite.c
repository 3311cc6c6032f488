/*
 * sqlite.c: SQLite, whose parser and code generator recurse, and which calls
 * functions of the program's. One case per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <sqlite3.h>

#include "hcase.h"

const char *hcase_name = NAME;

static char *query;

#if defined CASE_nest
#    define QUERY nest()

/* A sum of sums. */
static char *nest(void)
{
    return hc_nest("", 0, "select 1", "+1", 980);
}
#elif defined CASE_function
#    define QUERY strdup("select f(x) from t order by f(x)")
#elif defined CASE_loop
#    define QUERY                                                         \
        strdup("with recursive c(x) as (select 1 union all select x + 1 " \
               "from c) select sum(x) from c")
#endif

/* The library is made ready by the host. */
int hcase_setup(long n)
{
    (void)n;
    query = QUERY;
    return query == NULL || sqlite3_initialize() != SQLITE_OK;
}

static int *volatile bad = (int *)0x10;

static void call_bad(sqlite3_context *context, int count, sqlite3_value **args)
{
    sqlite3_result_int(context, *bad + count + sqlite3_value_int(args[0]));
}

int hcase_run(void)
{
    sqlite3 *db = NULL;
    int failed =
        sqlite3_open(":memory:", &db) != SQLITE_OK ||
        sqlite3_create_function(db, "f", 1, SQLITE_UTF8, NULL, call_bad, NULL,
                                NULL) != SQLITE_OK ||
        sqlite3_exec(db,
                     "create table t(x); insert into t values (1), (2), (3)",
                     NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, query, NULL, NULL, NULL) != SQLITE_OK;

    (void)sqlite3_close(db);
    return failed;
}
