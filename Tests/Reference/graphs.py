#!/usr/bin/env python3
"""Values and gradients of every operation and of whole networks, by JAX in 64 bits.

usage: python3 -m venv /tmp/reference && /tmp/reference/bin/pip install jax numpy
       /tmp/reference/bin/python Tests/Reference/graphs.py > Tests/Reference/graphs.json

The tests read graphs.json and need no Python. Formulas are written out here, not taken from jax.nn,
where that keeps the two sides independent; derivatives are JAX's own. "gradients" are the
vector-Jacobian products of "cotangent"; "curvature" is the gradient of the squared norm of the
gradient of the summed loss, for networks without kinks.
"""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
random = np.random.default_rng(20240611)


def tensor(value):
    value = np.asarray(value, dtype=np.float64)
    return {"shape": list(value.shape), "values": [float(x) for x in value.ravel()]}


def numbers(*shape, low=0.1, high=2.0):
    """Numbers away from 0, where relu has its kink."""
    signs = random.choice([-1.0, 1.0], size=shape)
    return signs * random.uniform(low, high, size=shape)


def positive(*shape):
    return random.uniform(0.5, 2.0, size=shape)


def softmax(x):
    e = jnp.exp(x - jnp.max(x, axis=-1, keepdims=True))
    return e / jnp.sum(e, axis=-1, keepdims=True)


def log_softmax(x):
    shifted = x - jnp.max(x, axis=-1, keepdims=True)
    return shifted - jnp.log(jnp.sum(jnp.exp(shifted), axis=-1, keepdims=True))


def cross_entropy(z, labels):
    return -log_softmax(z)[jnp.arange(z.shape[0]), labels]


def sigmoid(x):
    return 1 / (1 + jnp.exp(-x))


def mean_squared_error(a, b):
    return jnp.mean((a - b) ** 2, axis=tuple(range(1, a.ndim)))


def one_hot(labels, classes):
    return (labels[:, None] == jnp.arange(classes)[None, :]).astype(jnp.float64)


def operation(name, function, *operands, labels=None):
    """One case; class numbers, if any, are the last operand and have no gradient."""
    operands = [np.asarray(x) for x in operands]
    with_labels = function if labels is None else lambda *x: function(*x, labels)
    value, pullback = jax.vjp(with_labels, *operands)
    cotangent = numbers(*value.shape)
    case = {
        "name": name,
        "operands": [tensor(x) for x in operands],
        "value": tensor(value),
        "cotangent": tensor(cotangent),
        "gradients": [tensor(x) for x in pullback(jnp.asarray(cotangent))],
    }
    if labels is not None:
        case["labels"] = tensor(labels)
    return case


def operations():
    batch, width = 4, 5
    rows = lambda: numbers(batch, width)
    labels = np.array([0, 4, 2, 2])
    yield operation("scale", lambda x: -1.75 * x, rows())
    yield operation("scale by batch", lambda x: 3 * x / x.shape[0], rows())
    yield operation("exp", jnp.exp, rows())
    yield operation("log", jnp.log, positive(batch, width))
    yield operation("square", lambda x: x * x, rows())
    yield operation("sigmoid", sigmoid, 3 * rows())
    yield operation("tanh", jnp.tanh, 2 * rows())
    yield operation("relu", lambda x: jnp.maximum(x, 0), rows())
    for name, function in [
        ("add", jnp.add), ("subtract", jnp.subtract), ("multiply", jnp.multiply),
        ("divide", jnp.divide),
    ]:
        yield operation(name, function, rows(), positive(batch, width))
        yield operation(name, function, rows(), positive(width))
        yield operation(name, function, numbers(batch, 1), positive(1, width))
        yield operation(name, function, numbers(batch, 2, width), positive(2, 1))
    yield operation("relu gradient", lambda c, y: c * (y > 0), rows(), rows())
    yield operation("sigmoid gradient", lambda c, y: c * y * (1 - y), rows(), rows())
    yield operation("tanh gradient", lambda c, y: c * (1 - y * y), rows(), rows())
    yield operation("matmul", lambda a, b: a @ b, rows(), numbers(width, 3))
    yield operation("matmul nt", lambda a, b: a @ b.T, rows(), numbers(3, width))
    yield operation("matmul tn", lambda a, b: a.T @ b, rows(), numbers(batch, 3))
    yield operation("matmul tt", lambda a, b: a.T @ b.T, rows(), numbers(3, batch))
    for axes in [(0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2)]:
        suffix = " " + ",".join(map(str, axes))
        block = lambda: numbers(batch, 2, 3)
        yield operation("sum" + suffix, lambda x: jnp.sum(x, axis=axes), block())
        yield operation("mean" + suffix, lambda x: jnp.mean(x, axis=axes), block())
        yield operation("squared norm" + suffix, lambda x: jnp.sum(x * x, axis=axes), block())
    yield operation("reshape", lambda x: x.reshape(2, batch, 3), numbers(batch, 2, 3))
    yield operation("broadcast", lambda x: jnp.broadcast_to(x, (batch, width)), numbers(width))
    yield operation("softmax", softmax, 2 * rows())
    yield operation("log-softmax", log_softmax, 2 * rows())
    yield operation("softmax cross-entropy", cross_entropy, 2 * rows(), labels=labels)
    yield operation(
        "softmax cross-entropy, far apart", cross_entropy, 300 * rows(), labels=labels)
    yield operation(
        "softmax cross-entropy gradient",
        lambda c, z, l: c[:, None] * (softmax(z) - one_hot(l, width)), numbers(batch), rows(),
        labels=labels)
    yield operation(
        "mean squared error", mean_squared_error, rows(), rows())
    yield operation(
        "mean squared error", mean_squared_error, numbers(batch, 2, 3), numbers(batch, 2, 3))


ACTIVATIONS = {
    "relu": lambda x: jnp.maximum(x, 0), "sigmoid": sigmoid, "tanh": jnp.tanh, "exp": jnp.exp,
    "log": jnp.log, "square": lambda x: x * x, "softmax": softmax, "log_softmax": log_softmax,
}


def network(name, layers, loss, inputs, batch, *, smooth=True, positive_first=False):
    """A network of affine layers, written as their units, and activations, by name."""
    samples = numbers(batch, inputs, high=1.0)
    parameters = {}
    width = inputs
    affine = 0
    for layer in layers:
        if isinstance(layer, int):
            affine += 1
            weight = numbers(layer, width, low=0.05, high=0.8)
            bias = numbers(layer, low=0.05, high=0.5)
            if positive_first and affine == 1:
                # What comes first is positive, so that a logarithm may follow.
                samples, weight, bias = abs(samples), abs(weight), abs(bias)
            parameters[f"affine{affine}/weight"] = weight
            parameters[f"affine{affine}/bias"] = bias
            width = layer
    if loss == "softmax_cross_entropy":
        targets = random.integers(0, width, size=batch)
    else:
        targets = numbers(batch, width)

    def predict(parameters):
        x = samples
        affine = 0
        for layer in layers:
            if isinstance(layer, int):
                affine += 1
                x = x @ parameters[f"affine{affine}/weight"].T + parameters[f"affine{affine}/bias"]
            else:
                x = ACTIVATIONS[layer](x)
        return x

    def losses(parameters):
        y = predict(parameters)
        if loss == "softmax_cross_entropy":
            return cross_entropy(y, targets)
        if loss == "mean_squared_error":
            return mean_squared_error(y, targets)
        return jnp.sum((y - targets) ** 2, axis=1)

    total = lambda p: jnp.sum(losses(p))
    gradient = jax.grad(total)
    case = {
        "name": name, "layers": [str(x) for x in layers], "loss": loss,
        "samples": tensor(samples), "targets": tensor(targets),
        "parameters": {k: tensor(v) for k, v in parameters.items()},
        "prediction": tensor(predict(parameters)), "losses": tensor(losses(parameters)),
        "gradients": {k: tensor(v) for k, v in gradient(parameters).items()},
    }
    if smooth:
        squares = lambda p: sum(jnp.sum(g * g) for g in gradient(p).values())
        case["curvature"] = {k: tensor(v) for k, v in jax.grad(squares)(parameters).items()}
    return case


def networks():
    entropy, mse, norm = "softmax_cross_entropy", "mean_squared_error", "squared_norm"
    yield network("linear regression", [2], norm, 4, 5)
    yield network("linear regression, mean squared error", [3], mse, 4, 5)
    yield network("logistic regression", [4], entropy, 5, 6)
    yield network("logistic regression on learned features", [5, "tanh", 4], entropy, 5, 6)
    for activation in ACTIVATIONS:
        yield network(
            f"deep, {activation}", [5, activation, 4, "tanh", 3], entropy, 4, 5,
            smooth=activation != "relu", positive_first=activation == "log")
    yield network("deep, mean squared error", [6, "relu", 5, "sigmoid", 4, "tanh", 3], mse, 4, 5,
                  smooth=False)
    yield network("softmax and squared norm", [6, "softmax", 3], norm, 4, 5)


json.dump(
    {"jax": jax.__version__, "operations": list(operations()), "networks": list(networks())},
    sys.stdout, separators=(",", ":"))
print()
