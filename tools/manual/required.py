"""required.py: what the comment of each declaration must have.

SPDX-License-Identifier: MIT
"""
import re

from manual.text import complain, sentence


def parameters(shown):
    inner = shown[shown.index("(") + 1:shown.rindex(")")]
    inner = re.sub(r"\(\*(\w+)\)\([^)]*\)", r"\1", inner)
    return [re.findall(r"\w+", one)[-1] for one in inner.split(",")
            if one.strip() != "void"]


def check_function(page, known):
    doc, shown = page.doc, page.synopsis[0]
    wanted = [] if doc.also else parameters(shown)
    given = [name for name, _, _ in doc.params]
    where = f"{page.header}: {page.name}"
    for name in wanted:
        if name not in given:
            complain(where, f"no @param {name}")
    for name in given:
        if name not in wanted:
            complain(where, f"there is no parameter {name}")
    void = shown.startswith("void moat_")
    if void == bool(doc.result) and not (void and doc.also):
        complain(where, "@return of a void function" if void else "no @return")
    if shown.startswith("moat_status") and not doc.also and not re.search(
            r"MOAT_OK|as moat_", doc.result):
        complain(where, "@return does not mention MOAT_OK")
    labels = ["Thread-safety", "Signal-safety"]
    if re.search(r"\bmoat_co \*\w", shown[shown.index("("):]):
        labels.append("Legal in")
    for label in labels:
        if label not in doc.labels:
            complain(where, f"no {label}:")
    # As after a formatter has joined the lines of a list.
    for status in doc.misplaced:
        complain(where, f"{status} does not begin a line")
    for name in doc.also:
        if name not in known:
            complain(where, f"@also: there is no {name}")


def inherit(pages):
    """@return as moat_x: the results and errors of moat_x, and its own."""
    for page in pages.values():
        match = re.match(r"as (moat_\w+)", page.doc.result)
        if not match or match[1] not in pages:
            continue
        other = pages[match[1]].doc
        own = dict(page.doc.errors)
        page.doc.result = other.result
        page.doc.errors = [[status, text + (". " + sentence(own.pop(status))
                                            if status in own else "")]
                           for status, text in other.errors]
        page.doc.errors += own.items()


def words_of(doc):
    texts = [doc.summary, doc.result, *doc.labels.values()]
    texts += [text for block in doc.blocks for text in block[1:]]
    texts += [text for _, _, text in doc.params]
    texts += [part for row in doc.errors for part in row]
    return " ".join(texts)


def check(pages, functions, identifiers):
    described = set(pages)
    for page in pages.values():
        described.update(page.doc.also)
    for name, (_, header) in functions.items():
        if name not in described:
            complain(header, f"{name} has no comment")
    for page in pages.values():
        where = f"{page.header}: {page.name}"
        if not page.doc.summary:
            complain(where, "the comment does not begin with a sentence")
        if page.kind == "function":
            check_function(page, functions)
        texts = words_of(page.doc) + " ".join(text for _, text in page.members)
        words = re.findall(r"\b(?:moat_[a-z0-9_]+|MOAT_E_[A-Z]\w*)\b", texts)
        for word in sorted(set(words) - identifiers):
            complain(where, f"there is no {word}")
