/*
 * lexer.c: Ditch's tokens.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lexer.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const keywords[] = {
    "array",  "else",  "func",  "if",    "let",  "next", "print",
    "return", "start", "value", "while", "with", "yield"};

void lexer_begin(struct lexer *l, const char *text, char *names,
                 struct parse_error *error)
{
    memset(l, 0, sizeof *l);
    l->error = error;
    l->at = text;
    l->line = 1;
    l->name = "";
    l->free_name = names;
}

void lexer_fail(struct lexer *l, const char *format, ...)
{
    va_list args;

    if (l->failed)
        return;
    l->failed = true;
    l->token = TOKEN_END;
    l->error->line = l->line;
    va_start(args, format);
    (void)vsnprintf(l->error->text, sizeof l->error->text, format, args);
    va_end(args);
}

static void skip_space(struct lexer *l)
{
    for (;; l->at++) {
        if (*l->at == '#')
            l->at += strcspn(l->at, "\n");
        if (*l->at == '\n')
            l->line++;
        else if (*l->at == '\0' || !isspace((unsigned char)*l->at))
            return;
    }
}

static int read_number(struct lexer *l)
{
    int64_t value = 0;

    for (; isdigit((unsigned char)*l->at); l->at++) {
        int digit = *l->at - '0';

        if (value > (INT64_MAX - digit) / 10) {
            lexer_fail(l, "a number is too large");
            return TOKEN_END;
        }
        value = value * 10 + digit;
    }
    l->number = value;
    return TOKEN_NUMBER;
}

static int read_word(struct lexer *l)
{
    size_t bytes = 0;

    while (isalnum((unsigned char)l->at[bytes]) || l->at[bytes] == '_')
        bytes++;
    memcpy(l->free_name, l->at, bytes);
    l->free_name[bytes] = '\0';
    l->at += bytes;
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strcmp(l->free_name, keywords[i]) == 0)
            return TOKEN_ARRAY + (int)i;
    l->name = l->free_name;
    l->free_name += bytes + 1;
    return TOKEN_NAME;
}

static int read_sign(struct lexer *l)
{
    static const char *const pairs[] = {"==", "!=", "<=", ">=", "&&", "||"};

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (strncmp(l->at, pairs[i], 2) == 0) {
            l->at += 2;
            return TOKEN_EQUAL + (int)i;
        }
    return (unsigned char)*l->at++;
}

void lexer_advance(struct lexer *l)
{
    if (l->failed)
        return;
    skip_space(l);
    if (*l->at == '\0')
        l->token = TOKEN_END;
    else if (isdigit((unsigned char)*l->at))
        l->token = read_number(l);
    else if (isalpha((unsigned char)*l->at) || *l->at == '_')
        l->token = read_word(l);
    else
        l->token = read_sign(l);
}

bool lexer_accept(struct lexer *l, int token)
{
    if (l->token != token)
        return false;
    lexer_advance(l);
    return true;
}

void lexer_expect(struct lexer *l, int sign)
{
    if (!lexer_accept(l, sign))
        lexer_fail(l, "'%c' is missing", sign);
}

const char *lexer_expect_name(struct lexer *l)
{
    const char *name = l->name;

    if (!lexer_accept(l, TOKEN_NAME))
        lexer_fail(l, "a name is missing");
    return name;
}
