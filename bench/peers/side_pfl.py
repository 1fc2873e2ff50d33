#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""side_pfl.py: pfl-research's simulator with PyTorch: its FederatedAveraging, its SimulatedBackend,
its local SGD; in one process, or in two that it connects itself. The cohorts and the order of each
user's examples are those of the schedule; nothing is evaluated."""

import os
import socket
import subprocess
import sys
from types import MethodType

import torch
import torch.nn.functional as F

import peer_turns
import torch_client

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from federation_process import die_with_parent  # noqa: E402
from pfl.aggregate.simulate import SimulatedBackend  # noqa: E402
from pfl.aggregate.weighting import WeightByDatapoints  # noqa: E402
from pfl.algorithm.base import NNAlgorithmParams  # noqa: E402
from pfl.algorithm.federated_averaging import FederatedAveraging  # noqa: E402
from pfl.callback.base import TrainingProcessCallback  # noqa: E402
from pfl.data.dataset import Dataset  # noqa: E402
from pfl.data.federated_dataset import FederatedDataset  # noqa: E402
from pfl.hyperparam.base import NNEvalHyperParams, NNTrainHyperParams  # noqa: E402
from pfl.metrics import Metrics, Weighted  # noqa: E402
from pfl.model.pytorch import PyTorchModel  # noqa: E402

FOREVER = 10**7


def make_data(place, mode):
    """A user is one visit of the schedule."""
    visits = [rows for cohort in place.rounds for rows in cohort]
    at = [-1]

    def next_visit():
        at[0] += 1
        return at[0] % len(visits)

    def make_dataset(visit):
        x, y = (torch.from_numpy(values) for values in place.examples(visits[visit]))
        if "channels-last" in mode and x.dim() == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        return Dataset((x, y), user_id=str(visit))
    return FederatedDataset(make_dataset, next_visit)


def make_model(place, mode):
    module = torch_client.make_module(place, mode)
    forward = torch.compile(module) if "compiled" in mode else module
    module.loss = MethodType(lambda self, x, y, eval=False: F.cross_entropy(forward(x), y), module)
    module.metrics = MethodType(
        lambda self, x, y, eval=True: {"loss": Weighted(float(self.loss(x, y)) * len(y), len(y))},
        module)
    return PyTorchModel(model=module, local_optimizer_create=torch.optim.SGD,
                        central_optimizer=torch.optim.SGD(module.parameters(), 1.0),
                        amp_dtype=torch.bfloat16 if "bf16" in mode else None)


class Rounds(TrainingProcessCallback):
    def __init__(self, turns, module):
        self.turns, self.module = turns, module

    def parameters(self):
        return {name: value.detach().numpy() for name, value in self.module.named_parameters()}

    def on_train_begin(self, *, model):
        self.turns.begin(self.parameters)
        return Metrics()

    def after_central_iteration(self, aggregate_metrics, model, *, central_iteration):
        self.turns.end()
        return not self.turns.begin(self.parameters), Metrics()


def start_second():
    """Another process of this program; both find each other by what pfl reads from here."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ["PFL_WORKER_ADDRESSES"] = f"127.0.0.1:{port},127.0.0.1:{port + 1}"
    os.environ["PFL_WORKER_RANK"] = "1"
    second = subprocess.Popen([sys.executable, *sys.argv], stdin=subprocess.DEVNULL,
                              stdout=sys.stderr, preexec_fn=die_with_parent)
    os.environ["PFL_WORKER_RANK"] = "0"
    return second


def main():
    folder, name, mode = sys.argv[1:4]
    is_second = os.environ.get("PFL_WORKER_RANK") == "1"
    turns = None if is_second else peer_turns.Turns()
    place = peer_turns.Place(folder, name)
    second = start_second() if "2 processes" in mode and not is_second else None
    torch.set_num_threads(2 if "2 threads" in mode else 1)
    torch.manual_seed(1)
    world, model = place.world, make_model(place, mode)
    local_epochs = max(world.epochs, 1)
    backend = SimulatedBackend(
        training_data=make_data(place, mode), val_data=None,
        postprocessors=[WeightByDatapoints()] if world.weights == "examples" else [])
    FederatedAveraging().run(
        algorithm_params=NNAlgorithmParams(
            central_num_iterations=FOREVER, evaluation_frequency=FOREVER,
            train_cohort_size=world.cohort, val_cohort_size=0),
        backend=backend, model=model,
        model_train_params=NNTrainHyperParams(
            local_learning_rate=world.learning_rate, local_batch_size=world.batch,
            local_num_epochs=local_epochs if world.epochs else 0),
        model_eval_params=NNEvalHyperParams(local_batch_size=10000),
        callbacks=[Rounds(turns, model.pytorch_model)] if turns else [])
    if second:
        second.kill()
        second.wait()
    os._exit(0)


if __name__ == "__main__":
    main()
