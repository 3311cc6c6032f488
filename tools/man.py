#!/usr/bin/python3
"""man.py: writes the manual pages of section 3 from the public headers.

  man.py --version VERSION --examples FOLDER... --output FOLDER HEADER...

Each function, and each type whose comment begins with /**, gets a page. The
comment is the only source: its first sentence becomes NAME, its paragraphs
DESCRIPTION, @param the parameters, @return RETURN VALUE and ERRORS, and the
labels at its end (Thread-safety: and so on) the remaining sections. A program
FOLDER/NAME.c among the examples becomes EXAMPLES of the page NAME.

A comment may also have, between its paragraphs,

  - items like this one, and
  TERM
    with its explanation, indented by two more columns.

@also NAME, ... names functions that the same comment describes; each gets the
same page, and so does a type that has none and whose objects the function
makes: moat_task of moat_task_spawn. A @return that begins with "as moat_x"
takes over the errors of that function.

The run fails, and names the declaration, if a public function has no comment or
a comment lacks a part that its declaration needs.

SPDX-License-Identifier: MIT
"""
import argparse
import pathlib
import re
import sys

sys.dont_write_bytecode = True
from manual.headers import COMMENT, read  # noqa: E402
from manual.pages import Writer, reachable  # noqa: E402
from manual.required import check, inherit  # noqa: E402
from manual.text import complain, problems  # noqa: E402


def read_all(headers):
    """The pages by name, and what is wrong with them in `problems`."""
    pages, functions = {}, {}
    identifiers = {"moat_sigsegv_source"}  # of another library
    for path in headers:
        read(path, pages, functions)
        identifiers.update(re.findall(r"\b(?:moat|MOAT)_\w+",
                                      COMMENT.sub("", path.read_text())))
    check(pages, functions, identifiers)
    inherit(pages)
    for page in pages.values():
        page.synopsis += [functions[name][0] for name in page.doc.also
                          if name in functions]
    return pages


def made_types(headers, pages):
    """By function: the type without a page of which it makes objects."""
    types = {}
    for path in headers:
        for name in re.findall(r"^typedef struct (moat_\w+) \1;",
                               path.read_text(), re.MULTILINE):
            makers = [f"{name}_{verb}" for verb in ("create", "open", "spawn")]
            makers = [maker for maker in makers if maker in pages]
            if name not in pages and makers:
                types[makers[0]] = name
    return types


def read_examples(folders, pages):
    examples = {path.stem: path.read_text()
                for folder in folders for path in folder.glob("*.c")}
    for name in sorted(set(examples) - set(pages)):
        complain(f"{name}.c", "an example of no page")
    return examples


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", required=True)
    parser.add_argument("--examples", type=pathlib.Path, required=True,
                        nargs="+")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("headers", type=pathlib.Path, nargs="+")
    arguments = parser.parse_args()

    pages = read_all(arguments.headers)
    examples = read_examples(arguments.examples, pages)
    if problems:
        sys.exit("\n".join(problems))

    umbrella = reachable(arguments.headers)
    types = made_types(arguments.headers, pages)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for old in arguments.output.glob("*.3"):
        old.unlink()
    for page in pages.values():
        text = Writer(page, pages, umbrella).write(
            arguments.version, examples.get(page.name))
        made = [types[page.name]] if page.name in types else []
        for name in [page.name, *page.doc.also, *made]:
            (arguments.output / f"{name}.3").write_text(text)


main()
