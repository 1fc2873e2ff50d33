#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shakespeare's plays as roles.jsonl, a line for each speaking role of a play.

  roles.py pg100.txt ROLES.jsonl
  roles.py hamlet.xml macbeth.xml … ROLES.jsonl

pg100.txt is Project Gutenberg's Complete Works (its eBook 100, plain text in UTF-8, in the form that
it has had since 2020: a speaker's name in capitals on a line of its own). The XML files are Jon
Bosak's edition of Moby's text, one for each play. Texts and XML files may be given together.

A role's speeches are in their order, with the edition's lines; stage directions are left out.
Typographic quotes and dashes become those of typewriters, letters lose their accents.
"""
import json
import os
import re
import sys
import unicodedata
import xml.etree.ElementTree

PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "æ": "ae",
                       "Æ": "AE", "œ": "oe", "Œ": "OE", "\u00a0": " "})
SCENE = re.compile(r"(ACT|SCENE|Scene [IVX]+|(THE )?(PROLOGUE|INDUCTION|EPILOGUE))\b")
DIRECTION = re.compile(r"\[[^\]]*\]")


def plain(text):
    text = unicodedata.normalize("NFKD", text.translate(PLAIN))
    return "".join(c for c in text if not unicodedata.combining(c))


class Roles:
    """Speeches by play and role, in the order in which they come."""

    def __init__(self):
        self.speeches = {}

    def add(self, play, role, lines):
        lines = [line for line in (" ".join(plain(line).split()) for line in lines) if line]
        role = " ".join(plain(role).split())
        if role and lines:
            self.speeches.setdefault((play, role), []).append("\n".join(lines))

    def write(self, path):
        with open(path, "w", encoding="utf-8") as stream:
            for (play, role), speeches in self.speeches.items():
                stream.write(json.dumps({"play": play, "role": role, "speeches": speeches}) + "\n")


# ---- Project Gutenberg's text ---------------------------------------------------------------------

def paragraphs(text):
    """Lists of lines between empty ones, of what lies between Gutenberg's own words."""
    text = re.sub(r"\A.*?^\*\*\* ?START OF[^\n]*", "", text, flags=re.S | re.M)
    text = re.sub(r"^\*\*\* ?END OF.*", "", text, flags=re.S | re.M)
    for paragraph in re.split(r"\n\s*\n", text):
        lines = [line.rstrip() for line in paragraph.split("\n") if line.strip()]
        if lines:
            yield lines


def is_capitals(text):
    return any(c.isalpha() for c in text) and not any(c.islower() for c in text)


def speaker_of(line):
    """The name, if this line is one: HAMLET. or FIRST GENTLEMAN. and nothing else."""
    name = DIRECTION.sub("", line).strip().replace("_", "")
    if line.startswith(" ") or not is_capitals(name) or not name.endswith(".") or len(name) > 60:
        return None
    return None if re.match(r"(ACT|SCENE)\b", name) else name[:-1]


def works_of(text):
    """Each work's title and paragraphs. A title stands in the list of contents and above its work."""
    titles, work = None, None
    for lines in paragraphs(text):
        head = " ".join(lines[0].split())
        if titles is None:
            if head == "Contents":
                titles = {" ".join(line.split()) for line in lines[1:]}
        elif not titles:
            titles = {" ".join(line.split()) for line in lines}
        elif head in titles and not lines[0].startswith(" ") and len(lines) == 1:
            if work:
                yield work
            work = (head, [])
        elif work:
            work[1].append(lines)
    if work:
        yield work
    if not titles or not work:
        sys.exit("there is no list of contents, or no work of it: is this Gutenberg's eBook 100 "
                 "as plain text in UTF-8?")


def read_work(title, body, roles):
    """Only plays have scenes, and only in scenes somebody speaks."""
    play = re.sub(r"[^a-z0-9]+", "_", plain(title).lower().replace("'", "")).strip("_")
    in_scene, role, speech = False, None, []

    def end_speech():
        roles.add(play, role or "", DIRECTION.sub("", "\n".join(speech)).replace("_", "").split("\n"))
        speech.clear()

    for lines in body:
        name = speaker_of(lines[0]) if in_scene else None
        if name:
            end_speech()
            role = name
            speech += lines[1:]
        elif lines[0].startswith("Dramatis Person") or SCENE.match(lines[0]):
            end_speech()
            role, in_scene = None, not lines[0].startswith("Dramatis")
        elif role and not re.match(r" \S", lines[0]):  # one space: a direction
            speech += lines
    end_speech()


# ---- XML ------------------------------------------------------------------------------------------

def line_text(line):
    """Without the directions in it."""
    return (line.text or "") + "".join(child.tail or "" for child in line)


def read_xml(path, roles):
    play = os.path.splitext(os.path.basename(path))[0]
    for speech in xml.etree.ElementTree.parse(path).iter("SPEECH"):
        lines = [line_text(line) for line in speech.iter("LINE")]
        for speaker in speech.iter("SPEAKER"):
            roles.add(play, speaker.text or "", lines)


def main(sources, target):
    roles = Roles()
    for source in sources:
        if source.endswith(".xml"):
            read_xml(source, roles)
            continue
        with open(source, encoding="utf-8-sig") as stream:
            for title, body in works_of(stream.read()):
                read_work(title, body, roles)
    roles.write(target)
    plays = {play for play, _ in roles.speeches}
    print(f"wrote {target}: {len(roles.speeches)} roles of {len(plays)} plays")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1:-1], sys.argv[-1])
