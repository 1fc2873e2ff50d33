# SPDX-License-Identifier: Apache-2.0
"""peer_process.py: a peer's processes, from outside: their turns, processor time and memory."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from federation_process import cpu_seconds, die_with_parent, memory  # noqa: E402


class Failed(RuntimeError):
    pass


def family(pid):
    """The process and all below it."""
    below = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        below.setdefault(parent, []).append(int(name))
    found = [pid]
    for one in found:
        found += below.get(one, [])
    return found


class Peer:
    """One side in one mode. `first_s`: from the start of the program to the end of the first round;
    `memory`: the highest sum of its processes' PSS that was seen after a turn."""

    def __init__(self, python, folder, side, world, mode, deadline_s):
        self.name, self.mode, self.deadline_s, self.memory = side, mode, deadline_s, 0
        self.rounds = 0  # done
        threads = "2" if "2 threads" in mode else "1"
        self.log = os.path.join(folder, "logs", f"{world.name}-{side}-{mode}.log".replace(" ", "-"))
        os.makedirs(os.path.dirname(self.log), exist_ok=True)
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads,
                       "TORCHINDUCTOR_CACHE_DIR": os.path.join(folder, "inductor")}
        started = time.perf_counter()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [python, "-W", "ignore", os.path.join(HERE, f"side_{side}.py"), folder, world.name,
                 mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment,
                start_new_session=True, preexec_fn=die_with_parent)
        self.pending = b""
        try:
            self._answer()
            self.turn(1)
        except Failed:
            self.close()
            raise
        self.first_s = time.perf_counter() - started

    def _why(self):
        try:
            with open(self.log, errors="replace") as file:
                lines = [line.strip() for line in file if "Error" in line] or ["it ended"]
        except OSError:
            lines = ["it ended"]
        return f"{lines[-1][:200]} ({self.log})"

    def _answer(self):
        until, output = time.monotonic() + self.deadline_s, self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while b"\n" not in self.pending:
                if not selector.select(max(0, until - time.monotonic())):
                    raise Failed(f"no round within {self.deadline_s:.0f} s")
                found = os.read(output.fileno(), 1 << 16)
                if not found:
                    raise Failed(self._why())
                self.pending += found
        line, _, self.pending = self.pending.partition(b"\n")
        return json.loads(line)

    def ask(self, words):
        try:
            self.process.stdin.write(words.encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise Failed(self._why())
        return self._answer()

    def _cpu(self):
        return sum(cpu_seconds(pid) for pid in family(self.process.pid))

    def turn(self, rounds):
        """Seconds of each round, processor seconds of them all."""
        before = self._cpu()
        seconds = self.ask(str(rounds))
        cpu = self._cpu() - before
        self.rounds += rounds
        self.memory = max(self.memory,
                          sum(memory(pid)["pss"] for pid in family(self.process.pid)))
        return seconds, cpu

    def close(self):
        for pid in family(self.process.pid):  # parents first: some start their children anew
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except OSError:
                pass
