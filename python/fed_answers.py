# SPDX-License-Identifier: Apache-2.0
#
# fed_answers.py (a part of fed-export): the answers of training in PyTorch, which `fed model verify`
# compares with its own: what the first batch gives, what SGD and Adam come to, and how far each
# tensor may be off, which is ten times what rounding changes.
#
# Training amplifies rounding: where a ReLU's input is zero but for that, one float32 run takes
# another way than the next. So tolerances are measured on several runs in float32, whose weights
# begin a little apart; and since those may be far apart at the end, parameters are compared after
# a few steps, too, where a mistake has nothing to hide behind.
#
# Parameters and gradients are in a row, one behind the other in the order of `row.names`, until
# by_initializer gives them the names and layouts of the file.
import copy
import json

import numpy
import torch

EARLY_STEPS = 3
SGD = {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4}
ADAM = {"lr": 0.001, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0}
JITTER_SEEDS = range(1, 9)
JITTER = 2.0**-20  # of a weight: moves what a layer gives as far as the fastest kernels may round it
TOLERANCE_FACTOR = 10
BATCH_NORMS = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)


def loss_of(settings, output, target):
    """The mean over all elements or labels, as fed/train.h defines the losses."""
    functional = torch.nn.functional
    if target.is_floating_point():
        target = target.to(output.dtype)
    name = settings["name"]
    if name.endswith("cross_entropy"):
        logs = functional.log_softmax(output, settings["class_axis"])
        if name == "soft_cross_entropy":
            return -(target * logs).sum(settings["class_axis"]).mean()
        return -logs.gather(settings["class_axis"],
                            target.unsqueeze(settings["class_axis"])).mean()
    if name == "bce_with_logits":
        weight = settings.get("pos_weight")
        weight = None if weight is None else torch.tensor(weight, dtype=output.dtype)
        return functional.binary_cross_entropy_with_logits(output, target, pos_weight=weight)
    if name == "huber":
        return functional.huber_loss(output, target, delta=settings["delta"])
    return functional.mse_loss(output, target)


def row_of(module, row, values=None):
    """The parameters' values (or others by name) as one array."""
    values = values or dict(module.named_parameters())
    return numpy.concatenate([values[name].detach().numpy().reshape(-1) for name in row.names])


class BiasedVariance:
    """Running variances as ONNX has them beside PyTorch's, which divide by n - 1."""

    def __init__(self, module):
        self.running = {}
        for name, part in module.named_modules():
            if isinstance(part, BATCH_NORMS) and part.track_running_stats:
                self.running[f"{name}.running_var"] = part.running_var.clone()
                part.register_forward_pre_hook(self.watch(f"{name}.running_var"))

    def watch(self, key):
        def update(part, inputs):
            if part.training:
                axes = [i for i in range(inputs[0].dim()) if i != 1]
                variance = inputs[0].detach().var(axes, unbiased=False)
                self.running[key] = self.running[key].lerp(variance, part.momentum)
        return update


class Training:
    """What is trained on, and how."""

    def __init__(self, row, batches, loss, steps, sgd, adam):
        self.row, self.batches, self.loss, self.steps = row, batches, loss, steps
        self.early_steps = min(EARLY_STEPS, steps)
        self.settings = {"sgd": {**SGD, **(sgd or {})}, "adam": {**ADAM, **(adam or {})}}

    def batch(self, step, dtype):
        inputs, target = self.batches[step % len(self.batches)]
        return tuple(x.to(dtype) if x.is_floating_point() else x for x in inputs), target

    def optimizer(self, name, module):
        named = dict(module.named_parameters())
        parameters = [named[key] for key in self.row.names]
        settings = dict(self.settings[name])
        if name == "sgd":
            return torch.optim.SGD(parameters, **settings)
        settings["betas"] = tuple(settings["betas"])
        return torch.optim.Adam(parameters, **settings)

    def first_batch(self, module, dtype, answers):
        inputs, target = self.batch(0, dtype)
        named = dict(module.named_parameters())
        output = module(*inputs)
        loss = loss_of(self.loss, output, target)
        grads = torch.autograd.grad(loss, [named[name] for name in self.row.names])
        answers["logits0"] = output.detach().numpy()
        answers["loss0"] = numpy.array([loss.item()])
        answers["grad"] = row_of(module, self.row, dict(zip(self.row.names, grads)))

    def run(self, module, name, dtype, answers):
        biased = BiasedVariance(module)
        optimizer = self.optimizer(name, module)
        losses = []
        for step in range(self.steps):
            inputs, target = self.batch(step, dtype)
            optimizer.zero_grad()
            loss = loss_of(self.loss, module(*inputs), target)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if step + 1 == self.early_steps:
                answers[f"{name}.early"] = row_of(module, self.row).copy()
        answers[f"{name}.loss"] = numpy.array(losses)
        answers[f"{name}.param"] = row_of(module, self.row)
        if biased.running:
            self.statistics(module, name, dtype, biased, answers)

    def statistics(self, module, name, dtype, biased, answers):
        for key, buffer in module.named_buffers():
            if key.endswith(("running_mean", "running_var")):
                answers[f"{name}.running.{key}"] = buffer.numpy().copy()
        for key, variance in biased.running.items():
            answers[f"{name}.running_biased.{key}"] = variance.numpy()
        module.eval()
        with torch.no_grad():
            answers[f"{name}.eval_logits0"] = module(*self.batch(0, dtype)[0]).numpy()

    def answers(self, module, dtype):
        """Everything by name; parameters and gradients in a row."""
        start = copy.deepcopy(module).to(dtype)
        answers = {}
        self.first_batch(copy.deepcopy(start), dtype, answers)
        for name in self.settings:
            self.run(copy.deepcopy(start), name, dtype, answers)
        return answers

    def moved_answers(self, module, seed):
        """In float32 from moved weights; the parameters less what those were moved by."""
        start = jittered(module, seed)
        offset = row_of(start, self.row).astype(float) - row_of(module, self.row)
        answers = self.answers(start, torch.float32)
        for name in self.settings:
            for key in (f"{name}.early", f"{name}.param"):
                answers[key] = answers[key] - offset
        return answers


# ---- how far they may be off ---------------------------------------------------------------------


def jittered(module, seed):
    """A copy with each weight moved a little up or down."""
    module = copy.deepcopy(module).float()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            signs = torch.randint(0, 2, parameter.shape, generator=generator) * 2 - 1
            parameter.mul_(1 + JITTER * signs)
    return module


def by_initializer(answers, found):
    """From the parameters in a row to the file's initializers and their layouts."""
    split = {}
    for key, values in answers.items():
        if key == "grad" or key.endswith((".early", ".param")):
            split.update({f"{key}.{name}": values[elements] for name, elements in found.items()})
        else:
            split[key] = values
    return split


def tolerances(exact, others):
    """By tensor: ten times what rounding alone changes."""
    table = {}
    for key, value in exact.items():
        difference = max(float(numpy.abs(other[key] - value).max()) for other in others)
        largest = float(numpy.abs(value).max())
        table[key] = {"f32_vs_f64_maxabs": difference, "ref_maxabs": largest,
                      "atol": TOLERANCE_FACTOR * max(difference, 1.2e-7 * largest, 1e-9)}
    return table


def measure(module, training, found):
    """The answers and their tolerances."""
    exact = by_initializer(training.answers(module, torch.float64), found)
    single = by_initializer(training.answers(module, torch.float32), found)
    moved = [by_initializer(training.moved_answers(module, seed), found) for seed in JITTER_SEEDS]
    table = tolerances(exact, [single, *moved])
    for name in training.settings:
        exact[f"{name}.loss_f32"] = single[f"{name}.loss"]
    return exact, table


# ---- the files -----------------------------------------------------------------------------------


def write_safetensors(path, arrays):
    """https://huggingface.co/docs/safetensors: a header in JSON, then the bytes."""
    types = {"float32": "F32", "float64": "F64", "int64": "I64"}
    header, parts, offset = {}, [], 0
    for name, array in arrays.items():
        data = numpy.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": types[str(array.dtype)], "shape": list(array.shape),
                        "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
        parts.append(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))


def data_arrays(training, names):
    """Row after row what the steps take."""
    taken = [training.batches[step % len(training.batches)] for step in range(training.steps)]
    arrays = {name: numpy.concatenate([inputs[i].numpy() for inputs, _ in taken])
              for i, name in enumerate(names)}
    arrays["y"] = numpy.concatenate([target.numpy() for _, target in taken])
    return arrays


def write_answers(folder, training, names, answers):
    write_safetensors(folder / "data.safetensors", data_arrays(training, names))
    write_safetensors(folder / "expect.safetensors", answers)
