"""pages.py: writes the pages.

SPDX-License-Identifier: MIT
"""
import re
import textwrap

from manual.text import sentence, squeeze

WORD = re.compile(
    r"`[^`]+`"                            # code
    r"|\bmoat_\w+(?:\.\w+)?\b(?!\.h)"     # a name, perhaps with a member
    r"|\bMOAT_[A-Z]\w*(?:\.\.\.)?"
    r"|\b[a-z]\w+(?:\\-\w+)*(?=\([1-8]\))")  # another manual page
LINKAGE = ("The function is inline. With MOAT_NO_INLINE defined the header "
           "declares the same symbol out of line, as the library exports it "
           "for foreign-function interfaces.")
PLAIN_DATA = ("The type is plain data without any lock. The pages of the "
              "functions that use it say\nwhere they may be called.")


def section(title):
    return f'.SH "{title}"' if " " in title else f".SH {title}"


class Writer:
    """Renders one page. Collects the pages that it refers to in `seen`."""

    def __init__(self, page, pages, umbrella):
        self.page = page
        self.pages = pages
        self.umbrella = umbrella
        self.targets = {name: each for each in pages.values()
                        for name in [each.name, *each.doc.also]}
        self.params = [name for name, _, _ in page.doc.params]
        self.seen = set()

    def mark(self, match):
        """The font of a word, and a reference if it has a page."""
        word = match.group().strip("`")
        name = re.match(r"\w*", word).group()
        if self.targets.get(name, self.page) is not self.page:
            self.seen.add(name)
            if word == name:
                return rf"\fB{word}\fP(3)"
        return rf"\fI{word}\fP" if word in self.params else rf"\fB{word}\fP"

    def roff(self, text):
        text = text.replace("\\", "\\e").replace("-", "\\-")
        lines = textwrap.wrap(WORD.sub(self.mark, text), 96,
                              break_long_words=False, break_on_hyphens=False)
        return "\n".join("\\&" + line if line[0] in ".'" else line
                         for line in lines)

    def tagged(self, term, text):
        return [".TP", term, self.roff(sentence(text))]

    def synopsis(self):
        page = self.page
        header = "moat.h" if page.header in self.umbrella else page.header
        out = [section("SYNOPSIS"), ".nf", rf"\fB#include <moat/{header}>\fP"]
        for shown in page.synopsis:
            if page.kind in ("function", "callback"):
                shown = wrap_prototype(shown)
            shown = shown.replace("-", "\\-")
            out += [".PP", rf"\fB{shown};\fP"]
        return out + [".fi"]

    def opening(self):
        page, summary = self.page, self.page.doc.summary
        if page.kind == "function" and not page.doc.also:
            return [f".BR {page.name} ()",
                    self.roff(summary[0].lower() + summary[1:])]
        return [self.roff(summary)]

    def description(self):
        page, out = self.page, self.opening()
        for index, block in enumerate(page.doc.blocks):
            if not block[-1]:
                continue
            if block[0] == "term":
                out += [".TP", self.roff(block[1])]
            elif block[0] == "item":
                out.append(".IP \\(bu 2")
            elif index:
                out.append(".PP")
            out.append(self.roff(block[-1]))
        if page.doc.params:
            out.append(".SS Parameters")
        for name, is_output, text in page.doc.params:
            term = rf"\fI{name}\fP" + (" (output)" if is_output else "")
            out += self.tagged(term, text)
        if page.members:
            out.append(".SS " + ("Values" if page.kind == "enum" else "Fields"))
        for names, text in page.members:
            out += self.tagged(rf"\fB{names}\fP", text)
        return [section("DESCRIPTION"), *out]

    def results(self):
        doc, out = self.page.doc, []
        if doc.result:
            text = doc.result
            if doc.errors:
                text += " one of the errors below"
            out += [section("RETURN VALUE"), self.roff(sentence(text))]
        elif self.page.kind == "function":
            out += [section("RETURN VALUE"), "None."]
        if doc.errors:
            out.append(section("ERRORS"))
        for status, text in doc.errors:
            out += self.tagged(rf"\fB{status}\fP",
                               quote_parameters(text, self.params))
        return out

    def notes(self):
        labels, out = self.page.doc.labels, []
        for label, title in (("Legal in", "States"), ("Ownership", "Ownership"),
                             ("Cost", "Cost")):
            if label in labels:
                out += self.tagged(title, labels[label])
        if self.page.inline:
            out += self.tagged("Linkage", LINKAGE)
        return [section("NOTES"), *out] if out else []

    def safety(self):
        labels, kind = self.page.doc.labels, self.page.kind
        out = [section("THREAD AND SIGNAL SAFETY")]
        if kind == "function":
            out += self.tagged("Threads", labels["Thread-safety"])
            out += self.tagged("Signal handlers", labels["Signal-safety"])
        elif kind == "callback":
            out.append("The description says on which thread, and where, the "
                       "function is called.")
        else:
            out.append(PLAIN_DATA)
        return out

    def see_also(self):
        page, names = self.page, set(self.seen)
        names.update(re.findall(r"\w+", page.doc.labels.get("See also", "")))
        names.update(re.findall(r"\w+", " ".join(page.synopsis)))
        if page.kind != "function" and page.name != "moat_status":
            names.update(
                other.name for other in self.pages.values()
                if other.header != "co_inline.h"
                and re.search(rf"\b{page.name}\b", other.synopsis[0]))
        names = sorted(name for name in names - {"moat_status"}
                       if self.targets.get(name, page) is not page)
        return [section("SEE ALSO"), *(f".BR {name} (3)," for name in names),
                ".BR moat (7)"]

    def example(self, text):
        if not text:
            return []
        match = re.match(r"/\*\n \* \S+: (.*?)\n \*\n.*?\*/\n(.*)", text, re.S)
        words = squeeze(re.sub(r"\n \* ?", " ", match.group(1)))
        code = match.group(2).strip().replace("\\", "\\e").replace("-", "\\-")
        code = re.sub(r"^(?=[.'])", r"\\&", code, flags=re.M)
        return [section("EXAMPLES"), self.roff(words), ".PP", ".in +4n", ".EX",
                code, ".EE", ".in"]

    def write(self, version, example):
        page = self.page
        names = ", ".join([page.name, *page.doc.also])
        summary = page.doc.summary.rstrip(".").replace("`", "")
        summary = (summary[0].lower() + summary[1:]).replace("-", "\\-")
        return "\n".join([
            f'.\\" Generated from moat/{page.header} by tools/man.py.',
            '.\\" SPDX-License-Identifier: MIT',
            f'.TH {page.name.upper()} 3 "" "moat {version}" "moat manual"',
            section("NAME"), f"{names} \\- {summary}",
            *self.synopsis(), *self.description(), *self.results(),
            *self.notes(), *self.safety(), *self.example(example),
            *self.see_also()]) + "\n"


def wrap_prototype(shown):
    """Breaks lines between parameters only."""
    joined = re.sub(r"(?<!,) ", "\0", shown)
    if len(joined.split(" ")[0]) > 68:
        joined = joined.replace("(", "( ", 1)
    return "\n".join(textwrap.wrap(joined, 68, subsequent_indent="    ",
                                   break_long_words=False)).replace("\0", " ")


def quote_parameters(text, names):
    """Puts parameters that a condition begins with between backticks."""
    if not names:
        return text
    one = "(?:%s)" % "|".join(names)
    subject = rf"(?<![\w`]){one}(?:, {one})*(?: or {one})?(?= (?:is|has)\b)"
    return re.sub(subject, lambda match: re.sub(rf"\b{one}\b", r"`\g<0>`",
                                                match.group()), text)


def reachable(headers):
    """The names of the headers that moat.h includes, directly or not."""
    texts = {path.name: path.read_text() for path in headers}
    found, todo = set(), ["moat.h"]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += re.findall(r"#include <moat/(?:switch/)?([\w.]+)>",
                               texts.get(name, ""))
    return found
