/*
 * routes.c: the table of handlers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "handlers.h"
#include "lua_handler.h"
#include "routes.h"

/* Methods of a route. */
#define ROUTE_GET  1u /* and HEAD */
#define ROUTE_POST 2u

#define ALLOW_GET  ROUTE_GET, "Allow: GET, HEAD\r\n"
#define ALLOW_POST ROUTE_POST, "Allow: POST\r\n"
#define ALLOW_BOTH ROUTE_GET | ROUTE_POST, "Allow: GET, HEAD, POST\r\n"

static const struct route routes[] = {
    {"/hello", say_hello, false, ALLOW_GET},
    {"/bytes", count_bytes, false, ALLOW_POST},
    {"/echo", echo_body, false, ALLOW_POST},
    {"/large", write_much, false, ALLOW_GET},
    {"/slow", wait_a_while, false, ALLOW_GET},
    {"/null", follow_null, false, ALLOW_GET},
    {"/overflow", overflow, false, ALLOW_GET},
    {"/loop", loop, false, ALLOW_GET},
    {"/eat", eat, true, ALLOW_GET},
    {"/sometimes", fail_sometimes, false, ALLOW_GET},
};

/* One for all scripts; the exchange has the script. */
static const char lua_prefix[] = "/lua/";

static bool is_path(struct span path, const char *text)
{
    return path.length == strlen(text) &&
           memcmp(path.at, text, path.length) == 0;
}

static bool begins_with(struct span path, const char *text)
{
    return path.length >= strlen(text) &&
           memcmp(path.at, text, strlen(text)) == 0;
}

static const struct route *find_script(struct exchange *exchange,
                                       struct span path)
{
    static const struct route lua = {NULL, lua_handle, true, ALLOW_BOTH};
    size_t skipped = sizeof lua_prefix - 1;

    exchange->script =
        script_find((struct span){path.at + skipped, path.length - skipped});
    return exchange->script != NULL ? &lua : NULL;
}

static const struct route *find(struct exchange *exchange)
{
    struct span path = request_path(&exchange->request);

    exchange->script = NULL;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (is_path(path, routes[i].path))
            return &routes[i];
    return begins_with(path, lua_prefix) ? find_script(exchange, path) : NULL;
}

static unsigned method_of(const struct request *request)
{
    if (request_is(request, HTTP_GET) || request_is(request, HTTP_HEAD))
        return ROUTE_GET;
    return request_is(request, HTTP_POST) ? ROUTE_POST : 0;
}

const struct route *route_of(struct exchange *exchange)
{
    const struct route *route = find(exchange);

    if (route == NULL) {
        reply_status(&exchange->reply, 404);
        return NULL;
    }
    if ((route->methods & method_of(&exchange->request)) == 0) {
        exchange->reply.field = route->allow;
        reply_status(&exchange->reply, 405);
        return NULL;
    }
    return route;
}
