# SPDX-License-Identifier: Apache-2.0
"""flower_apps.py: Flower's two apps: clients that train with NumPy or PyTorch, and its FedAvg. As
many nodes as a round has clients; which client of the schedule a node is changes every round."""

import functools
import os

import numpy as np
from flwr.app import ArrayRecord, MetricRecord, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg

import peer_turns

FOREVER = 10**7
client_app, server_app = ClientApp(), ServerApp()


@functools.lru_cache(1)
def loaded():
    """Once a process."""
    return peer_turns.Place(os.environ["PEER_FOLDER"], os.environ["PEER_WORLD"])


@functools.lru_cache(1)
def numpy_trainer():
    import side_numpy
    return side_numpy.Trainer(loaded())


@functools.lru_cache(1)
def torch_trainer():
    import torch_client
    return torch_client.Client(loaded(), os.environ["PEER_MODE"])


def train_numpy(place, rows, arrays):
    trainer = numpy_trainer()
    trainer.train(place, rows, np.concatenate([array.ravel() for array in arrays]))
    return [view.copy() for view in trainer.flat.views(trainer.vector).values()]


def train_torch(place, rows, arrays):
    import torch
    client = torch_trainer()
    with torch.no_grad():
        for own, array in zip(client.module.parameters(), arrays):
            own.copy_(torch.from_numpy(array))
    client.train(place, rows)
    return [value.detach().numpy() for value in client.module.parameters()]


@client_app.train()
def train(message, context):
    place = loaded()
    cohort = place.cohort(message.content["config"]["server-round"] - 1)
    rows = cohort[context.node_config["partition-id"]]
    work = train_numpy if "NumPy" in os.environ["PEER_MODE"] else train_torch
    arrays = message.content["arrays"].to_numpy_ndarrays()
    content = RecordDict({"arrays": ArrayRecord(work(place, rows, arrays)),
                          "metrics": MetricRecord({"num-examples": place.weight(rows)})})
    return Message(content=content, reply_to=message)


def make_server(turns, place):
    names, current = list(place.parameters), [list(place.parameters.values())]

    def round_over(number, arrays):
        current[0] = arrays.to_numpy_ndarrays()
        if number:
            turns.end()
        if not turns.begin(lambda: dict(zip(names, current[0]))):
            os._exit(0)
        return MetricRecord({"round": number})

    @server_app.main()
    def main(grid, context):
        count = place.world.cohort
        strategy = FedAvg(fraction_train=1.0, fraction_evaluate=0.0, min_train_nodes=count,
                          min_available_nodes=count)
        strategy.start(grid=grid, initial_arrays=ArrayRecord(current[0]), num_rounds=FOREVER,
                       evaluate_fn=round_over)
    return server_app
