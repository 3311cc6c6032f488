"""conf.py: how Sphinx makes HTML of the pages that build.py writes.

SPDX-License-Identifier: MIT
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

project = "moat"
extensions = ["myst_parser", "names"]
myst_heading_anchors = 4
myst_url_schemes = ("http", "https", "tree")
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
highlight_language = "none"
pygments_style = "friendly"
pygments_dark_style = "native"
html_theme = "furo"
html_title = "moat"
html_static_path = ["static"]
html_css_files = ["moat.css"]
html_js_files = ["theme.js"]
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
html_permalinks_icon = "#"
