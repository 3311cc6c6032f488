/*
 * lexer.h: splits a script's text into tokens.
 *
 * After the first error every token is TOKEN_END, so parsers return by
 * themselves.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DITCH_LEXER_H
#define DITCH_LEXER_H

#include <stdbool.h>
#include <stdint.h>

#include "parse.h"

enum token {
    TOKEN_END = 0,
    TOKEN_NUMBER = 256,
    TOKEN_NAME,
    TOKEN_EQUAL,
    TOKEN_UNEQUAL,
    TOKEN_LESS_EQUAL,
    TOKEN_GREATER_EQUAL,
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_ARRAY, /* the keywords */
    TOKEN_ELSE,
    TOKEN_FUNC,
    TOKEN_IF,
    TOKEN_LET,
    TOKEN_NEXT,
    TOKEN_PRINT,
    TOKEN_RETURN,
    TOKEN_START,
    TOKEN_VALUE,
    TOKEN_WHILE,
    TOKEN_WITH,
    TOKEN_YIELD
};

struct lexer {
    struct parse_error *error;
    bool failed;
    const char *at; /* the text after the token */
    int token;
    int line;         /* of the token                                 */
    int64_t number;   /* TOKEN_NUMBER                                 */
    const char *name; /* TOKEN_NAME                                   */
    char *free_name;  /* two bytes for each one of the text remain    */
};

void lexer_begin(struct lexer *l, const char *text, char *names,
                 struct parse_error *error);

/* Keeps the line and the text of the first error only. */
__attribute__((format(printf, 2, 3))) void lexer_fail(struct lexer *l,
                                                      const char *format, ...);

void lexer_advance(struct lexer *l);
/* Advances if it is this token. */
bool lexer_accept(struct lexer *l, int token);
void lexer_expect(struct lexer *l, int sign);
const char *lexer_expect_name(struct lexer *l);

#endif
