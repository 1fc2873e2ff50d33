# SPDX-License-Identifier: Apache-2.0
"""federation_process.py: a federation of real processes on this machine, for measuring: one
`fed server`, some `fed-agent run`, in a folder that is removed at the end. All of them die with
the driver. What the kernel says about a process (memory, CPU time) is read from /proc.
"""

import ctypes
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1
POLICY = """allow: {jobs: ["bench-*"]}
data: {name: bench, folder: %s}
demand: {cohort_min: 1}
share: {metrics: true}
limits: {memory: 1 GiB, train: 10 min}
"""


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Federation:
    """Programs of `bin_folder`; agents named a1, a2 …; use as a context."""

    def __init__(self, bin_folder, agent_count, data_folder="."):
        self.bin = bin_folder
        self.folder = tempfile.mkdtemp(prefix="fed-bench-", dir=os.environ.get("TMPDIR", "/var/tmp"))
        self.server_folder = os.path.join(self.folder, "federation")
        self.data_folder = data_folder
        self.processes = []
        self.server = None
        self.agents = []
        self.agent_count = agent_count

    def __enter__(self):
        try:
            self._create()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def fed(self, *words):
        return self._output("fed", *words, "--dir", self.server_folder)

    def _output(self, program, *words):
        done = subprocess.run([os.path.join(self.bin, program), *words], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode:
            raise RuntimeError(f"{program} {words[0]} failed: {done.stderr.strip()}")
        return done.stdout

    def _start(self, name, *words):
        log = open(os.path.join(self.folder, name + ".log"), "wb")
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   preexec_fn=die_with_parent)
        log.close()
        self.processes.append(process)
        return process.pid

    def _create(self):
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.fed("server", "create", "--host", "127.0.0.1", "--port", str(self.port))
        self.server = self._start("server", os.path.join(self.bin, "fed"), "server", "--dir",
                                  self.server_folder)
        self._wait_for_server()
        for number in range(1, self.agent_count + 1):
            self._enrol(f"a{number}")

    def _wait_for_server(self):
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError("the server did not start: " + self.log("server"))

    def _enrol(self, name):
        folder = os.path.join(self.folder, name)
        self.fed("enroll", "token", name, "--out", folder + ".token")
        self._output("fed-agent", "enroll", "--dir", folder, "--token", folder + ".token")
        with open(folder + ".yaml", "w") as policy:
            policy.write(POLICY % self.data_folder)

    def start_agent(self, number):
        folder = os.path.join(self.folder, f"a{number}")
        self.agents.append(self._start(f"a{number}", os.path.join(self.bin, "fed-agent"), "run",
                                       "--dir", folder, "--policy", folder + ".yaml"))

    def start_agents(self):
        for number in range(1, self.agent_count + 1):
            self.start_agent(number)

    def log(self, name):
        with open(os.path.join(self.folder, name + ".log"), errors="replace") as log:
            return log.read()[-2000:]

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def submit(self, job_text):
        """The job's identifier."""
        return self.fed("job", "submit", self.write("job.yaml", job_text)).split()[0]

    def watch(self, job):
        """Follow the job to its end; all its events."""
        lines = self.fed("job", "watch", job, "--json").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def counters(self):
        """The server's metrics by name."""
        trust = ssl.create_default_context(cafile=os.path.join(self.server_folder, "ca.pem"))
        trust.load_cert_chain(os.path.join(self.server_folder, "operator.pem"),
                              os.path.join(self.server_folder, "operator.key"))
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=trust)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        return {line.split()[0]: int(line.split()[1]) for line in lines if line[:1] != "#"}

    def job_state(self, job):
        for entry in json.loads(self.fed("job", "list", "--json")):
            if entry["id"] == job:
                return entry["state"]
        return None


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def cpu_seconds(pid):
    """User and system time of a process and of the children it has waited for."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / CLOCK_TICKS


def memory(pid):
    """Bytes: rss, pss (shared pages divided among those who share them), own (of no other
    process), peak (the highest rss)."""
    names = {"Rss:": "rss", "Pss:": "pss", "Private_Clean:": "own", "Private_Dirty:": "own",
             "VmHWM:": "peak"}
    result = {"rss": 0, "pss": 0, "own": 0, "peak": 0}
    try:
        for file_name in ("smaps_rollup", "status"):
            with open(f"/proc/{pid}/{file_name}") as file:
                for line in file:
                    words = line.split()
                    if words[0] in names:
                        result[names[words[0]]] += int(words[1]) * 1024
    except OSError:
        pass
    return result
