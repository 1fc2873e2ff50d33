#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""side_fedjax.py: FedJAX: its federated averaging with its 'jit' backend. The models are written in
JAX; images have their channels last."""

import sys

import jax

jax.tree_map = jax.tree_util.tree_map  # FedJAX of 2023 still calls it by the name that is gone

import fedjax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

import peer_turns  # noqa: E402


def dense(p, name, x):
    return x @ p[name + ".weight"].T + p[name + ".bias"]


def convolve(p, name, x, padding):
    y = jax.lax.conv_general_dilated(x, p[name + ".weight"], (1, 1), padding,
                                     dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return y + p[name + ".bias"]


def pool(x):
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def drop(x, rate, key):
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)


def flatten(x):
    """In PyTorch's order: channels first."""
    return x.transpose(0, 3, 1, 2).reshape(len(x), -1)


def logreg(p, x, key):
    return x @ p["weight"].T + p["bias"]


def two_layers(p, x, key):
    return dense(p, "4", jax.nn.relu(dense(p, "2", jax.nn.relu(dense(p, "0", x)))))


def cnn(p, x, key):
    x = pool(jax.nn.relu(convolve(p, "conv1", x.transpose(0, 2, 3, 1), "SAME")))
    x = pool(jax.nn.relu(convolve(p, "conv2", x, "SAME")))
    return dense(p, "full2", jax.nn.relu(dense(p, "full1", flatten(x))))


def convolutions(p, x, key):
    first, second = jax.random.split(key)
    x = jax.nn.relu(convolve(p, "0", x.transpose(0, 2, 3, 1), "VALID"))
    x = drop(pool(jax.nn.relu(convolve(p, "2", x, "VALID"))), 0.25, first)
    return dense(p, "10", drop(jax.nn.relu(dense(p, "7", flatten(x))), 0.5, second))


def lstm_layer(p, number, x):
    """x and the result are (time, batch, width)."""
    given = (x @ p[f"lstm.weight_ih_l{number}"].T +
             p[f"lstm.bias_ih_l{number}"] + p[f"lstm.bias_hh_l{number}"])
    recurrent = p[f"lstm.weight_hh_l{number}"].T
    zero = jnp.zeros((x.shape[1], recurrent.shape[0]))

    def step(state, now):
        hidden, cell = state
        i, f, g, o = jnp.split(now + hidden @ recurrent, 4, axis=1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return (hidden, cell), hidden
    return jax.lax.scan(step, (zero, zero), given)[1]


def lstm(p, x, key):
    hidden = lstm_layer(p, 1, lstm_layer(p, 0, p["embed.weight"][x.T]))
    return dense(p, "out", hidden[-1])


FORWARD = {"2nn": two_layers, "cnn": cnn, "lstm": lstm, "pfl cnn": convolutions,
           "emnist cnn": convolutions}


def swap(parameters, order):
    return {name: np.transpose(value, order) if value.ndim == 4 else np.asarray(value)
            for name, value in parameters.items()}


def main():
    folder, name = sys.argv[1:3]
    turns = peer_turns.Turns()
    place = peer_turns.Place(folder, name)
    world, forward = place.world, FORWARD.get(place.world.model, logreg)
    fedjax.set_for_each_client_backend("jit")

    def loss(p, batch, key):
        scores = jax.nn.log_softmax(forward(p, batch["x"], key))
        return -jnp.mean(jnp.take_along_axis(scores, batch["y"][:, None], 1))

    steps = {"num_epochs": world.epochs} if world.epochs else {"num_epochs": None, "num_steps": 0}
    algorithm = fedjax.algorithms.fed_avg.federated_averaging(
        jax.grad(loss), fedjax.optimizers.sgd(world.learning_rate), fedjax.optimizers.sgd(1.0),
        fedjax.ShuffleRepeatBatchHParams(batch_size=world.batch, skip_shuffle=True, **steps))
    state = algorithm.init({n: jnp.asarray(v)
                            for n, v in swap(place.parameters, (2, 3, 1, 0)).items()})
    keys = np.asarray(jax.random.split(jax.random.PRNGKey(1), world.cohort))
    while turns.begin(lambda: swap(state.params, (3, 2, 0, 1))):
        clients = []
        for number, rows in enumerate(place.cohort(turns.number)):
            x, y = place.examples(rows)
            clients.append((number, fedjax.ClientDataset({"x": x, "y": y}), keys[number]))
        state, _ = algorithm.apply(state, clients)
        jax.block_until_ready(state.params)
        turns.end()


if __name__ == "__main__":
    main()
