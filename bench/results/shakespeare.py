# SPDX-License-Identifier: Apache-2.0
"""shakespeare.py: the roles' lines divided as McMahan et al. 2017 did: the first four fifths of a
role's speeches for training, the others for a test set, of which every fourth role's are taken; and
their most frequent words."""

import collections
import gzip
import json
import os
import re


def read_roles(folder):
    plain = os.path.join(folder, "roles.jsonl")
    path = plain if os.path.exists(plain) else plain + ".gz"
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write_roles(path, roles):
    with open(path, "w", encoding="utf-8") as file:
        for role in roles:
            file.write(json.dumps(role) + "\n")


def prepare_data(source, out):
    """The folder with roles.jsonl, for training, and test.jsonl."""
    folder = os.path.join(out, "data")
    if os.path.exists(os.path.join(folder, "test.jsonl")):
        return folder
    os.makedirs(folder, exist_ok=True)
    train, test = [], []
    for role in read_roles(source):
        count = len(role["speeches"])
        kept = count - max(1, count // 5)
        if kept < 1:
            continue
        train.append({**role, "speeches": role["speeches"][:kept]})
        test.append({**role, "speeches": role["speeches"][kept:]})
    write_roles(os.path.join(folder, "roles.jsonl"), train)
    write_roles(os.path.join(folder, "test.jsonl"), test[::4])
    return folder


def frequent_words(folder, count):
    """The most frequent words of the training lines, as docs/data.md cuts texts into words."""
    words = collections.Counter()
    for role in read_roles(folder):
        text = "\n".join(role["speeches"]).lower()
        words.update(re.findall(r"[a-z0-9'\u0080-\uffff]+|[^\sa-z0-9'\u0080-\uffff]", text))
    return sorted(word for word, _ in words.most_common(count))
