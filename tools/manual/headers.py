"""headers.py: finds the declarations of a header and their comments.

SPDX-License-Identifier: MIT
"""
import re
from dataclasses import dataclass, field

from manual.comments import Doc, comment_lines, parse
from manual.text import complain, sentence, squeeze

ATTRIBUTES = re.compile(
    r"MOAT_(API_INLINE|API|NODISCARD|NORETURN|COLD|BEGIN_DECLS|END_DECLS)\b"
    r"|static inline|extern \"C\" \{")
COMMENT = re.compile(r"/\*.*?\*/", re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.M)


@dataclass
class Page:
    name: str
    kind: str  # function, struct, enum or callback
    header: str
    doc: Doc
    synopsis: list  # of declarations
    members: list = field(default_factory=list)  # of (names, text)
    inline: bool = False


def code_of(text):
    """The text without comments and directives."""
    return DIRECTIVE.sub("", COMMENT.sub("", text))


def declaration_after(text, start):
    """The declaration at `start`, up to its semicolon or its body."""
    depth = 0
    for token in re.finditer(r"/\*.*?\*/|[{}();]", text[start:], re.S):
        what = token.group()
        if what in "{(":
            before = COMMENT.sub("", text[start:start + token.start()])
            declares = re.search(r"\btypedef\b|\bstruct \w+\s*$", before)
            if what == "{" and depth == 0 and not declares:
                return text[start:start + token.start()]
            depth += 1
        elif what in "})":
            depth -= 1
        elif what == ";" and depth == 0:
            return text[start:start + token.start()]
    return text[start:]


def prototype(declaration):
    text = squeeze(ATTRIBUTES.sub("", code_of(declaration)))
    return re.sub(r"__attribute__ ?\(\(.*?\)\) ?", "", text).replace("( ", "(")


def function_name(text):
    match = re.match(r"[\w *]*?[ *](moat_\w+)\(", prototype(text))
    return match.group(1) if match else None


def public_functions(text):
    """The names that a header declares as functions of the library."""
    code = re.sub(r"\{[^{}]*\}", ";", code_of(text))
    while re.search(r"\{[^{}]*\}", code):
        code = re.sub(r"\{[^{}]*\}", ";", code)
    found = {}
    for part in re.split(r"[;{}]", code):
        # Not the helpers of the inline switch.
        exported = re.search(r"MOAT_API|static inline(?! __attr)", part)
        name = function_name(part)
        if exported and name and not re.search(r"\bextern\b", part):
            found[name] = prototype(part)
    return found


def members_of(kind, body, macros):
    """The fields or enumerators of a body: (declaration, names, text)."""
    found, pending = [], ""
    body = re.sub(r"^\s*(MOAT_\w+_MAP)\(\w+\)",
                  lambda m: macros.get(m.group(1), ""), body, flags=re.M)
    pieces = re.findall(
        r"/\*.*?\*/|[^;,{}/]*(?:\([^)]*\)[^;,{}/]*)*[;,]|[^;,/]+",
        DIRECTIVE.sub("", body), re.S)
    statement = ""
    for piece in pieces:
        if piece.startswith("/*"):
            text = squeeze(" ".join(comment_lines(piece[2:-2])))
            if statement.strip():
                pending = text
            elif found and not piece_starts_line(body, piece):
                found[-1][2] = text
            else:
                pending = text
            continue
        statement += piece
        if piece.rstrip().endswith(";") or (kind == "enum" and squeeze(piece)):
            declaration = squeeze(statement).rstrip(",;")
            if declaration and "FORCE_INT" not in declaration:
                found.append([declaration, names_in(declaration), pending])
            statement, pending = "", ""
    return found


def piece_starts_line(body, piece):
    before = body[:body.find(piece)]
    return not before[before.rfind("\n") + 1:].strip()


def names_in(declaration):
    pointer = re.search(r"\(\*(\w+)\)", declaration)
    if pointer:
        return pointer.group(1)
    text = re.sub(r"\[.*?\]", "", declaration.split("=")[0])
    return ", ".join(part.split()[-1].lstrip("*") for part in text.split(","))


def unquote(words):
    """The text of adjacent string literals."""
    return "".join(re.findall(r'"([^"]*)"', words))


def expand(text):
    """The X macros of a header: name to enumerators with comments."""
    macros = {}
    for match in re.finditer(r"#define (MOAT_\w+_MAP)\(X\)((?:.*\\\n)+.*)",
                             text):
        rows = re.findall(r"X\((\w+),\s*(-?\d+),\s*((?:\"[^\"]*\"\s*)+)\)",
                          match.group(2).replace("\\\n", " "))
        macros[match.group(1)] = "".join(
            f"/* {sentence(unquote(words))} */\n{name} = {number},\n"
            for name, number, words in rows)
    return macros


def type_page(declaration, header, doc, macros):
    match = re.match(r"\s*typedef (struct|enum) (\w+)\s*\{(.*)\}\s*\w+\s*$",
                     declaration, re.S)
    if match:
        kind, name, body = match.groups()
        members = members_of(kind, body, macros)
        ends = ";" if kind == "struct" else ","
        shown = "".join(f"    {m[0]}{ends}\n" for m in members)
        return Page(name, kind, header, doc,
                    [f"typedef {kind} {name} {{\n{shown}}} {name}"],
                    [(m[1], m[2]) for m in members if m[2]])
    match = re.search(r"\(\*(moat_\w+)\)\(", declaration)
    if match:
        return Page(match.group(1), "callback", header, doc,
                    [squeeze(code_of(declaration))])
    complain(header, "a comment that begins with /** stands before: "
             + squeeze(declaration)[:60])
    return None


def read(path, pages, functions):
    text = path.read_text()
    macros = expand(text)
    functions.update((name, (shown, path.name))
                     for name, shown in public_functions(text).items()
                     if name not in functions)
    for match in re.finditer(r"/\*\*(.*?)\*/", text, re.S):
        declaration = declaration_after(text, match.end())
        doc = parse(match.group(1))
        name = function_name(declaration)
        if "typedef" in declaration or not name:
            page = type_page(declaration, path.name, doc, macros)
        else:
            page = Page(name, "function", path.name, doc,
                        [prototype(declaration)],
                        inline="MOAT_API_INLINE" in declaration)
        if page and page.name not in pages:
            pages[page.name] = page
