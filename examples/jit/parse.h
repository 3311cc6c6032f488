/*
 * parse.h: parses a script's text into its tree.
 *
 *   script     = { "array" NAME "[" NUMBER "]" ";" | function }
 *   function   = "func" NAME "(" [ NAME { "," NAME } ] ")" block
 *   block      = "{" { statement } "}"
 *   statement  = "let" NAME "=" expression ";"
 *              | NAME [ "[" expression "]" ] "=" expression ";"
 *              | "if" expression block [ "else" ( block | if statement ) ]
 *              | "while" expression block
 *              | ( "return" | "print" ) expression ";"
 *              | expression ";"
 *   expression = "yield" expression | operators, as in C, over
 *                NUMBER, NAME, NAME "[" expression "]", call, "(", and
 *                "start" call | "next" operand [ "with" operand ] |
 *                "value" operand, which bind like unary "-"
 *   call       = NAME "(" [ expression { "," expression } ] ")"
 *
 * "start" turns a call into a generator, a suspended coroutine, and evaluates
 * to its number. "next" resumes it until it yields (1) or returns (0). The
 * operand of "with", or 0, becomes the value of the generator's "yield".
 * "value" is the last value that it yielded or returned. An error in a
 * generator is an error at the "next".
 *
 * "#" begins a comment. An array is declared before its use, a function
 * anywhere.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DITCH_PARSE_H
#define DITCH_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "ast.h"

#define MAX_SCRIPT_BYTES 65536
#define MAX_ARRAY_COUNT  (1 << 20) /* elements of an array */
#define MAX_PARAMETERS   16
#define MAX_LOCALS       200
#define MAX_HEIGHT       200 /* of trees, and nesting depth */

struct parse_error {
    int line;
    char text[96];
};

/* Returns true and a script to release with script_free, or false and the
 * reason in *error. */
bool script_parse(struct script *out, const char *text,
                  struct parse_error *error);
void script_free(struct script *script);

#endif
