#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# other_exporters.py: models from Keras (tf2onnx), scikit-learn (skl2onnx) and JAX (jax2onnx), as
# far as these are installed: does fed load the file, and how many of the framework's parameters
# train? Prints the table of docs/export.md.
#   other_exporters.py FED FOLDER
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
warnings.simplefilter("ignore")


def installed(*names):
    return all(importlib.util.find_spec(name) for name in names)


# ---- Keras ---------------------------------------------------------------------------------------


def keras_models():
    import keras
    from keras import layers

    def image(*stack):
        return keras.Sequential([keras.Input((16, 16, 3)), *stack, layers.Flatten(),
                                 layers.Dense(5)])

    def attention():
        x = keras.Input((7,), dtype="int64")
        y = layers.Embedding(30, 16)(x)
        y = layers.LayerNormalization()(y + layers.MultiHeadAttention(2, 8)(y, y))
        return keras.Model(x, layers.Dense(30)(y))

    yield "Dense", keras.Sequential([keras.Input((12,)), layers.Dense(16, "relu"),
                                     layers.Dense(5)])
    yield "Conv2D, MaxPooling2D", image(layers.Conv2D(8, 3, activation="relu"),
                                        layers.MaxPooling2D())
    yield "Conv2D, BatchNormalization", image(layers.Conv2D(8, 3, use_bias=False),
                                              layers.BatchNormalization(), layers.ReLU())
    yield "SeparableConv2D, padding same", image(
        layers.SeparableConv2D(8, 3, strides=2, padding="same", activation="silu"))
    yield "Conv2DTranspose", image(layers.Conv2DTranspose(4, 4, 2, padding="same"))
    yield "GroupNormalization", image(layers.Conv2D(8, 3), layers.GroupNormalization(2))
    yield "Embedding, LSTM", keras.Sequential([keras.Input((9,), dtype="int64"),
                                               layers.Embedding(30, 6), layers.LSTM(8),
                                               layers.Dense(5)])
    yield "GRU", keras.Sequential([keras.Input((9, 4)), layers.GRU(8), layers.Dense(5)])
    yield "GRU, unroll=True", keras.Sequential([keras.Input((9, 4)), layers.GRU(8, unroll=True),
                                                layers.Dense(5)])
    yield "MultiHeadAttention", attention()
    yield "Dense, softmax", keras.Sequential([keras.Input((12,)), layers.Dense(5, "softmax")])


def stir(model):
    """tf2onnx leaves out additions of zeros, and so fresh biases."""
    import numpy
    generator = numpy.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign(weight + 0.05 * generator.normal(size=weight.shape))


def export_keras(folder):
    import numpy
    import tensorflow
    import tf2onnx
    for name, model in keras_models():
        stir(model)
        spec = [tensorflow.TensorSpec((None, *t.shape[1:]), t.dtype, name="x")
                for t in model.inputs]
        function = tensorflow.function(lambda x, m=model: m(x, training=False),
                                       input_signature=spec)
        path = folder / f"keras_{len(list(folder.iterdir()))}.onnx"
        try:
            tf2onnx.convert.from_function(function, input_signature=spec, opset=17,
                                          output_path=str(path))
        except Exception as error:  # whatever the exporter raises
            yield "Keras, tf2onnx", name, None, str(error).splitlines()[0], 0
            continue
        count = sum(int(numpy.prod(w.shape)) for w in model.trainable_weights)
        yield "Keras, tf2onnx", name, path, None, count


# ---- scikit-learn --------------------------------------------------------------------------------

PLAIN = {"LinearClassifier", "LinearRegressor", "Scaler", "Normalizer"}  # ONNX's own in their place


def sklearn_models():
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    yield LogisticRegression(), 3 * 13
    yield LinearRegression(), 13
    yield MLPClassifier(hidden_layer_sizes=(16, 8), max_iter=20), 13 * 16 + 17 * 8 + 9 * 3
    yield MLPRegressor(hidden_layer_sizes=(16,), max_iter=20), 13 * 16 + 17
    yield make_pipeline(StandardScaler(), LogisticRegression()), 3 * 13
    yield RandomForestClassifier(5), 0


def before_softmax(graph):
    """What goes into the graph's Softmax, or else the scores; None: the first output is fine."""
    softmax = [node for node in graph.node if node.op_type == "Softmax"]
    return softmax[0].input[0] if softmax else graph.output[1].name if len(graph.output) > 1 else None


def export_sklearn(folder):
    """As it comes, and in ONNX's own operators with the scores as output, as fed's refusal says."""
    import numpy
    import skl2onnx
    generator = numpy.random.default_rng(1)
    x = generator.normal(size=(60, 12)).astype(numpy.float32)
    y = generator.integers(3, size=60)
    for model, count in sklearn_models():
        steps = [step for _, step in model.steps] if hasattr(model, "steps") else [model]
        name = " + ".join(type(step).__name__ for step in steps)
        options = {"zipmap": False} if hasattr(model, "predict_proba") else {}
        path = folder / f"sklearn_{len(list(folder.iterdir()))}.onnx"
        made = skl2onnx.to_onnx(model.fit(x, y), x[:1], options=options, target_opset=17)
        path.write_bytes(made.SerializeToString())
        yield "scikit-learn, skl2onnx", name, path, None, count
        if name.endswith("LogisticRegression"):
            options["raw_scores"] = True
        path = folder / f"sklearn_{len(list(folder.iterdir()))}.onnx"
        made = skl2onnx.to_onnx(model, x[:1], options=options, target_opset=17, black_op=PLAIN)
        path.write_bytes(made.SerializeToString())
        output = before_softmax(made.graph)
        name += f", plain{f', --output {output}' if output else ''}"
        yield "scikit-learn, skl2onnx", name, path, None, count, *(["--output", output] if output else [])


# ---- JAX -----------------------------------------------------------------------------------------


def export_jax(folder):
    import jax
    import jax2onnx
    from flax import nnx
    rngs = nnx.Rngs(0)

    class Dense(nnx.Module):
        def __init__(self):
            self.a, self.b = nnx.Linear(12, 16, rngs=rngs), nnx.Linear(16, 5, rngs=rngs)

        def __call__(self, x):
            return self.b(nnx.relu(self.a(x)))

    class Conv(nnx.Module):
        def __init__(self):
            self.a, self.b = nnx.Conv(3, 8, (3, 3), rngs=rngs), nnx.Linear(8, 5, rngs=rngs)

        def __call__(self, x):
            return self.b(nnx.relu(self.a(x)).mean((1, 2)))

    for name, model, shape in [("Linear", Dense(), (12,)), ("Conv", Conv(), (16, 16, 3))]:
        path = folder / f"jax_{name}.onnx"
        try:
            jax2onnx.to_onnx(model, [("B", *shape)], return_mode="file", output_path=str(path))
        except Exception as error:  # whatever the exporter raises
            yield "JAX (flax), jax2onnx", name, None, str(error).splitlines()[0], 0
            continue
        leaves = jax.tree.leaves(nnx.state(model, nnx.Param))
        yield "JAX (flax), jax2onnx", name, path, None, sum(leaf.size for leaf in leaves)


# ---- the table -----------------------------------------------------------------------------------


def show(program, path, words):
    """(trainable elements or None, what fed says)."""
    done = subprocess.run([program, "model", "show", path, "--json", *words], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        message = json.loads(done.stdout or done.stderr)["error"]["message"]
        return None, message.partition(": ")[2]
    shown = json.loads(done.stdout)
    return shown["parameters"], " ".join(doubt.partition(":")[0] for doubt in shown["doubts"])


def row(program, exporter, name, path, reason, count, *words):
    if not path:
        return f"| {exporter} | {name} | not exported | {reason} |"
    found, text = show(program, path, words)
    if found is None:
        return f"| {exporter} | {name} | refused | {text} |"
    result = "loads" if found == count else f"loads, but {found} of {count} parameters train"
    return f"| {exporter} | {name} | {result} | {text} |"


def main(program, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.onnx"):
        old.unlink()
    sources = [(export_keras, ("keras", "tf2onnx")), (export_sklearn, ("sklearn", "skl2onnx")),
               (export_jax, ("jax", "flax", "jax2onnx"))]
    sources = [source for source, needs in sources if installed(*needs)]
    if not sources:
        sys.exit("expected keras and tf2onnx, scikit-learn and skl2onnx, or flax and jax2onnx")
    print("| exporter | model | result | what fed says |\n| --- | --- | --- | --- |")
    for source in sources:
        for case in source(folder):
            print(row(program, *case), flush=True)


main(sys.argv[1], sys.argv[2])
