"""guide.py: the pages of the guide, from the Markdown files of the tree.

Links between the files become links between pages, one to a public header a link
to its page of the reference, one to another file a link "tree:PATH", of which
names.py and files.py make a page.

SPDX-License-Identifier: MIT
"""
import re

# Captions of the navigation, and the pages below each. A page that is not named
# comes last, so that none is lost.
CHAPTERS = {
    "Start": "tutorial cookbook building what-ends-a-host threat-model",
    "Guests": "stacks memory malloc libc jit record garbage-collectors "
              "lua-sandbox sources system-calls",
    "Tasks": "scheduler io http locks generators cxx",
    "Finding faults": "report debugging sanitizers",
    "Tables": "states signal-safety performance",
    "The project": "architecture testing fuzzing porting backends "
                   "CONTRIBUTING SECURITY CHANGELOG",
}
HIDDEN = "```{toctree}\n:hidden:\n:titlesonly:\n"
LINK = re.compile(r"\]\(([^)\s]+)\)")


class Guide:
    def __init__(self, root, source, headers):
        self.root = root
        self.source = source
        self.headers = headers  # public header: page
        self.files = set()      # that have a page
        documents = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
        documents += [root / f"{name}.md" for name in
                      ("CHANGELOG", "CONTRIBUTING", "SECURITY")]
        self.pages = {path: "index" if path.stem == "README" else path.stem
                      for path in documents}

    def page_of(self, path):
        """The page of a file, as a link to it is written (see files.py)."""
        relative = str(path.relative_to(self.root))
        if path in self.pages:
            return self.pages[path] + ".md"
        if relative in self.headers:
            return self.headers[relative] + ".rst"
        self.files.add(path)
        return f"tree:{relative}"

    def rewrite(self, path, text):
        def target(match):
            where, _, anchor = match[1].partition("#")
            if "://" in where or not where:
                return match[0]
            page = self.page_of((path.parent / where).resolve())
            return f"]({page}{'#' if anchor else ''}{anchor})"
        # Not in code: a lambda looks like a link.
        parts = re.split(r"(^```.*?^```)", text, flags=re.M | re.S)
        return "".join(part if part.startswith("```")
                       else LINK.sub(target, part) for part in parts)

    def navigation(self):
        left = sorted(set(self.pages.values()) - {"index"})
        out = []
        for caption, names in CHAPTERS.items():
            names = [name for name in names.split() if name in left]
            left = [name for name in left if name not in names]
            if caption == "The project":
                names += left
            out.append("\n".join([HIDDEN + f":caption: {caption}", "", *names,
                                  "```"]))
        return out

    def write(self):
        for path, name in self.pages.items():
            text = self.rewrite(path, path.read_text())
            text = re.sub(r"^<!-- check: .*-->\n", "", text, flags=re.M)
            text = text.replace("```asm\n", "```\n")
            if name == "index":
                reference = HIDDEN + ":caption: Reference\n\nreference/index\n```"
                text = "\n\n".join([text, *self.navigation(), reference])
            (self.source / f"{name}.md").write_text(text)


def write_guide(root, source, headers):
    """Writes the pages; returns the other files that they link to."""
    guide = Guide(root, source, headers)
    guide.write()
    return guide.files
