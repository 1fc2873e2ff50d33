# SPDX-License-Identifier: Apache-2.0
"""peer_environment.py: Python environments for peers from PyPI, one folder each, made once."""

import os
import shutil
import subprocess
import sys

# What several measurements use: PyTorch, and with what models are exported.
TORCH = ("torch==2.15.0", "numpy==2.4.6", "onnx==1.23.2")


def install(folder, name, *packages, beside=None, relaxed=None):
    """The environment's folder; installs the packages unless these were before. It sees what is
    installed in the environment `beside`, too. `relaxed` names a requirement of the first package
    whose version does not matter: an index may not have the one that is asked for."""
    place = os.path.join(folder, name)
    done = os.path.join(place, "installed")
    asked = "\n".join(packages) + "\n"
    if os.path.exists(done) and open(done).read() == asked:
        return place
    print(f"installing {' '.join(packages)} into {place}", file=sys.stderr, flush=True)
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    if beside:
        with open(os.path.join(_site(place), "beside.pth"), "w") as file:
            file.write(_site(beside) + "\n")
    if relaxed:
        _pip(place, "--no-deps", packages[0])
        packages = packages[1:] + tuple(_requirements(place, packages[0], relaxed))
    _pip(place, *packages)
    with open(done, "w") as file:
        file.write(asked)
    return place


def python(place):
    return os.path.join(place, "bin", "python")


def _pip(place, *words):
    done = subprocess.run([python(place), "-m", "pip", "install", "--quiet",
                           "--disable-pip-version-check", *words], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["pip failed"]
        raise RuntimeError(lines[-1][:300])


def _site(place):
    return subprocess.check_output(
        [python(place), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        text=True).strip()


REQUIREMENTS = """
import importlib.metadata, re, sys
name, extras = re.fullmatch(r"([^\\[=]+)(?:\\[(.*?)\\])?(?:==.*)?", sys.argv[1]).groups()
for wanted in importlib.metadata.requires(name):
    extra = re.search(r" *(?:and )?extra == ['\\"](.*?)['\\"]", wanted)
    if extra and extra[1] not in (extras or "").split(","):
        continue
    wanted = wanted.replace(extra[0], "").rstrip("; ") if extra else wanted
    print(sys.argv[2] if re.match(re.escape(sys.argv[2]) + r"\\b", wanted) else wanted)
"""


def _requirements(place, package, relaxed):
    return subprocess.check_output([python(place), "-c", REQUIREMENTS, package, relaxed],
                                   text=True).splitlines()
