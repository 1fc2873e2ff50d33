#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# fed_export.py (installed as fed-export): a PyTorch module becomes a folder that fed trains from
# and is checked by: model.onnx with the list of what trains, and the answers of training in
# PyTorch (fed_answers.py), which `fed model verify` compares with its own.
#
#   fed-export net.py:make_model --input 3x32x32 --classes 10 --out folder
#
#   from fed_export import export
#   export(module, batches, "softmax_cross_entropy", "folder")
#
# How parameters are found in the file: the module is exported with a different value in every
# element of every parameter. So equal parameters (two fresh normalisations) are not merged, and
# each initializer tells by its values which elements it is made of, however they were transposed,
# reordered or concatenated. Then the real values take their places. docs/export.md says more.
import argparse
import contextlib
import copy
import importlib.util
import inspect
import io
import json
import logging
import os
import pathlib
import sys
import warnings

try:
    import numpy
    import onnx
    import torch
except ImportError as missing:
    sys.exit(f"fed-export needs the Python package {missing.name}, which is not installed here. "
             "It runs where the model is made: pip install torch numpy onnx onnxscript")

from fed_answers import BATCH_NORMS, Training, measure, row_of, write_answers

STEPS = 50
DROPOUTS = (torch.nn.Dropout, torch.nn.Dropout1d, torch.nn.Dropout2d, torch.nn.Dropout3d,
            torch.nn.AlphaDropout, torch.nn.FeatureAlphaDropout)


class ExportError(Exception):
    """The module cannot be exported so that it trains as it does here; says what to change."""


# ---- losses --------------------------------------------------------------------------------------


def loss_settings(loss):
    """The loss as spec.json has it, from a name or from such a dictionary."""
    settings = {"name": loss} if isinstance(loss, str) else dict(loss)
    known = ("softmax_cross_entropy", "soft_cross_entropy", "bce_with_logits", "mse", "huber")
    if settings.get("name") not in known:
        raise ExportError(f"expected one of the losses {', '.join(known)}, found "
                          f"'{settings.get('name')}'")
    if settings["name"] in ("softmax_cross_entropy", "soft_cross_entropy"):
        settings.setdefault("class_axis", 1)
    return settings


# ---- what cannot be the same in ONNX -------------------------------------------------------------


def check_module(module):
    """Refuse what PyTorch does in training and an ONNX file cannot say."""
    for name, part in module.named_modules():
        if isinstance(part, torch.nn.SyncBatchNorm):
            raise ExportError(f"{name}: SyncBatchNorm measures across processes; use BatchNorm")
        if isinstance(part, BATCH_NORMS) and part.momentum is None:
            raise ExportError(f"{name}: BatchNorm with momentum None (a cumulative mean) is not in "
                              "ONNX; give it a number, such as 0.1")
        if isinstance(part, torch.nn.Embedding) and part.padding_idx is not None:
            raise ExportError(f"{name}: padding_idx keeps a row from training, which ONNX cannot "
                              "say; leave it out and multiply by a mask in forward")
        if getattr(part, "max_norm", None) is not None:
            raise ExportError(f"{name}: max_norm changes the table in forward; leave it out")
        if isinstance(part, (torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN)) and part.dropout > 0:
            raise ExportError(f"{name}: dropout between recurrent layers is random inside one "
                              "operator; use several layers with Dropout between them")
        if getattr(part, "parametrizations", None):
            raise ExportError(f"{name}: parametrizations compute the weight from others; remove "
                              "them with torch.nn.utils.parametrize.remove_parametrizations")


def stop_dropout(module, keep):
    """Dropout draws other numbers here than there: answers are made without it. Is it kept?"""
    names = []
    for name, part in module.named_modules():
        setting = "p" if isinstance(part, DROPOUTS) else "dropout"
        if isinstance(part, (*DROPOUTS, torch.nn.MultiheadAttention)) and getattr(part, setting):
            names.append(name)
            if not keep:
                setattr(part, setting, 0.0)
    if names and not keep:
        note(f"Dropout in {', '.join(names)} is set to 0, because its random choices cannot be "
             "compared; --keep-dropout keeps it and writes no answers")
    return bool(names) and keep


def note(text):
    print(f"fed-export: {text}", file=sys.stderr)


# ---- exporting -----------------------------------------------------------------------------------


class FirstOutput(torch.nn.Module):
    """A module with one output in place of one with several."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *inputs):
        return self.module(*inputs)[0]


def prepare(module, inputs):
    """A copy in training mode, in float32, with one output."""
    module = copy.deepcopy(module).float().cpu().train()
    with torch.no_grad():
        output = copy.deepcopy(module)(*inputs)
    if isinstance(output, (tuple, list)):
        module, output = FirstOutput(module), output[0]
    if not isinstance(output, torch.Tensor):
        raise ExportError(f"expected a module that returns a tensor, or a tuple that begins with "
                          f"one; found {type(output).__name__}")
    return module


def input_names(module, count):
    """Those of forward's arguments; "y" is the target's."""
    names = list(inspect.signature(module.forward).parameters)[:count]
    if count == 1 or len(names) < count or "y" in names:
        names = ["x"] if count == 1 else [f"x{i + 1}" for i in range(count)]
    return names


def export_dynamo(module, inputs, names, opset, optimize):
    batch = torch.export.Dim("batch")
    shapes = tuple({0: batch} for _ in inputs)
    kinds = [p.kind for p in inspect.signature(module.forward).parameters.values()]
    program = torch.onnx.export(
        module, inputs, dynamo=True, verbose=False, input_names=names, output_names=["logits"],
        opset_version=opset or 18, optimize=optimize,
        dynamic_shapes=(shapes,) if inspect.Parameter.VAR_POSITIONAL in kinds else shapes)
    return program.model_proto


def export_torchscript(module, inputs, names, opset, _):
    file = io.BytesIO()
    torch.onnx.export(module, inputs, file, dynamo=False, input_names=names,
                      output_names=["logits"], opset_version=opset or 17,
                      dynamic_axes={name: {0: "batch"} for name in [*names, "logits"]},
                      training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False)
    return onnx.load_from_string(file.getvalue())


EXPORTERS = {
    "dynamo": (export_dynamo, True),
    "dynamo-plain": (export_dynamo, False),  # without its optimizer
    "torchscript": (export_torchscript, None),
}


def exporters_for(module, asked):
    """Which to try in turn: the new exporter folds batch normalisation into convolutions."""
    if asked != "auto":
        return [asked]
    normalises = any(isinstance(part, BATCH_NORMS) for part in module.modules())
    return ["torchscript"] if normalises else ["dynamo", "dynamo-plain", "torchscript"]


# ---- finding the parameters in the file ----------------------------------------------------------

MARKER = 0xB5800000  # float32 -2^-20; the elements count on from here, which goes up to -1
MARKER_COUNT = 0xBF800000 - MARKER


class Row:
    """The elements of all parameters that train, one behind the other."""

    def __init__(self, module, names):
        self.names = names
        self.shapes = {n: tuple(p.shape) for n, p in module.named_parameters() if n in names}
        self.first, self.count = {}, 0
        for name in names:
            self.first[name] = self.count
            self.count += int(numpy.prod(self.shapes[name], dtype=numpy.int64))

    def span(self, name):
        return slice(self.first[name],
                     self.first[name] + int(numpy.prod(self.shapes[name], dtype=numpy.int64)))

    def owners(self, elements):
        """The parameters that these elements belong to."""
        touched = numpy.unique(elements)
        return [name for name in self.names
                if ((touched >= self.span(name).start) & (touched < self.span(name).stop)).any()]

    def layout(self, elements):
        """How an initializer's elements lie compared with the parameter's."""
        names = self.owners(elements)
        if len(names) > 1:
            return "joined, reordered"
        span, shape = self.span(names[0]), self.shapes[names[0]]
        flat = elements.reshape(-1)
        if not numpy.array_equal(numpy.sort(flat), numpy.arange(span.start, span.stop)):
            return "a part"
        if (numpy.diff(flat) == 1).all():
            return "identity" if elements.shape == shape else "reshaped"
        if len(shape) == 2 and numpy.array_equal(elements, flat_range(span).reshape(shape).T):
            return "transposed"
        return "reordered"


def flat_range(span):
    return numpy.arange(span.start, span.stop)


def mark(module, row):
    """Give every element a value of its own."""
    if row.count > MARKER_COUNT:
        raise ExportError(f"expected at most {MARKER_COUNT} parameters, found {row.count}")
    numbers = (numpy.arange(row.count, dtype=numpy.int64) + MARKER).astype(numpy.uint32)
    values = torch.from_numpy(numbers.view(numpy.float32).copy())
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for name in row.names:
            parameters[name].copy_(values[row.span(name)].reshape(row.shapes[name]))


def find_parameters(model, row):
    """By initializer: which elements it holds, an array of its shape."""
    found = {}
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            values = onnx.numpy_helper.to_array(tensor)
            elements = numpy.atleast_1d(values).view(numpy.uint32).astype(numpy.int64) - MARKER
            if values.size and elements.min() >= 0 and elements.max() < row.count:
                found[tensor.name] = elements.reshape(values.shape)
    return found


ADVICE = {
    "dynamo": "it was folded into a constant (a BatchNorm into a convolution, for example) or "
              "computed with; try --exporter torchscript",
    "dynamo-plain": "try --exporter torchscript",
    "torchscript": "forward computes with it before a layer uses it; use it in a layer directly, "
                   "or freeze it with requires_grad_(False)",
}


def check_found(found, row, exporter):
    """Each element exactly once."""
    times = numpy.zeros(row.count, dtype=numpy.int64)
    for elements in found.values():
        numpy.add.at(times, elements.reshape(-1), 1)
    for name in row.names:
        if (times[row.span(name)] == 0).any():
            raise ExportError(f"{exporter}: the parameter {name} is not in the file as it is in "
                              f"the module: {ADVICE[exporter]}")
        if (times[row.span(name)] > 1).any():
            holders = [key for key, value in found.items() if name in row.owners(value)]
            raise ExportError(f"{exporter}: the parameter {name} is in the file more than once "
                              f"({', '.join(holders)}), and these would train apart; use each "
                              "parameter once, or try --exporter torchscript")


def used_parameters(module, inputs):
    """The names of those that train and have to do with the output."""
    module = copy.deepcopy(module)
    named = {name: p for name, p in module.named_parameters() if p.requires_grad}
    output = module(*inputs).sum()
    grads = [None] * len(named)
    if output.requires_grad:
        grads = torch.autograd.grad(output, list(named.values()), allow_unused=True)
    used = [name for name, grad in zip(named, grads) if grad is not None]
    unused = [name for name in named if name not in used]
    if unused:
        note(f"the output does not depend on {', '.join(unused)}: not exported")
    if not used:
        raise ExportError("expected parameters that train, found none; requires_grad is False, or "
                          "the output does not depend on them")
    return used


@contextlib.contextmanager
def quiet():
    """The exporters warn of what is known here and print whole graphs when they fail."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def try_exporter(module, exporter, inputs, names, opset, row):
    """The file with marked parameters, and where they are."""
    marked = copy.deepcopy(module)
    mark(marked, row)
    function, optimize = EXPORTERS[exporter]
    try:
        with quiet():
            model = function(marked, inputs, names, opset, optimize)
    except Exception as error:  # whatever the exporters raise
        reason = str(error).strip().splitlines()
        raise ExportError(f"{exporter}: PyTorch's exporter failed: "
                          f"{reason[0] if reason else type(error).__name__}") from error
    found = find_parameters(model, row)
    check_found(found, row, exporter)
    return model, found


def export_marked(module, asked, inputs, names, opset, row):
    """By the first exporter that keeps all parameters apart and whole."""
    failures = []
    for exporter in exporters_for(module, asked):
        try:
            return (*try_exporter(module, exporter, inputs, names, opset, row), exporter)
        except ExportError as error:
            failures.append(str(error))
    raise ExportError("\n".join(failures))


# ---- the file ------------------------------------------------------------------------------------


def put_values(model, module, row, found):
    """Parameters and statistics as the module has them: tracing advances the statistics."""
    flat = row_of(module, row)
    buffers = dict(module.named_buffers())
    for tensor in model.graph.initializer:
        if tensor.name in found:
            values = flat[found[tensor.name]]
        elif tensor.name in buffers and tensor.name.endswith(("running_mean", "running_var")):
            values = buffers[tensor.name].numpy()
        else:
            continue
        tensor.CopyFrom(onnx.numpy_helper.from_array(
            numpy.asarray(values, dtype=numpy.float32), tensor.name))


def strip(model):
    """Leave out the exporter's notes, which tell of paths on this machine."""
    graph = model.graph
    for part in [model, graph, *graph.node, *graph.initializer, *graph.value_info, *graph.input,
                 *graph.output]:
        part.doc_string = ""
        del part.metadata_props[:]


def finish_model(model, module, row, found):
    put_values(model, module, row, found)
    strip(model)
    entry = model.metadata_props.add()
    entry.key, entry.value = "fed.trainable", ",".join(found)
    onnx.checker.check_model(model)
    return model


# ---- the folder ----------------------------------------------------------------------------------


def check_batches(batches):
    """[((input …), target)], all of one size."""
    plain = []
    for inputs, target in batches:
        inputs = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
        plain.append((tuple(x.detach().cpu() for x in inputs), target.detach().cpu()))
    sizes = {len(tensor) for inputs, target in plain for tensor in (*inputs, target)}
    if len(sizes) != 1 or min(sizes) < 2:
        raise ExportError(f"expected batches of one size of at least 2, found {sorted(sizes)}")
    return [(tuple(x.float() if x.is_floating_point() else x.long() for x in inputs),
             target.float() if target.is_floating_point() else target.long())
            for inputs, target in plain]


def describe(model, training, names, found, exporter):
    row = training.row
    inputs, target = training.batches[0]
    return {
        "exporter": exporter,
        "opset": {entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        "producer": f"pytorch {torch.__version__}",
        "inputs": [{"name": name, "dtype": str(x.dtype).removeprefix("torch."),
                    "shape": ["batch", *x.shape[1:]]} for name, x in zip(names, inputs)],
        "target": {"dtype": str(target.dtype).removeprefix("torch."),
                   "shape": ["batch", *target.shape[1:]]},
        "output": model.graph.output[0].name,
        "loss": training.loss, "batch": len(target), "steps": training.steps,
        "early_steps": training.early_steps, **training.settings,
        "trainable": [{"onnx": name, "shape": list(elements.shape),
                       "torch": row.owners(elements), "layout": row.layout(elements)}
                      for name, elements in found.items()],
    }


def write_folder(out, model, training, names, answers, spec):
    folder = pathlib.Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "spec.json").write_text(json.dumps(spec, indent=1) + "\n")
    if answers:
        write_answers(folder, training, names, answers)


def export(module, batches, loss, out, *, exporter="auto", opset=None, steps=STEPS, sgd=None,
           adam=None, keep_dropout=False):
    """Write model.onnx and the answers into the folder `out`; returns what spec.json says.

    batches: a list of (input or tuple of inputs, target); fewer than `steps` are repeated.
    loss: a name, or {"name": …, "class_axis" | "pos_weight" | "delta": …}.
    sgd, adam: settings in place of those of SGD and ADAM. Raises ExportError.
    """
    loss, batches = loss_settings(loss), check_batches(batches)
    check_module(module)
    inputs = batches[0][0]
    module = prepare(module, inputs)
    random = stop_dropout(module, keep_dropout)
    row = Row(module, used_parameters(module, inputs))
    names = input_names(module, len(inputs))
    model, found, chosen = export_marked(module, exporter, inputs, names, opset, row)
    finish_model(model, module, row, found)
    training = Training(row, batches, loss, steps, sgd, adam)
    spec = describe(model, training, names, found, chosen)
    answers = None
    if not random:
        answers, table = measure(module, training, found)
        spec["tolerance"] = {"per_tensor": table}
    write_folder(out, model, training, names, answers, spec)
    return spec


# ---- the command line ----------------------------------------------------------------------------


def load_factory(text):
    """The function (or module class) NAME of FILE.py:NAME."""
    path, _, name = text.rpartition(":")
    if not path:
        raise ExportError(f"expected FILE.py:FUNCTION, found '{text}'")
    if not pathlib.Path(path).is_file():
        raise ExportError(f"expected a Python file, found no '{path}'")
    sys.path.insert(0, str(pathlib.Path(path).resolve().parent))
    spec = importlib.util.spec_from_file_location(pathlib.Path(path).stem, path)
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    if not hasattr(code, name):
        raise ExportError(f"{path} has no '{name}'")
    return getattr(code, name)


def random_input(text, batch, generator):
    """3x32x32: normal numbers; 20<1000: integers below 1000."""
    shape, _, below = text.partition("<")
    try:
        extents = [batch, *(int(part) for part in shape.split("x") if part)]
        if below:
            return torch.randint(int(below), extents, generator=generator)
    except ValueError:
        raise ExportError(f"--input: expected a shape like 3x32x32, or like 20<1000 for 20 "
                          f"integers below 1000; found '{text}'") from None
    return torch.randn(extents, generator=generator)


def random_target(output, loss, classes, generator):
    shape = list(output.shape)
    if loss["name"] == "softmax_cross_entropy":
        found = shape.pop(loss["class_axis"])
        if classes and classes != found:
            raise ExportError(f"--classes: expected {found}, which dimension {loss['class_axis']} "
                              f"of the output {list(output.shape)} has; found {classes}")
        return torch.randint(found, shape, generator=generator)
    if loss["name"] == "soft_cross_entropy":
        return torch.rand(shape, generator=generator).softmax(loss["class_axis"])
    if loss["name"] == "bce_with_logits":
        return torch.randint(2, shape, generator=generator).float()
    return torch.randn(shape, generator=generator)


def random_batches(module, options, loss):
    generator = torch.Generator().manual_seed(options.seed)
    batches = []
    for _ in range(options.steps):
        inputs = tuple(random_input(text, options.batch, generator) for text in options.input)
        with torch.no_grad():
            output = copy.deepcopy(module).float().train()(*inputs)
        output = output[0] if isinstance(output, (tuple, list)) else output
        batches.append((inputs, random_target(output, loss, options.classes, generator)))
    return batches


def read_batches(options):
    """From the arrays of an .npz file: the inputs in the file's order, and y."""
    arrays = dict(numpy.load(options.data))
    if "y" not in arrays:
        raise ExportError(f"{options.data}: expected an array y, the targets; found "
                          f"{', '.join(arrays) or 'none'}")
    target = torch.from_numpy(arrays.pop("y"))
    inputs = [torch.from_numpy(array) for array in arrays.values()]
    whole = len(target) // options.batch * options.batch
    return [(tuple(x[i:i + options.batch] for x in inputs), target[i:i + options.batch])
            for i in range(0, min(whole, options.steps * options.batch), options.batch)]


def parse(words):
    parser = argparse.ArgumentParser(
        prog="fed-export", description="Turn a PyTorch module into a folder that fed trains from "
        "(model.onnx) and is checked by (fed model verify).")
    parser.add_argument("module", metavar="FILE.py:FUNCTION", help="what makes the module")
    parser.add_argument("--out", metavar="DIR", required=True, help="the folder to write")
    parser.add_argument("--input", metavar="SHAPE", action="append", default=[],
                        help="of an example of each input: 3x32x32, or 20<1000 for 20 integers "
                        "below 1000; filled at random")
    parser.add_argument("--data", metavar="FILE.npz", help="examples in place of random ones: an "
                        "array for each input, and y")
    parser.add_argument("--loss", default="softmax_cross_entropy",
                        help="softmax_cross_entropy (the default), soft_cross_entropy, "
                        "bce_with_logits, mse or huber")
    parser.add_argument("--class-axis", type=int, default=1, help="of the output (default 1)")
    parser.add_argument("--delta", type=float, default=1.0, help="huber's (default 1)")
    parser.add_argument("--classes", type=int, help="what the output must have")
    parser.add_argument("--batch", type=int, default=8, help="examples in a step (default 8)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"default {STEPS}")
    parser.add_argument("--exporter", default="auto", choices=["auto", *EXPORTERS],
                        help="PyTorch's; default auto: the first whose file is sound")
    parser.add_argument("--opset", type=int, help="default 18, with torchscript 17")
    parser.add_argument("--keep-dropout", action="store_true",
                        help="the model itself, with its dropout and without answers")
    parser.add_argument("--seed", type=int, default=1, help="default 1")
    return parser.parse_args(words)


def run(options):
    loss = {"name": options.loss}
    if options.loss.endswith("cross_entropy"):
        loss["class_axis"] = options.class_axis
    if options.loss == "huber":
        loss["delta"] = options.delta
    loss = loss_settings(loss)
    torch.manual_seed(options.seed)
    module = load_factory(options.module)()
    if not options.input and not options.data:
        raise ExportError("expected --input or --data")
    batches = read_batches(options) if options.data else random_batches(module, options, loss)
    if not batches:
        raise ExportError(f"{options.data}: expected at least {options.batch} rows")
    spec = export(module, batches, loss, options.out, exporter=options.exporter,
                  opset=options.opset, steps=options.steps, keep_dropout=options.keep_dropout)
    print(f"wrote {options.out}: {len(spec['trainable'])} trainable initializers, exported by "
          f"{spec['exporter']}")


def main(words=None):
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        run(parse(words))
    except ExportError as error:
        sys.exit(f"fed-export: {error}")


if __name__ == "__main__":
    main()
