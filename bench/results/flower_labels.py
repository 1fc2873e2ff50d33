# SPDX-License-Identifier: Apache-2.0
"""flower_labels.py: who has which labels in Flower's baseline niid_bench with `label_quantity`: the
draws that it asks of NumPy's generator for a seed, with two labels for each of ten clients."""

import numpy

CLIENTS, CLASSES = 10, 10


def deal_out(labels, seed):
    """Each client's rows. It has its own label and another; who has a label gets an equal part of it."""
    draw = numpy.random.default_rng(seed)
    wanted = []
    for own in range(CLIENTS):
        other = own
        while other == own:
            other = draw.choice(CLASSES, 1)[0]
        wanted.append((own, other))
    rows = [[] for _ in range(CLIENTS)]
    for label in range(CLASSES):
        owners = [client for client in range(CLIENTS) if label in wanted[client]]
        of_label = numpy.where(labels == label)[0]
        draw.shuffle(of_label)
        for client, part in zip(owners, numpy.array_split(of_label, len(owners))):
            rows[client].extend(part)
    return [numpy.array(part) for part in rows]
