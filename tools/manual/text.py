"""text.py: what is done to plain text, and the problems found.

SPDX-License-Identifier: MIT
"""
import re

problems = []


def complain(where, text):
    problems.append(f"{where}: {text}")


def squeeze(text):
    return " ".join(text.split())


def sentence(text):
    """With a capital, unless it begins with a name, and a full stop."""
    if re.match(r"[a-z]+\b(?![_(>.-])", text):
        text = text[0].upper() + text[1:]
    return text if text.endswith(".") else text + "."
