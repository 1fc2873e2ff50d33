# SPDX-License-Identifier: Apache-2.0
"""peer_loop.py: federated averaging as a bare loop, in one process or in several that share memory;
what a trainer does for one client is given to it. The plain PyTorch and NumPy peers are this."""

import multiprocessing
import os
import sys

import numpy as np

from peer_turns import deal

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from federation_process import die_with_parent  # noqa: E402


class Flat:
    """Named parameters in one vector."""

    def __init__(self, parameters):
        self.shapes = {name: value.shape for name, value in parameters.items()}
        self.size = sum(value.size for value in parameters.values())

    def views(self, vector):
        found, at = {}, 0
        for name, shape in self.shapes.items():
            count = int(np.prod(shape))
            found[name] = vector[at:at + count].reshape(shape)
            at += count
        return found


def shared_vector(size):
    return np.frombuffer(multiprocessing.RawArray("f", size), np.float32)


def visit_all(place, trainer, visits, model, total):
    total[:] = 0
    for rows in visits:
        trainer.train(place, rows, model)
        trainer.add_to(total, place.weight(rows))


def work(place, make_trainer, model, total, pipe):
    die_with_parent()
    trainer = make_trainer()
    while True:
        visits = pipe.recv()
        if visits is None:
            return
        visit_all(place, trainer, visits, model, total)
        pipe.send(0)


def run(place, turns, make_trainer, processes):
    """A trainer has train(place, rows, model) and add_to(total, weight), both on flat vectors."""
    flat = Flat(place.parameters)
    model = shared_vector(flat.size)
    totals = [shared_vector(flat.size) for _ in range(processes)]
    for name, view in flat.views(model).items():
        view[...] = place.parameters[name]
    pipes = []
    for total in totals[1:]:
        ours, theirs = multiprocessing.Pipe()
        multiprocessing.Process(target=work, args=(place, make_trainer, model, total, theirs),
                                daemon=True).start()
        pipes.append(ours)
    trainer = make_trainer()
    while turns.begin(lambda: flat.views(model)):
        visits = place.cohort(turns.number)
        shares = deal(visits, processes)
        for pipe, share in zip(pipes, shares[1:]):
            pipe.send(share)
        visit_all(place, trainer, shares[0], model, totals[0])
        for pipe in pipes:
            pipe.recv()
        for total in totals[1:]:
            totals[0] += total
        weight = sum(place.weight(rows) for rows in visits)
        np.multiply(totals[0], np.float32(1 / weight), out=model)
        turns.end()
    for pipe in pipes:
        pipe.send(None)
