#!/usr/bin/python3
"""build.py: writes the HTML guide and reference.

  build.py FOLDER

FOLDER/source gets the pages, made from README.md, docs/*.md and the public
headers; FOLDER/html what Sphinx makes of them, and the files that they link to. A
warning of Sphinx, such as a link to a heading that does not exist, fails the
run. Exit status 77: Sphinx, its theme or its Markdown parser is not installed.

SPDX-License-Identifier: MIT
"""
import importlib.util
import pathlib
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from files import write_files  # noqa: E402
from guide import write_guide  # noqa: E402
from reference import write_reference  # noqa: E402

PACKAGES = {"sphinx": "python3-sphinx", "myst_parser": "python3-myst-parser",
            "furo": "furo"}


def require_packages():
    missing = [package for module, package in PACKAGES.items()
               if importlib.util.find_spec(module) is None]
    if missing:
        print("skipped: not installed:", *missing)
        sys.exit(77)


def version():
    text = (ROOT / "CMakeLists.txt").read_text()
    return re.search(r"project\(moat VERSION (\S+)", text)[1]


def main():
    require_packages()
    folder = pathlib.Path(sys.argv[1])
    source, html = folder / "source", folder / "html"
    for old in (source, html):
        shutil.rmtree(old, ignore_errors=True)
    source.mkdir(parents=True)
    headers = write_reference(ROOT, source)
    linked = write_guide(ROOT, source, headers)
    write_files(ROOT, html / "files", linked)
    run = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-j2", "-W", "--keep-going",
         "-b", "html", "-c", HERE, "-d", folder / "doctrees",
         "-D", f"release={version()}", source, html], check=False)
    sys.exit(run.returncode)


main()
