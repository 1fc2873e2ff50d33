# SPDX-License-Identifier: Apache-2.0
#
# house.py: what the house rules (tools/check_*) have in common: the files of the tree, C code
# without its comments and strings, and the way to report.
#
# A rule is a function from the root of a tree to pairs (place, what is wrong and what to do).
# Its program prints them and exits 1 if there are any; `--root DIR` looks at another tree.
import os
import re
import sys

C_SUFFIXES = (".c", ".h", ".inc", ".cc", ".cpp")
SKIPPED_FOLDERS = {"build", ".git", "demo-out", "__pycache__", "node_modules"}


def files(root, *suffixes, under=("",)):
    """Paths relative to root of the files that end in one of the suffixes, sorted."""
    found = []
    for top in under:
        for folder, names, leaves in os.walk(os.path.join(root, top)):
            names[:] = sorted(name for name in names if name not in SKIPPED_FOLDERS)
            for leaf in leaves:
                path = os.path.join(folder, leaf)
                if leaf.endswith(suffixes) and os.path.isfile(path):
                    found.append(os.path.relpath(path, root))
    return sorted(found)


def c_files(root):
    return files(root, *C_SUFFIXES,
                 under=("include", "src", "tests", "fuzz", "bench", "examples"))


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as stream:
        return stream.read()


_NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_only(text):
    """C code with comments and strings blanked; line numbers stay the same."""
    return _NOT_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def numbered(text):
    return enumerate(text.split("\n"), start=1)


def main(rule):
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    arguments = sys.argv[1:]
    if arguments[:1] == ["--root"]:
        root, arguments = os.path.abspath(arguments[1]), arguments[2:]
    violations = list(rule(root, *arguments))
    for place, what in violations:
        print(f"{place}: {what}")
    sys.exit(1 if violations else 0)
