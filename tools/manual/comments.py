"""comments.py: takes the comments of declarations apart.

SPDX-License-Identifier: MIT
"""
import re
from dataclasses import dataclass, field

from manual.text import complain, squeeze

LABELS = ("Ownership", "Thread-safety", "Signal-safety", "Legal in", "Cost",
          "See also")


@dataclass
class Doc:
    """A comment, taken apart."""
    summary: str = ""
    blocks: list = field(default_factory=list)  # of (kind, ...), see blocks()
    params: list = field(default_factory=list)  # of (name, is_output, text)
    also: list = field(default_factory=list)
    result: str = ""
    errors: list = field(default_factory=list)  # of (statuses, text)
    misplaced: list = field(default_factory=list)  # statuses inside a line
    labels: dict = field(default_factory=dict)


def comment_lines(comment):
    lines = [re.sub(r"^[ \t]*\* ?", "", line) for line in comment.split("\n")]
    lines[0] = lines[0].strip()
    return [line.rstrip() for line in lines]


def parts(lines):
    """Splits a comment into its text and its tagged parts."""
    tag = re.compile(r"@\w+(\[out\])?\s|(%s):\s" % "|".join(LABELS))
    text, tagged = [], []
    for line in lines:
        if tag.match(line + " "):
            tagged.append([line])
        elif not tagged:
            text.append(line)
        elif line.strip():
            tagged[-1].append(line)
    return text, tagged


def blocks(lines):
    """Paragraphs ["text", text], items ["item", text] and terms ["term", term,
    text]."""
    found = []
    for line in lines + [""]:
        stripped = line.strip()
        if not stripped:
            found.append(None)
        elif line.startswith("- "):
            found.append(["item", stripped[2:]])
        elif re.match(r"  \S", line) and not (found and found[-1]
                                              and found[-1][0] == "item"):
            found.append(["term", stripped, ""])
        elif found and found[-1]:
            found[-1][-1] = (found[-1][-1] + " " + stripped).strip()
        else:
            found.append(["text", stripped])
    return [block for block in found if block]


def parse_result(doc, lines):
    text = [lines[0].removeprefix("@return").strip()]
    for line in lines[1:]:
        doc.misplaced += re.findall(r"\S +(MOAT_E_\w+) {2,}\S", line)
        row = re.match(r" +(MOAT_E_\w+(?:, MOAT_E_\w+)*) {2,}(.*)", line)
        if row:
            doc.errors.append([row.group(1), row.group(2)])
        elif doc.errors:
            doc.errors[-1][1] += " " + line.strip()
        else:
            text.append(line.strip())
    doc.result = " ".join(text)


def parse(comment):
    doc = Doc()
    text, tagged = parts(comment_lines(comment))
    doc.blocks = blocks(text)
    if doc.blocks and doc.blocks[0][0] == "text":
        first = re.match(r"(.*?\.)(?: (?=[A-Z`])|$)", doc.blocks[0][1])
        doc.summary = first.group(1) if first else ""
        doc.blocks[0][1] = doc.blocks[0][1][len(doc.summary):].strip()
    for lines in tagged:
        whole = squeeze(" ".join(lines))
        if whole.startswith("@return"):
            parse_result(doc, lines)
        elif match := re.match(r"@param(\[out\])? (\w+) (.*)", whole):
            doc.params.append((match[2], bool(match[1]), match[3]))
        elif match := re.match(r"@also (.*)", whole):
            doc.also = re.findall(r"\w+", match[1])
        elif match := re.match(r"([A-Z][a-z- ]+): (.*)", whole):
            doc.labels[match[1]] = match[2]
        else:
            complain(lines[0], "not understood")
    return doc
