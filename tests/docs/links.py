#!/usr/bin/env python3
"""links.py: checks that every local link of HTML pages leads to a file, and to
an element of that name in it.

  links.py FOLDER

SPDX-License-Identifier: MIT
"""
import html.parser
import pathlib
import sys
import urllib.parse

FEWEST = 2000


class Page(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.links, self.names = set(), set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        for key, value in attrs:
            if key in ("id", "name"):
                self.names.add(value)
            elif key in ("href", "src") and value:
                self.links.add(value)


def leads_nowhere(path, link, pages):
    parts = urllib.parse.urlsplit(link)
    if parts.scheme or parts.netloc:
        return False
    target = path
    if parts.path:
        target = (path.parent / urllib.parse.unquote(parts.path)).resolve()
    if not target.is_file():
        return True
    fragment = urllib.parse.unquote(parts.fragment)
    return bool(fragment and target in pages
                and fragment not in pages[target].names)


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    pages = {path: Page(path) for path in sorted(root.rglob("*.html"))}
    count, dead = 0, []
    for path, page in pages.items():
        for link in sorted(page.links):
            count += 1
            if leads_nowhere(path, link, pages):
                dead.append(f"{path.relative_to(root)}: {link}")
    print(f"{len(pages)} pages, {count} links, {len(dead)} dead")
    if count < FEWEST:
        dead.append(f"fewer than {FEWEST} links")
    print("\n".join(dead))
    sys.exit(bool(dead))


main()
