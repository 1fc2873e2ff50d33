# SPDX-License-Identifier: Apache-2.0
#
# make_jsonl.py: print what test_jsonl.c expects of its texts, from Python's own strings and re.
import re

CHARACTERS = "abcdefghijklmnopqrstuvwxyz ,.!\nüß"
WORDS = ["the", "cat", "sat", ",", "don't", "größe", "."]


def characters(text, lower=True):
    if lower:
        text = "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)
    return [CHARACTERS.index(c) + 2 if c in CHARACTERS else 1 for c in text]


def words(text):
    text = "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)
    found = re.findall(r"[a-z0-9'\u0080-\U0010ffff]+|[^a-z0-9'\u0080-\U0010ffff \t\n\v\f\r]", text)
    return [WORDS.index(w) + 2 if w in WORDS else 1 for w in found]


def windows(tokens, length, stride):
    for start in range(0, len(tokens) - 1, stride):
        inputs, targets = tokens[start:start + length], tokens[start + 1:start + 1 + length]
        yield (inputs + [0] * (length - len(inputs)), targets + [-100] * (length - len(targets)))


print("characters", characters("Über, ß!\nA"))
print("words", words("The cat sat, DON'T Größe. größe? x"))
for length, stride in ((4, 4), (4, 3), (3, 5)):
    for window in windows(characters("abcdefghij"), length, stride):
        print("windows", length, stride, *window)
