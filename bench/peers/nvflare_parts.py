# SPDX-License-Identifier: Apache-2.0
"""nvflare_parts.py: what NVFLARE's simulator runs: its FedAvg, which takes turns, at the server; an
executor at each client. As many clients as a round has; which client of the schedule one is changes
every round."""

import functools
import os

import numpy as np
from nvflare.apis.dxo import DXO, DataKind, MetaKey, from_shareable
from nvflare.apis.executor import Executor
from nvflare.app_common.abstract.fl_model import FLModel
from nvflare.app_common.app_constant import AppConstants
from nvflare.app_common.workflows.fedavg import FedAvg

import peer_turns


@functools.lru_cache(1)
def loaded():
    """Once a process."""
    return peer_turns.Place(os.environ["PEER_FOLDER"], os.environ["PEER_WORLD"])


@functools.lru_cache(1)
def torch_client_of_process():
    import torch_client
    return torch_client.Client(loaded(), os.environ["PEER_MODE"])


class Rounds(FedAvg):
    """Begins with the exported model; nothing is written at the end of a round."""

    def run(self):
        process = os.environ["PEER_PROCESS"]
        self.turns = peer_turns.Turns(open(f"/proc/{process}/fd/0"),
                                      open(f"/proc/{process}/fd/{os.environ['PEER_ANSWERS']}", "w"))
        self.model = FLModel(params=dict(loaded().parameters))
        self.wait(self.model)
        super().run()

    def wait(self, model):
        if not self.turns.begin(lambda: model.params):
            os._exit(0)

    def save_model(self, model):
        self.turns.end()
        self.wait(model)


class Trainer(Executor):
    def execute(self, task_name, shareable, fl_ctx, abort_signal):
        place, given = loaded(), from_shareable(shareable).data
        cohort = place.cohort(shareable.get_header(AppConstants.CURRENT_ROUND))
        rows = cohort[int(fl_ctx.get_identity_name().split("-")[1]) - 1]
        result = self.train_numpy(place, rows, given) if "NumPy" in os.environ["PEER_MODE"] else \
            self.train_torch(place, rows, given)
        return DXO(DataKind.WEIGHTS, result,
                   {MetaKey.NUM_STEPS_CURRENT_ROUND: place.weight(rows)}).to_shareable()

    @staticmethod
    def train_numpy(place, rows, given):
        import side_numpy
        trainer = side_numpy.Trainer(place)
        trainer.train(place, rows, np.concatenate([given[n].ravel() for n in place.parameters]))
        return {name: view.copy() for name, view in trainer.flat.views(trainer.vector).items()}

    @staticmethod
    def train_torch(place, rows, given):
        import torch
        client = torch_client_of_process()
        with torch.no_grad():
            for name, own in client.module.named_parameters():
                own.copy_(torch.from_numpy(np.array(given[name])))
        client.train(place, rows)
        return {name: value.detach().numpy().copy()
                for name, value in client.module.named_parameters()}
