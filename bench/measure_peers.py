# SPDX-License-Identifier: Apache-2.0
"""measure_peers.py: other federated-learning systems on the same machine in the same run: the
same number of nodes on loopback, the same number of parameters, nothing to train.

Flower: a SuperLink and ten SuperNodes as its documentation starts them (https://flower.ai/docs),
its default FedAvg, in a Python environment of its own that is made here from PyPI. Connections
are without TLS, which is to Flower's advantage.
"""

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import peer_environment

from federation_process import children, die_with_parent, free_port, memory

NODES = 10
PARAMETERS = 10000
ROUNDS = 8
DEADLINE_S = 400

PROJECT = f"""[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "bench-flower"
version = "1.0.0"
dependencies = ["flwr"]
[tool.hatch.build.targets.wheel]
packages = ["."]
[tool.flwr.app]
publisher = "bench"
[tool.flwr.app.components]
serverapp = "bench_flower.server_app:app"
clientapp = "bench_flower.client_app:app"
[tool.flwr.app.config]
num-server-rounds = {ROUNDS}
"""
CLIENT = """from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()

@app.train()
def train(message: Message, context: Context):
    arrays = [array + 1 for array in message.content["arrays"].to_numpy_ndarrays()]
    content = RecordDict({"arrays": ArrayRecord(arrays),
                          "metrics": MetricRecord({"num-examples": 1})})
    return Message(content=content, reply_to=message)
"""
SERVER = """import time
import numpy
from flwr.app import ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

app = ServerApp()

def note_round(number, arrays):
    with open("%s", "a") as file:
        file.write(f"{time.monotonic()}\\n")
    return MetricRecord({"round": number})

@app.main()
def main(grid: Grid, context: Context) -> None:
    strategy = FedAvg(fraction_evaluate=0.0, min_train_nodes=%d, min_available_nodes=%d)
    start = ArrayRecord([numpy.zeros(%d, dtype=numpy.float32)])
    strategy.start(grid=grid, initial_arrays=start, evaluate_fn=note_round,
                   num_rounds=context.run_config["num-server-rounds"])
"""


def family(pid):
    found = [pid]
    for child in children(pid):
        found += family(child)
    return found


class Flower:
    def __init__(self, installed, folder):
        self.programs = os.path.join(installed, "bin")
        self.folder = folder
        self.times = os.path.join(folder, "rounds")
        self.processes = []
        self.port = free_port()
        self.environment = {**os.environ, "FLWR_HOME": os.path.join(folder, "home"),
                            "FLWR_TELEMETRY_ENABLED": "0",
                            "PATH": self.programs + os.pathsep + os.environ["PATH"]}

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)

    def write_app(self):
        self.write("app/pyproject.toml", PROJECT)
        self.write("app/bench_flower/__init__.py", "")
        self.write("app/bench_flower/client_app.py", CLIENT)
        self.write("app/bench_flower/server_app.py",
                   SERVER % (self.times, NODES, NODES, PARAMETERS))
        self.write("home/config.toml", f'[superlink]\ndefault = "bench"\n[superlink.bench]\n'
                                       f'address = "127.0.0.1:{self.port}"\ninsecure = true\n')

    def start(self, name, *words):
        with open(os.path.join(self.folder, name + ".log"), "wb") as log:
            self.processes.append(subprocess.Popen(
                [os.path.join(self.programs, words[0]), *words[1:]], env=self.environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent,
                start_new_session=True))

    def start_all(self):
        self.start("superlink", "flower-superlink", "--insecure", "--port", str(self.port),
                   "--disable-runtime-dependency-installation")
        wait_for_port(self.port)
        for number in range(NODES):
            self.start(f"node{number}", "flower-supernode", "--insecure", "--superlink",
                       f"127.0.0.1:{self.port}", "--port", str(free_port()))
        time.sleep(10)
        self.start("run", "flwr", "run", os.path.join(self.folder, "app"), "bench", "--stream")

    def stop(self):
        for process in reversed(self.processes):
            for pid in reversed(family(process.pid)):
                try:
                    os.kill(pid, signal.SIGTERM)
                except ProcessLookupError:
                    pass
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def round_times(self):
        try:
            with open(self.times) as file:
                return [float(line) for line in file]
        except OSError:
            return []

    def memory(self):
        return sum(memory(pid)["pss"] for process in self.processes[:NODES + 1]
                   for pid in family(process.pid))

    def log(self, name):
        with open(os.path.join(self.folder, name + ".log"), errors="replace") as log:
            return log.read()[-3000:]


def wait_for_port(port):
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("Flower's SuperLink did not start")


def install_flower(folder):
    return peer_environment.install(folder, "flower", "flwr", "numpy")


def flower_version(installed):
    return subprocess.run([os.path.join(installed, "bin", "flwr"), "--version"], check=True,
                          text=True, stdout=subprocess.PIPE).stdout.split()[-1]


def measure_flower(installed, rows):
    highest, until = 0, time.monotonic() + DEADLINE_S
    with tempfile.TemporaryDirectory(prefix="fed-bench-", dir="/var/tmp") as folder:
        flower = Flower(installed, folder)
        try:
            flower.write_app()
            flower.start_all()
            while len(flower.round_times()) <= ROUNDS and time.monotonic() < until:
                highest = max(highest, flower.memory())
                time.sleep(2)
            times = flower.round_times()
        finally:
            flower.stop()
        if len(times) < 4:
            raise RuntimeError("Flower did not get through its rounds:\n" + flower.log("run") +
                               flower.log("superlink") + flower.log("node0"))
    gaps = [after - before for before, after in zip(times, times[1:])]
    name = "Flower " + flower_version(installed)
    rows.note(f"{name}: round, {NODES} nodes, median of {len(gaps)}",
              statistics.median(gaps) * 1000, "ms")
    rows.note(f"{name}: SuperLink and {NODES} SuperNodes, PSS in all, highest", highest / 2**20,
              "MiB")


def measure(folder, rows):
    os.makedirs(folder, exist_ok=True)
    measure_flower(install_flower(folder), rows)
