"""files.py: a page for each file that the guide links to: its text, or the list
of a folder. Sphinx would take half a minute for so many.

SPDX-License-Identifier: MIT
"""
import html
import pygments
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - moat</title>
<link rel="stylesheet" href="{root}_static/pygments.css">
<link rel="stylesheet" href="{root}_static/styles/furo.css">
<link rel="stylesheet" href="{root}_static/moat.css">
<script src="{root}_static/theme.js"></script>
</head>
<body data-theme="auto" class="file">
<h1><a href="{root}index.html">moat</a> / {title}</h1>
{body}
</body>
</html>
"""


def lexer_of(path):
    try:
        return get_lexer_for_filename(path.name)
    except ClassNotFound:
        return TextLexer()


def page_of(path):
    """The name of the page, in the folder of the file."""
    return path.name + ".html"


class Files:
    def __init__(self, root, folder):
        self.root = root
        self.folder = folder
        self.done = set()

    def write(self, path):
        if path in self.done:
            return
        self.done.add(path)
        relative = path.relative_to(self.root)
        page = self.folder / relative.parent / page_of(path)
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(PAGE.format(
            title=html.escape(str(relative)),
            root="../" * len(relative.parts),
            body=self.listing(path) if path.is_dir() else self.text(path)))

    def text(self, path):
        return pygments.highlight(path.read_text(), lexer_of(path),
                                  HtmlFormatter())

    def listing(self, path):
        items = []
        for entry in sorted(path.iterdir()):
            if entry.name.startswith((".", "__")):
                continue
            self.write(entry)
            name = html.escape(entry.name)
            items.append(f'<li><a href="{path.name}/{page_of(entry)}">'
                         f"{name}</a></li>")
        return "<ul>\n" + "\n".join(items) + "\n</ul>"


def write_files(root, folder, paths):
    files = Files(root, folder)
    for path in paths:
        files.write(path)
