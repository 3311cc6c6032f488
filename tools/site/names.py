"""names.py: an extension of Sphinx. A name of the API between backticks becomes
a link to its description, and "tree:PATH" a link to the page of that file.

SPDX-License-Identifier: MIT
"""
import re

from docutils import nodes

NAME = re.compile(r"((?:moat|MOAT)_\w+)(?:\(\)|\.\w+)?$")


class Names:
    """The page and the anchor of each name; found once."""

    def __init__(self):
        self.found = None

    def get(self, env):
        if self.found is None:
            objects = env.get_domain("c").get_objects()
            # An enumerator's name begins with that of its enumeration.
            self.found = {name.split(".")[-1]: (page, anchor)
                          for name, _, _, page, anchor, _ in objects}
        return self.found


names = Names()


def enclosing(literal):
    """The names that the description around a literal is of."""
    node = literal.parent
    while node is not None:
        if node.tagname == "desc":
            return {name for signature in node.findall(nodes.Element)
                    if signature.tagname == "desc_signature"
                    for name in signature.get("ids", [])}
        node = node.parent
    return set()


def link_names(app, doctree, page):
    targets = names.get(app.env)
    for literal in list(doctree.findall(nodes.literal)):
        match = NAME.match(literal.astext())
        target = targets.get(match[1]) if match else None
        inside = isinstance(literal.parent, (nodes.reference, nodes.title))
        if target is None or inside or target[1] in enclosing(literal):
            continue
        uri = app.builder.get_relative_uri(page, target[0]) + "#" + target[1]
        reference = nodes.reference("", "", internal=True, refuri=uri)
        literal.replace_self(reference)
        reference += literal


def link_files(doctree, page):
    up = "../" * page.count("/")
    for reference in doctree.findall(nodes.reference):
        uri = reference.get("refuri", "")
        if uri.startswith("tree:"):
            reference["refuri"] = f"{up}files/{uri[len('tree:'):]}.html"
            reference["classes"] = []


def link(app, doctree, page):
    link_names(app, doctree, page)
    link_files(doctree, page)


def setup(app):
    app.connect("doctree-resolved", link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
