/*
 * argp.c: argp_parse and its kin, which end the process after a message. A
 * guest that gets there traps.
 *
 * The C library calls its own exit, so it is told not to (ARGP_NO_EXIT). It
 * would then go on after --help and --version, so a guest gets these options
 * from here, in the C library's words. Whether it would have ended the process
 * for bad arguments is told by the result.
 *
 * SPDX-License-Identifier: MIT
 */
#include <argp.h>
#include <errno.h>
#include <libintl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <moat/moat.h>

#include "malloc/libc_call.h"
#include "malloc/real.h"

#undef argp_usage

/* The arguments of a guest's parser: the user's, with what is added. */
struct parser {
    struct argp top; /* the state's root_argp: so the parser is found again */
    struct argp_child children[4];
    struct argp own; /* a copy of the user's */
    argp_parser_t user;
    unsigned flags;  /* the user's */
    bool has_failed; /* the user's function has returned an error */
};

/* --- what is known of a state ----------------------------------------------
 */

static const struct argp help_argp;
static const struct argp no_argp; /* in its place with ARGP_NO_HELP */

/* NULL: the parser has not begun here. */
static struct parser *parser_of(const struct argp_state *state)
{
    const struct argp *root = state != NULL ? state->root_argp : NULL;

    if (root == NULL || root->children == NULL)
        return NULL;
    for (const struct argp_child *each = root->children; each->argp != NULL;
         each++) {
        if (each->argp == &help_argp || each->argp == &no_argp)
            return (struct parser *)(uintptr_t)root;
    }
    return NULL;
}

static unsigned flags_of(const struct argp_state *state)
{
    const struct parser *parser = parser_of(state);

    if (parser != NULL)
        return parser->flags;
    return state != NULL ? state->flags : 0;
}

/* --- messages --------------------------------------------------------------
 */

/* Without a state there is no parser whose options could be listed. */
static void print_hint(FILE *stream)
{
    (void)fprintf(stream,
                  dgettext("libc", "Try `%s --help' or `%s --usage' for more "
                                   "information.\n"),
                  program_invocation_short_name, program_invocation_short_name);
}

static void help(const struct argp_state *state, FILE *stream, unsigned flags)
{
    MOAT_REAL real = {"argp_state_help", NULL};
    void (*function)(const struct argp_state *, FILE *, unsigned);

    moat_real_get(&real, &function);
    function(state, stream, flags);
}

/* The C library is told not to end the process. */
static void help_guest(const struct argp_state *state, FILE *stream,
                       unsigned flags)
{
    struct argp_state quiet;

    if (state == NULL) {
        print_hint(stream);
        return;
    }
    quiet = *state;
    quiet.flags |= ARGP_NO_EXIT;
    help(&quiet, stream, flags);
}

MOAT_API void argp_state_help(const struct argp_state *state, FILE *stream,
                              unsigned flags)
{
    if (!moat_libc_is_guest()) {
        help(state, stream, flags);
        return;
    }
    if ((flags_of(state) & ARGP_NO_ERRS) != 0 || stream == NULL)
        return;
    help_guest(state, stream, flags);
    if ((flags_of(state) & ARGP_NO_EXIT) != 0)
        return;
    if ((flags & ARGP_HELP_EXIT_ERR) != 0)
        exit(argp_err_exit_status);
    if ((flags & ARGP_HELP_EXIT_OK) != 0)
        exit(EXIT_SUCCESS);
}

MOAT_API void argp_usage(const struct argp_state *state)
{
    argp_state_help(state, stderr, ARGP_HELP_STD_USAGE);
}

static FILE *stream_of(const struct argp_state *state)
{
    return state != NULL ? state->err_stream : stderr;
}

static const char *name_of(const struct argp_state *state)
{
    return state != NULL ? state->name : program_invocation_short_name;
}

static bool prints(const struct argp_state *state)
{
    return (flags_of(state) & ARGP_NO_ERRS) == 0 && stream_of(state) != NULL;
}

/* Returns whether the process ends after an error of that state. */
static bool ends(const struct argp_state *state)
{
    return prints(state) && (flags_of(state) & ARGP_NO_EXIT) == 0;
}

/* The text is made here, because the C library has no function with a va_list.
 */
static char *text_of(const char *format, va_list args)
{
    char *text = NULL;

    return vasprintf(&text, format, args) >= 0 ? text : NULL;
}

static void error_host(const struct argp_state *state, const char *text)
{
    MOAT_REAL real = {"argp_error", NULL};
    void (*function)(const struct argp_state *, const char *, ...);

    moat_real_get(&real, &function);
    function(state, "%s", text);
}

MOAT_API void argp_error(const struct argp_state *state, const char *format,
                         ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = text_of(format, args);
    va_end(args);
    if (!moat_libc_is_guest()) {
        error_host(state, text);
        free(text);
        return;
    }
    if (prints(state))
        (void)fprintf(stream_of(state), "%s: %s\n", name_of(state), text);
    free(text);
    argp_state_help(state, stream_of(state), ARGP_HELP_STD_ERR);
}

static void failure_host(const struct argp_state *state, int status, int number,
                         const char *text)
{
    MOAT_REAL real = {"argp_failure", NULL};
    void (*function)(const struct argp_state *, int, int, const char *, ...);

    moat_real_get(&real, &function);
    function(state, status, number, text != NULL ? "%s" : NULL, text);
}

static void print_failure(const struct argp_state *state, int number,
                          const char *text)
{
    FILE *stream = stream_of(state);

    (void)fputs(name_of(state), stream);
    if (text != NULL)
        (void)fprintf(stream, ": %s", text);
    if (number != 0)
        (void)fprintf(stream, ": %s", strerror(number));
    (void)fputc('\n', stream);
}

MOAT_API void argp_failure(const struct argp_state *state, int status,
                           int number, const char *format, ...)
{
    bool is_guest = moat_libc_is_guest();
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (format != NULL)
        text = text_of(format, args);
    va_end(args);
    if (!is_guest)
        failure_host(state, status, number, text);
    else if (prints(state))
        print_failure(state, number, text);
    free(text);
    if (is_guest && status != 0 && ends(state))
        exit(status);
}

/* --- the options that every program has ------------------------------------
 */

enum { KEY_HELP = '?', KEY_VERSION = 'V', KEY_NAME = -2, KEY_USAGE = -3 };

static const struct argp_option help_options[] = {
    {"help", KEY_HELP, NULL, 0, "Give this help list", -1},
    {"usage", KEY_USAGE, NULL, 0, "Give a short usage message", 0},
    {"program-name", KEY_NAME, "NAME", OPTION_HIDDEN, "Set the program name",
     0},
    {NULL, 0, NULL, 0, NULL, 0}};

static error_t parse_help(int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case KEY_HELP:
        argp_state_help(state, state->out_stream, ARGP_HELP_STD_HELP);
        return 0;
    case KEY_USAGE:
        argp_state_help(state, state->out_stream,
                        ARGP_HELP_USAGE | ARGP_HELP_EXIT_OK);
        return 0;
    case KEY_NAME:
        /* Of this parser only: the process' name would be guest's memory. */
        state->name = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp help_argp = {help_options, parse_help, NULL,  NULL,
                                      NULL,         NULL,       "libc"};
static const struct argp no_argp = {NULL, NULL, NULL, NULL, NULL, NULL, NULL};

static const struct argp_option version_options[] = {
    {"version", KEY_VERSION, NULL, 0, "Print program version", -1},
    {NULL, 0, NULL, 0, NULL, 0}};

/* NOLINTNEXTLINE(readability-non-const-parameter): as <argp.h> has it */
static error_t parse_version(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    if (key != KEY_VERSION)
        return ARGP_ERR_UNKNOWN;
    if (argp_program_version_hook != NULL)
        argp_program_version_hook(state->out_stream, state);
    else if (argp_program_version != NULL)
        (void)fprintf(state->out_stream, "%s\n", argp_program_version);
    if ((flags_of(state) & ARGP_NO_EXIT) == 0)
        exit(EXIT_SUCCESS);
    return 0;
}

static const struct argp version_argp = {
    version_options, parse_version, NULL, NULL, NULL, NULL, "libc"};

/* --- the parser ------------------------------------------------------------
 */

typedef error_t parse_function(const struct argp *, int, char **, unsigned,
                               int *, void *);

/* Called instead of the user's function. */
static error_t parse_own(int key, char *arg, struct argp_state *state)
{
    struct parser *parser = parser_of(state);
    error_t error = parser->user(key, arg, state);

    if (error != 0 && error != ARGP_ERR_UNKNOWN)
        parser->has_failed = true;
    return error;
}

static void set_up(struct parser *parser, const struct argp *argp,
                   unsigned flags)
{
    struct argp_child *child = parser->children;

    memset(parser, 0, sizeof *parser);
    parser->flags = flags;
    parser->top.children = child;
    if (argp != NULL) {
        parser->own = *argp;
        parser->user = argp->parser;
        if (argp->parser != NULL)
            parser->own.parser = parse_own;
        (child++)->argp = &parser->own;
    }
    if ((flags & ARGP_NO_HELP) != 0) {
        child->argp = &no_argp;
        return;
    }
    (child++)->argp = &help_argp;
    if (argp_program_version != NULL || argp_program_version_hook != NULL)
        child->argp = &version_argp;
}

static error_t parse_for_guest(parse_function *function,
                               const struct argp *argp, int count, char **args,
                               unsigned flags, int *index, void *input)
{
    struct parser parser;
    error_t error;

    set_up(&parser, argp, flags);
    error = function(&parser.top, count, args,
                     flags | ARGP_NO_HELP | ARGP_NO_EXIT, index, input);
    if (error == EINVAL && !parser.has_failed &&
        (flags & (ARGP_NO_EXIT | ARGP_NO_ERRS)) == 0)
        exit(argp_err_exit_status);
    return error;
}

/* It runs on the caller's stack: it calls the caller's functions. */
MOAT_API error_t argp_parse(const struct argp *argp, int count, char **args,
                            unsigned flags, int *index, void *input)
{
    MOAT_REAL real = {"argp_parse", NULL};
    parse_function *function;

    moat_real_get(&real, &function);
    if (!moat_libc_is_guest())
        return function(argp, count, args, flags, index, input);
    return parse_for_guest(function, argp, count, args, flags, index, input);
}
