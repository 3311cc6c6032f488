"""reference.py: the pages of the reference, one for each public header.

The comments of the headers are read as for the manual pages (tools/manual).

SPDX-License-Identifier: MIT
"""
import re
import sys

from manual.comments import comment_lines
from manual.headers import COMMENT, read
from manual.pages import quote_parameters
from manual.required import inherit
from manual.text import problems, sentence, squeeze

LIBRARIES = {"moat": "include/moat", "moat-sched": "sched/include/moat",
             "moat-uv": "uv/include/moat",
             "moat-malloc": "malloc/include/moat",
             "moat-sigsegv": "sigsegv/include/moat"}
# Between backticks already, or a name of the API.
WORD = re.compile(r"`[^`]+`|\b(?:moat|MOAT)_\w+(?:\.\w+)?\b(?!\.h)")
LABELS = ("Legal in", "Ownership", "Cost", "Thread-safety", "Signal-safety",
          "See also")
INTRODUCTION = """\
All functions, types and callbacks of the public headers. Each description has
the same parts: parameters, results, errors, the states in which the call is
legal, ownership, and what it may be called from (threads, signal handlers).
The manual pages say the same: ``man moat_co_resume``.
"""


def markup(text):
    """As reStructuredText: names and code in the font of code. Its marks need
    white space around them, which the backslash hides."""
    out, end = "", 0
    for match in WORD.finditer(text):
        out += escape(text[end:match.start()])
        out += "\\ " if out and not out[-1].isspace() else ""
        out += f"``{match[0].strip('`')}``"
        end = match.end()
        out += "" if text[end:end + 1].isspace() else "\\ "
    return out + escape(text[end:])


def escape(text):
    return re.sub(r"([\\*|_`])", r"\\\1", text)


def indent(lines, columns=3):
    return [" " * columns + line if line else "" for line in lines]


def description(page):
    doc, out = page.doc, [markup(page.doc.summary), ""]
    for block in doc.blocks:
        if not block[-1]:
            continue
        text = markup(block[-1])
        if block[0] == "term":
            out += [markup(block[1]), f"   {text}", ""]
        elif block[0] == "item":
            out += [f"* {text}", ""]
        else:
            out += [text, ""]
    return out


def parameters(page):
    return [f":param {name}: " + ("(output) " if is_output else "")
            + markup(sentence(text)) for name, is_output, text
            in page.doc.params]


def results(page):
    doc = page.doc
    if not doc.result:
        return []
    more = " one of the errors below" if doc.errors else ""
    return [f":returns: {markup(sentence(doc.result + more))}"]


def errors(page):
    names = [name for name, _, _ in page.doc.params]
    if not page.doc.errors:
        return []
    out = [".. list-table::", "   :widths: 1 3", ""]
    for status, text in page.doc.errors:
        text = markup(sentence(quote_parameters(text, names)))
        out += [f"   * - {markup(status)}", f"     - {text}"]
    return out + [""]


def labels(page):
    return [f":{label}: {markup(sentence(page.doc.labels[label]))}"
            for label in LABELS if label in page.doc.labels]


def members(page):
    out = []
    for names, text in page.members:
        text = markup(sentence(text))
        if page.kind == "enum":
            out += [f".. c:enumerator:: {names}", "", f"   {text}", ""]
        else:
            out += [f"``{names}``", f"   {text}", ""]
    return out


def directive(page):
    """The kind of the declaration for Sphinx, and its signatures."""
    if page.kind == "function":
        return "function", page.synopsis
    if page.kind == "callback":
        return "type", [page.synopsis[0].removeprefix("typedef ")]
    return page.kind, [page.name]


def example(text):
    """A program of docs/man/examples, below the words of its comment."""
    match = re.match(r"/\*\n \* \S+: (.*?)\n \*\n.*?\*/\n(.*)", text, re.S)
    words = squeeze(re.sub(r"\n \* ?", " ", match[1]))
    return [".. rubric:: Example", "", markup(words), "", ".. code-block:: c",
            "", *indent(match[2].strip().split("\n")), ""]


def declaration(page, program):
    kind, signatures = directive(page)
    head = f".. c:{kind}:: "
    body = description(page)
    if page.kind == "struct":
        body += [".. code-block:: c", "",
                 *indent((page.synopsis[0] + ";").split("\n")), ""]
    body += members(page)
    body += [*parameters(page), *results(page), "", *errors(page),
             *labels(page), ""]
    if program:
        body += example(program)
    first, *others = [squeeze(one) for one in signatures]
    return [head + first, *(" " * len(head) + one for one in others), "",
            *indent(body), ""]


def title(text, line):
    return [text, line * len(text), ""]


def opening(text):
    """The paragraphs of the comment at the head of a header."""
    lines = comment_lines(COMMENT.search(text).group()[2:-2])
    words = "\n".join(lines).split("SPDX-")[0].rstrip()
    words = re.sub(r"\A\s*[\w.]+: ", "", words)
    return re.split(r"\n\s*\n", words)


def sections(text):
    """The opening as text; indented parts stay as they are."""
    out = []
    for part in opening(text):
        if part.startswith("  "):
            out += ["::", "", *indent(part.split("\n")), ""]
            continue
        words = squeeze(part)
        out += [markup(words[0].upper() + words[1:]), ""]
    return out


class Reference:
    def __init__(self, root, folder):
        self.root = root
        self.folder = folder
        self.pages = {}      # declarations by name
        self.functions = {}  # prototypes by name
        self.headers = []    # of (path, library, declarations)
        self.programs = {path.stem: path.read_text() for path
                         in (root / "docs/man/examples").glob("**/*.c")}

    def read(self, path, library):
        known = set(self.pages)
        read(path, self.pages, self.functions)
        self.headers.append((path, library, [
            page for name, page in self.pages.items() if name not in known]))

    def read_all(self):
        for library, where in LIBRARIES.items():
            for path in sorted((self.root / where).glob("**/*.h*")):
                if path.suffix != ".hpp":
                    self.read(path, library)
        for page in self.pages.values():
            page.synopsis += [self.functions[name][0] for name in page.doc.also
                              if name in self.functions]
        inherit(self.pages)

    def write_header(self, path, declarations):
        name = include_name(self.root, path)
        lines = [*title(name, "="), ".. code-block:: c", "",
                 f"   #include <{name}>", "", *sections(path.read_text())]
        for page in declarations:
            lines += [*title(page.name, "-"), *declaration(
                page, self.programs.get(page.name))]
        (self.folder / f"{path.stem}.rst").write_text("\n".join(lines))

    def write(self):
        index = [*title("Reference", "="), INTRODUCTION]
        for library in LIBRARIES:
            mine = [path for path, its, _ in self.headers if its == library]
            index += [*title(library, "-"), ".. toctree::", "   :hidden:",
                      "   :titlesonly:", "",
                      *(f"   {path.stem}" for path in mine), ""]
            for path in mine:
                words = squeeze(opening(path.read_text())[0])
                index += [f":doc:`{include_name(self.root, path)} "
                          f"<{path.stem}>`", f"   {markup(words[0].upper() + words[1:])}", ""]
        (self.folder / "index.rst").write_text("\n".join(index))
        for path, _, declarations in self.headers:
            self.write_header(path, declarations)
        return {str(path.relative_to(self.root)): f"reference/{path.stem}"
                for path, _, _ in self.headers}


def include_name(root, path):
    """As programs write it: moat/co.h."""
    return str(path.relative_to(root)).split("include/")[1].removesuffix(".in")


def write_reference(root, source):
    """Writes the pages; returns the page of each header."""
    folder = source / "reference"
    folder.mkdir()
    reference = Reference(root, folder)
    reference.read_all()
    found = reference.write()
    if problems:
        sys.exit("\n".join(problems))
    return found
