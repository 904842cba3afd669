#!/usr/bin/env python3
"""usage: Tests/Campaigns/peers.py [--python PYTHON] [--program NNDIST] [--core N] [--rounds N] [--least] [CASE…]

Times the training steps of the configurations in Tests/Campaigns/steps beside those of PyTorch (eager, and by
torch.compile) and of JAX (jit): the same layers, batch and momentum SGD, Float, on one core, with one and with
eight microbatches. All take turns in every round; prints the medians of the rounds and the ratios ours to peer as
a Markdown table; with --least the times of the fastest steps, for a machine that has other work. PYTHON, or the
variable PEERS_PYTHON, is the interpreter of a virtual environment with torch and jax; without it this
interpreter is asked. Takes some ten minutes.

The peers get what is good for them: weights updated by the fused optimiser, images with channels last where these
are faster, compiled steps without Python in between, and slices of the rows in place of copies.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CASES = ["playground", "logistic", "mlp", "sigmoid", "wide", "lenet", "bncnn", "alexnet"]
PEERS = ["torch", "torch.compile", "jax"]
MICROBATCHES = [1, 8]
SECONDS = 1.0


# What a configuration says.


class Case:
    """Layers as (word, settings), and the numbers of a step."""

    def __init__(self, name):
        text = (ROOT / f"Tests/Campaigns/steps/{name}.yaml").read_text()
        self.name = name
        self.path = ROOT / f"Tests/Campaigns/steps/{name}.yaml"
        samples, self.targets, count = re.search(r"^# samples (\S+) (\S+) (\d+)$", text, re.M).groups()
        self.samples = [int(extent) for extent in samples.split(",")]
        self.count = int(count)
        self.batch = int(re.search(r"^batch_size: (\d+)$", text, re.M).group(1))
        self.layers = []
        for word, rest in re.findall(r"^  - (\w+)(?:: (.*))?$", text, re.M):
            pairs = dict(re.findall(r"(\w+): (\d+)", rest)) if rest.startswith("{") else {"": rest or "0"}
            self.layers.append((word, {key: int(value) for key, value in pairs.items()}))

    @property
    def has_images(self):
        return any(word == "conv2d" for word, _ in self.layers)


# PyTorch.


def torch_step(case, microbatches, is_compiled):
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(1)
    nn = torch.nn
    size, channels, flat = case.samples[1:], case.samples[0], len(case.samples) == 1
    layers = []
    for word, settings in case.layers:
        if word == "conv2d":
            k, s, p = settings["kernel"], settings.get("stride", 1), settings.get("padding", 0)
            layers.append(nn.Conv2d(channels, settings["channels"], k, s, p))
            channels, size = settings["channels"], [(n + 2 * p - k) // s + 1 for n in size]
        elif word == "max_pool2d":
            k = settings.get("kernel", settings.get(""))
            s = settings.get("stride", k)
            layers.append(nn.MaxPool2d(k, s))
            size = [(n - k) // s + 1 for n in size]
        elif word == "batch_norm":
            layers.append(nn.BatchNorm1d(channels) if flat else nn.BatchNorm2d(channels))
        elif word == "affine":
            if not flat:
                layers.append(nn.Flatten())
                channels, flat = channels * size[0] * size[1], True
            layers.append(nn.Linear(channels, settings[""]))
            channels = settings[""]
        else:
            layers.append({"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}[word]())
    rows = torch.rand(4 * case.batch, *case.samples)
    if case.targets == "classes":
        targets, loss = torch.arange(4 * case.batch) % case.count, nn.CrossEntropyLoss(reduction="sum")
    else:
        targets, loss = torch.rand(4 * case.batch, case.count), nn.MSELoss(reduction="sum")

    def make(memory_format):
        model = nn.Sequential(*layers).to(memory_format=memory_format)
        data = rows.to(memory_format=memory_format) if case.has_images else rows
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)
        forward = lambda x, y: loss(model(x), y) / case.batch
        if is_compiled:
            forward = torch.compile(forward)
        number = 0

        def step():
            nonlocal number
            start = number % 4 * case.batch
            number += 1
            for j in range(microbatches):
                a, b = j * case.batch // microbatches, (j + 1) * case.batch // microbatches
                forward(data[start + a : start + b], targets[start + a : start + b]).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        return step

    if not case.has_images:
        return make(torch.contiguous_format)
    return fastest([make(torch.contiguous_format), make(torch.channels_last)])


# JAX.


def jax_step(case, microbatches):
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    import numpy as np
    from jax import lax
    from jax import numpy as jnp

    draws = np.random.default_rng(1)
    spatial, channels, flat = case.samples[1:], case.samples[0], len(case.samples) == 1
    parameters, functions = [], []

    def add(function, *values):
        place = len(parameters)
        parameters.extend(values)
        functions.append(lambda p, x: function(x, *p[place : place + len(values)]))

    def uniform(*shape, fan):
        return jnp.asarray(draws.uniform(-1, 1, shape) / np.sqrt(fan), jnp.float32)

    # Images have channels last, which is what XLA's convolutions on CPUs take.
    for word, settings in case.layers:
        if word == "conv2d":
            k, s, p = settings["kernel"], settings.get("stride", 1), settings.get("padding", 0)
            add(
                lambda x, w, b, s=s, p=p: lax.conv_general_dilated(
                    x, w, (s, s), [(p, p), (p, p)], dimension_numbers=("NHWC", "HWIO", "NHWC"))
                + b,
                uniform(k, k, channels, settings["channels"], fan=k * k * channels),
                jnp.zeros(settings["channels"]))
            channels, spatial = settings["channels"], [(n + 2 * p - k) // s + 1 for n in spatial]
        elif word == "max_pool2d":
            k = settings.get("kernel", settings.get(""))
            s = settings.get("stride", k)
            add(lambda x, k=k, s=s: lax.reduce_window(
                x, -jnp.inf, lax.max, (1, k, k, 1), (1, s, s, 1), "VALID"))
            spatial = [(n - k) // s + 1 for n in spatial]
        elif word == "batch_norm":
            # Running averages are left out, which only makes it faster.
            def normalize(x, scale, shift):
                axes = tuple(range(x.ndim - 1))
                return (x - x.mean(axes)) * lax.rsqrt(x.var(axes) + 1e-5) * scale + shift
            add(normalize, jnp.ones(channels), jnp.zeros(channels))
        elif word == "affine":
            if not flat:
                add(lambda x: x.reshape(x.shape[0], -1))
                channels, flat = channels * spatial[0] * spatial[1], True
            add(lambda x, w, b: x @ w + b, uniform(channels, settings[""], fan=channels),
                jnp.zeros(settings[""]))
            channels = settings[""]
        else:
            add({"relu": jax.nn.relu, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}[word])
    shape = case.samples[1:] + case.samples[:1] if len(case.samples) > 1 else case.samples
    batches = [jnp.asarray(draws.random((case.batch, *shape)), jnp.float32) for _ in range(4)]
    if case.targets == "classes":
        targets = jnp.arange(case.batch) % case.count
    else:
        targets = jnp.asarray(draws.random((case.batch, case.count)), jnp.float32)

    def loss(p, x, y):
        for function in functions:
            x = function(p, x)
        if case.targets == "classes":
            return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1).sum() / case.batch
        return ((x - y) ** 2).sum() / case.batch

    def update(p, v, g):
        v = [0.9 * b + c for b, c in zip(v, g)]
        return [a - 0.01 * b for a, b in zip(p, v)], v

    def whole(p, v, x, y):
        g = None
        for j in range(microbatches):
            a, b = j * case.batch // microbatches, (j + 1) * case.batch // microbatches
            part = jax.grad(loss)(p, x[a:b], y[a:b])
            g = part if g is None else [m + n for m, n in zip(g, part)]
        return update(p, v, g)

    compiled = jax.jit(whole, donate_argnums=(0, 1))
    state = parameters, [jnp.zeros_like(a) for a in parameters]
    number = 0

    def step():
        nonlocal state, number
        state = compiled(*state, batches[number % 4], targets)
        number += 1
        jax.block_until_ready(state)

    return step


# A peer is a process of its own that takes steps when it is told to.


def fastest(steps):
    def seconds(step):
        step()
        times = [timed(step) for _ in range(3)]
        return min(times)

    return min(steps, key=seconds)


def timed(step):
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def serve(peer, name, microbatches):
    case = Case(name)
    step = jax_step(case, microbatches) if peer == "jax" else torch_step(case, microbatches, peer != "torch")
    for _ in range(3):
        step()
    print("ready", flush=True)
    for _ in sys.stdin:
        # Not all of a long step's round is waited for, and at least two steps are taken.
        times, end = [], time.perf_counter() + SECONDS
        while len(times) < 2 or time.perf_counter() < end:
            times.append(timed(step))
        print(statistics.median(times), min(times), flush=True)


class Peer:
    def __init__(self, python, peer, name, microbatches):
        # Debian's OpenBLAS may have been told of a CPU; what the peers bring along has not.
        environment = {key: value for key, value in os.environ.items() if key != "OPENBLAS_CORETYPE"}
        environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [python, __file__, "--serve", peer, name, str(microbatches)], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self.process.stdout.readline() != "ready\n":
            message = self.process.communicate()[1].strip().splitlines()
            raise RuntimeError(message[-1] if message else "it ended")

    def seconds(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return [float(seconds) for seconds in self.process.stdout.readline().split()]

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def ours(program, case, microbatches):
    line = subprocess.run(
        [program, "bench", "step", case.path, "--samples", ",".join(map(str, case.samples)),
         f"--{case.targets}", str(case.count), "--set", f"microbatches={microbatches}", "--set",
         "run.workers=1", "--no-floor", "--rounds", "3"],
        check=True, capture_output=True, text=True).stdout
    return [json.loads(line)[key] / 1000 for key in ["step_ms", "step_ms_min"]]


def measure(options, case, microbatches, note):
    peers = {}
    for peer in PEERS:
        try:
            peers[peer] = Peer(options.python, peer, case.name, microbatches)
        except RuntimeError as error:
            note(f"{case.name}: {peer} does not work here: {error}")
    times = {name: [] for name in ["ours", *peers]}
    for _ in range(options.rounds):
        times["ours"].append(ours(options.program, case, microbatches))
        for name, peer in peers.items():
            times[name].append(peer.seconds())
    for peer in peers.values():
        peer.end()
    if options.least:
        return {name: min(least for _, least in values) for name, values in times.items()}
    return {name: statistics.median(median for median, _ in values) for name, values in times.items()}


def main():
    parser = argparse.ArgumentParser(usage=__doc__.splitlines()[0].removeprefix("usage: "))
    parser.add_argument("--python", default=os.environ.get("PEERS_PYTHON", sys.executable))
    parser.add_argument(
        "--program", default=os.environ.get("PROGRAM", str(ROOT / ".build/release/nndist")))
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--least", action="store_true")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    if options.serve:
        peer, name, microbatches = options.serve
        return serve(peer, name, int(microbatches))

    def note(text):
        print(text, file=sys.stderr, flush=True)

    for module in ["torch", "jax"]:
        found = subprocess.run(
            [options.python, "-c", f"import {module}; print({module}.__version__)"],
            capture_output=True, text=True)
        if found.returncode != 0:
            note(f"peers.py: {options.python} has no {module}; give --python an interpreter of a virtual "
                 f"environment with torch and jax")
            sys.exit(69)
        note(f"{module} {found.stdout.strip()}")
    os.sched_setaffinity(0, [options.core])
    rows = []
    for name in options.cases or CASES:
        path = ROOT / f"Tests/Campaigns/steps/{name}.yaml"
        if not path.exists():
            note(f"peers.py: no case '{name}' in {path.parent}")
            sys.exit(64)
        case = Case(name)
        for microbatches in MICROBATCHES:
            times = measure(options, case, microbatches, note)
            print(json.dumps(
                {"case": name, "batch": case.batch, "microbatches": microbatches}
                | {f"{key}_ms": round(value * 1000, 4) for key, value in times.items()}), flush=True)
            rows.append((case, microbatches, times))
    print("\n| Case, rows of a step | Microbatches | Ours | "
          + " | ".join(f"{peer} | ours / {peer}" for peer in PEERS) + " |")
    print("|---" * (3 + 2 * len(PEERS)) + "|")
    for case, microbatches, times in rows:
        cells = [f"{case.name}, {case.batch}", str(microbatches), f"{times['ours'] * 1000:.3g} ms"]
        for peer in PEERS:
            if peer in times:
                cells += [f"{times[peer] * 1000:.3g} ms", f"{times['ours'] / times[peer]:.2f}"]
            else:
                cells += ["–", "–"]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
