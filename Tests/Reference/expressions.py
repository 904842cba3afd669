"""Writes random expressions with their values and gradients, computed by JAX in 64 bits.

An expression is drawn as a tree. The tree is what is computed, for one row at a time and without
any knowledge of how nndist does it; its text, with as few parentheses as the rules of precedence
allow, is what nndist reads. python3 expressions.py 2000 > expressions.json
"""
import json
import sys

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
random = np.random.default_rng(11)
ROWS, SETS = 2, 8

# Rows of each symbol, or none for what all rows share; columns are one axis, matrices two.
SHAPES = {
    "x": (3,), "u": (2,), "s": (), "A": (2, 3),
    "v": (3,), "b": (2,), "W": (2, 3), "θ": (3, 2), "α": (), "c": (), "β1": (),
}
BATCHED = {"x", "u", "s", "A"}
SPELLINGS = {"α": ["α", "alpha"], "β1": ["β1", "beta_1", "β₁", "beta1"], "θ": ["θ", "theta", "𝜃"]}


def inputs():
    values = {}
    for name, shape in SHAPES.items():
        shape = (ROWS, *shape) if name in BATCHED else shape
        sign = random.choice([-1, 1], size=shape)
        # Numbers that binary32 holds.
        values[name] = np.float64(np.float32(sign * random.uniform(0.2, 1.2, size=shape)))
    values["y"] = random.integers(0, 2, size=ROWS)
    return values


class Rejected(Exception):
    """A value near a kink or a pole, or of no ordinary size."""


def guard(condition):
    if not np.all(condition):
        raise Rejected


# A node is (type, precedence, text, function of (numpy or jax.numpy, row of the inputs)). Types:
# "s" scalar, ("c", n) column, ("r", n) row (held as one axis), ("m", rows, columns).
SUM, NEGATION, PRODUCT, FACTOR, POWER, POSTFIX, ATOM = 1, 2, 3, 4, 5, 6, 7


def wrap(node, minimum):
    redundant = random.random() < 0.05
    text = node[2]
    return f"({text})" if node[1] < minimum or redundant else text


def choose(options):
    return options[random.integers(len(options))]


def leaf(name, kind):
    spelling = choose(SPELLINGS.get(name, [name]))
    return (kind, ATOM, spelling, lambda xp, e: e[name])


def leaves(kind):
    if kind == "s":
        options = [leaf(n, "s") for n in ["s", "α", "c", "β1"]]
        number = choose([("2", 2.0), ("0.5", 0.5), (".25", 0.25), ("1e-1", 0.1), ("3.", 3.0)])
        options.append(("s", ATOM, number[0], lambda xp, e: xp.asarray(number[1])))
        i, j = int(random.integers(3)), int(random.integers(2))
        options += [
            ("s", POSTFIX, f"x[{i}]", lambda xp, e: e["x"][i]),
            ("s", POSTFIX, "u[y]", lambda xp, e: e["u"][e["y"]]),
            ("s", POSTFIX, f"theta[{i}][{j}]", lambda xp, e: e["θ"][i, j]),
            ("s", POSTFIX, f"A[{j}][{i}]", lambda xp, e: e["A"][j, i]),
            ("s", PRODUCT, choose(["x*v", "x'·v", "xᵀ*v", "x^T*v"]),
             lambda xp, e: xp.sum(e["x"] * e["v"])),
        ]
        return choose(options)
    if kind == ("c", 3):
        options = [leaf("x", kind), leaf("v", kind),
                   (kind, POSTFIX, "W[y]", lambda xp, e: e["W"][e["y"]]),
                   (kind, POSTFIX, "W[1]", lambda xp, e: e["W"][1])]
        return choose(options)
    if kind == ("c", 2):
        options = [leaf("u", kind), leaf("b", kind),
                   (kind, POSTFIX, "θ[y]", lambda xp, e: e["θ"][e["y"]]),
                   (kind, POSTFIX, "θ[2]", lambda xp, e: e["θ"][2])]
        return choose(options)
    if kind[0] == "r":
        column = leaves(("c", kind[1]))
        mark = choose(["'", "ᵀ", "^T", "′"])
        return (kind, POSTFIX, wrap(column, POSTFIX) + mark, column[3])
    if kind == ("m", 2, 3):
        return choose([leaf("W", kind), leaf("A", kind),
                       (kind, POSTFIX, "θ'", lambda xp, e: e["θ"].T)])
    if kind == ("m", 3, 2):
        return choose([leaf("θ", kind), (kind, POSTFIX, "Wᵀ", lambda xp, e: e["W"].T),
                       (kind, POSTFIX, "A'", lambda xp, e: e["A"].T)])
    if kind == ("m", 2, 2):
        return (kind, PRODUCT, "W*θ", lambda xp, e: e["W"] @ e["θ"])
    return (kind, PRODUCT, "θ*W", lambda xp, e: e["θ"] @ e["W"])


def sigmoid(xp, x):
    return 1 / (1 + xp.exp(-x))


def log_sum_exp(xp, x):
    peak = x.max() if xp is np else jax.lax.stop_gradient(x.max())
    return peak + xp.log(xp.sum(xp.exp(x - peak)))


FUNCTIONS = {
    "exp": (lambda xp, x: xp.exp(x), lambda x: x < 3),
    "log": (lambda xp, x: xp.log(x), lambda x: x > 0.15),
    "sqrt": (lambda xp, x: xp.sqrt(x), lambda x: x > 0.15),
    "abs": (lambda xp, x: xp.abs(x), lambda x: np.abs(x) > 0.02),
    "sigmoid": (sigmoid, lambda x: True),
    "tanh": (lambda xp, x: xp.tanh(x), lambda x: True),
    "relu": (lambda xp, x: xp.maximum(x, 0), lambda x: np.abs(x) > 0.02),
    "square": (lambda xp, x: x * x, lambda x: True),
}


def guarded(test, function):
    """A function of operands that are refused, while an expression is drawn, outside of `test`."""
    def evaluate(xp, *operands):
        if xp is np:
            guard(test(*operands))
        return function(xp, *operands)
    return evaluate


def make(kind, precedence, text, function, *operands):
    return (kind, precedence, text,
            lambda xp, e: function(xp, *[operand[3](xp, e) for operand in operands]))


def elementwise(kind, depth):
    """What scalars, columns, rows and matrices have in common."""
    pick = random.integers(8)
    a = draw(kind, depth - 1)
    # A scalar goes with anything.
    other = draw("s" if random.random() < 0.2 else kind, depth - 1)
    if random.random() < 0.3:
        a, other = other, a
    mixed = kind if kind in (a[0], other[0]) else None
    if pick <= 1 and mixed:
        return make(kind, SUM, f"{wrap(a, SUM)} {choose(['+', '＋'])} {wrap(other, PRODUCT)}",
                    lambda xp, p, q: p + q, a, other)
    if pick == 2 and mixed:
        # A minus sign before the right operand is of its product.
        right = other if random.random() < 0.7 else negated(other)
        level = PRODUCT if right is other else NEGATION
        return make(kind, SUM, f"{wrap(a, SUM)} {choose(['-', '−', '–'])} {wrap(right, level)}",
                    lambda xp, p, q: p - q, a, right)
    if pick == 3 and mixed:
        return make(kind, PRODUCT, f"{wrap(a, PRODUCT)} {choose(['.*', '⊙'])} {wrap(other, FACTOR)}",
                    lambda xp, p, q: p * q, a, other)
    if pick == 4 and mixed:
        mark = "/" if other[0] == "s" else choose(["./", "⊘"])
        return make(kind, PRODUCT, f"{wrap(a, PRODUCT)}{mark}{wrap(other, FACTOR)}",
                    guarded(lambda p, q: np.abs(q) > 0.3, lambda xp, p, q: p / q), a, other)
    if pick == 5:
        return negated(draw(kind, depth - 1))
    if pick == 6:
        return power(draw(kind, depth - 1))
    inner = draw(kind, depth - 1)
    name = choose(list(FUNCTIONS))
    function, test = FUNCTIONS[name]
    if name == "sqrt" and random.random() < 0.5:
        return make(kind, FACTOR, f"√{wrap(inner, POWER)}", guarded(test, function), inner)
    return make(kind, ATOM, f"{name}({inner[2]})", guarded(test, function), inner)


def negated(x):
    return make(x[0], NEGATION, f"-{wrap(x, PRODUCT)}", lambda xp, p: -p, x)


def power(x):
    mark = choose(["^", "**"]) if x[0] == "s" else ".^"
    text, exponent = choose([("2", 2), ("3", 3), ("-1", -1), ("-2", -2), ("0.5", 0.5), ("1.5", 1.5)])
    test = (lambda p: p > 0.3) if exponent != int(exponent) else (
        (lambda p: np.abs(p) > 0.3) if exponent < 0 else (lambda p: True))
    suffix = mark + text
    if x[0] == "s" and exponent in (2, 3, -1, -2) and random.random() < 0.4:
        suffix = {2: "²", 3: "³", -1: "⁻¹", -2: "⁻²"}[exponent]
        return make("s", POWER, wrap(x, POSTFIX) + suffix,
                    guarded(test, lambda xp, p: p ** exponent), x)
    return make(x[0], POWER, wrap(x, POSTFIX) + suffix,
                guarded(test, lambda xp, p: p ** exponent), x)


def scalar(depth):
    size = int(random.integers(2, 4))
    vector = draw(("c", size), depth - 1)
    pick = random.integers(15)
    if pick == 0:
        other = draw(("c", size), depth - 1)
        row = choose(["'", "ᵀ", "^T"])
        return make("s", PRODUCT, f"{wrap(vector, POSTFIX)}{row}{choose('*·×')}{wrap(other, FACTOR)}",
                    lambda xp, p, q: xp.sum(p * q), vector, other)
    if pick == 1:
        bars = choose(["‖{}‖", "||{}||", "norm({})"])
        suffix, function = choose([("", lambda xp, n: xp.sqrt(n)), ("^2", lambda xp, n: n),
                                   ("²", lambda xp, n: n), ("^3", lambda xp, n: n ** 1.5)])
        return make("s", POWER if suffix else ATOM, bars.format(vector[2]) + suffix,
                    guarded(lambda p: np.sum(p * p) > 0.1,
                            lambda xp, p: function(xp, xp.sum(p * p))), vector)
    if pick == 2:
        a, b = draw("s", depth - 1), draw("s", depth - 1)
        return make("s", ATOM, f"max({a[2]}, {b[2]})",
                    guarded(lambda p, q: abs(p - q) > 0.05, lambda xp, p, q: xp.maximum(p, q)),
                    a, b)
    if pick == 3:
        x = draw("s", depth - 1)
        return make("s", ATOM, f"|{x[2]}|" if "|" not in x[2] and "‖" not in x[2] else f"abs({x[2]})",
                    guarded(lambda p: abs(p) > 0.05, lambda xp, p: xp.abs(p)), x)
    if pick == 4:
        classes = draw(("c", int(random.integers(2, 4))), depth - 1)
        return (
            "s", ATOM, f"cross_entropy({classes[2]}, y)",
            lambda xp, e: (lambda z: log_sum_exp(xp, z) - z[e["y"]])(classes[3](xp, e)))
    if pick == 5:
        return make("s", ATOM, f"logsumexp({vector[2]})", lambda xp, p: log_sum_exp(xp, p), vector)
    if pick == 6:
        matrix = draw(("m", *choose([(2, 3), (3, 2)])), depth - 1)
        name = choose(["sum", "mean"])
        return make("s", ATOM, f"{name}({matrix[2]})",
                    lambda xp, p: xp.sum(p) if name == "sum" else xp.mean(p), matrix)
    if pick == 7:
        # A sum without parentheses is of a product.
        text = wrap(vector, PRODUCT)
        # Before a parenthesis it is a call: ∑(x).^2 is the square of the sum.
        if random.random() < 0.5 and text[0] != "(":
            return make("s", NEGATION, f"∑ {text}", lambda xp, p: xp.sum(p), vector)
        return make("s", ATOM, f"{choose(['Σ', 'sum', '∑'])}({vector[2]})",
                    lambda xp, p: xp.sum(p), vector)
    if pick == 8:
        a, b = draw("s", depth - 1), draw("s", depth - 1)
        return make("s", PRODUCT, f"{wrap(a, PRODUCT)}{choose('*·×')}{wrap(b, FACTOR)}",
                    lambda xp, p, q: p * q, a, b)
    if pick == 9:
        # A minus sign after '*' is of the next factor.
        a, b, c = draw("s", depth - 1), draw("s", depth - 2), draw("s", depth - 1)
        return make("s", PRODUCT, f"{wrap(a, PRODUCT)}*-{wrap(b, POWER)}*{wrap(c, FACTOR)}",
                    lambda xp, p, q, r: p * (-q) * r, a, b, c)
    if pick == 10:
        a, b = draw("s", depth - 1), draw("s", depth - 1)
        return make("s", POWER, f"{wrap(a, POSTFIX)}^{wrap(b, POWER)}",
                    guarded(lambda p, q: p > 0.3, lambda xp, p, q: p ** q), a, b)
    if pick == 11:
        text = wrap(vector, PRODUCT)
        if text[0] in "(-|‖√∑":
            text = f"({vector[2]})"
        return make("s", NEGATION, f"log Σ {text}",
                    guarded(lambda p: np.sum(p) > 0.15, lambda xp, p: xp.log(xp.sum(p))), vector)
    return elementwise("s", depth)


def column(size, depth):
    kind = ("c", size)
    pick = random.integers(8)
    if pick <= 1:
        inner = 5 - size
        matrix, x = draw(("m", size, inner), depth - 1), draw(("c", inner), depth - 1)
        return make(kind, PRODUCT, f"{wrap(matrix, PRODUCT)}*{wrap(x, FACTOR)}",
                    lambda xp, p, q: p @ q, matrix, x)
    if pick == 2:
        row = draw(("r", size), depth - 1)
        return make(kind, POSTFIX, wrap(row, POSTFIX) + "'", lambda xp, p: p, row)
    if pick == 3:
        x = draw(kind, depth - 1)
        name, log = choose([("softmax", False), ("log_softmax", True)])
        return make(
            kind, ATOM, f"{name}({x[2]})",
            lambda xp, p: (lambda z: z if log else xp.exp(z))(p - log_sum_exp(xp, p)), x)
    if pick == 4:
        scalar_, x = draw("s", depth - 1), draw(kind, depth - 1)
        return make(kind, PRODUCT, f"{wrap(scalar_, PRODUCT)}*{wrap(x, FACTOR)}",
                    lambda xp, p, q: p * q, scalar_, x)
    return elementwise(kind, depth)


def row(size, depth):
    kind = ("r", size)
    pick = random.integers(4)
    if pick == 0:
        inner = 5 - size
        x, matrix = draw(("r", inner), depth - 1), draw(("m", inner, size), depth - 1)
        return make(kind, PRODUCT, f"{wrap(x, PRODUCT)}*{wrap(matrix, FACTOR)}",
                    lambda xp, p, q: p @ q, x, matrix)
    if pick == 1:
        return elementwise(kind, depth)
    x = draw(("c", size), depth - 1)
    return make(kind, POSTFIX, wrap(x, POSTFIX) + choose(["'", "ᵀ", "^T"]), lambda xp, p: p, x)


def matrix(rows, columns, depth):
    kind = ("m", rows, columns)
    pick = random.integers(6)
    if pick == 0:
        x, y = draw(("c", rows), depth - 1), draw(("r", columns), depth - 1)
        return make(kind, PRODUCT, f"{wrap(x, PRODUCT)}*{wrap(y, FACTOR)}",
                    lambda xp, p, q: xp.outer(p, q), x, y)
    if pick == 1:
        inner = 5 - columns
        a, b = draw(("m", rows, inner), depth - 1), draw(("m", inner, columns), depth - 1)
        return make(kind, PRODUCT, f"{wrap(a, PRODUCT)}*{wrap(b, FACTOR)}",
                    lambda xp, p, q: p @ q, a, b)
    if pick == 2:
        a = draw(("m", columns, rows), depth - 1)
        return make(kind, POSTFIX, wrap(a, POSTFIX) + choose(["'", "ᵀ", "^T"]),
                    lambda xp, p: p.T, a)
    if pick == 3:
        return elementwise(kind, depth)
    return leaves(kind)


def draw(kind, depth):
    """A node of a type; its value is of ordinary size in all sets of inputs."""
    if depth <= 0:
        return leaves(kind)
    for _ in range(100):
        if kind == "s":
            node = scalar(depth)
        elif kind[0] == "c":
            node = column(kind[1], depth)
        elif kind[0] == "r":
            node = row(kind[1], depth)
        else:
            node = matrix(kind[1], kind[2], depth)
        if is_tame(node):
            return node
    return leaves(kind)


def rows_of(values):
    for i in range(ROWS):
        yield {name: value[i] if name in BATCHED | {"y"} else value
               for name, value in values.items()}


def is_tame(node):
    try:
        for row in TRIAL:
            value = node[3](np, row)
            guard(np.isfinite(value) & (np.abs(value) < 30))
    except Rejected:
        return False
    return True


def plain(array):
    return [float(f"{x:.14g}") for x in np.ravel(array)]


def case(node, values, index):
    numbers = {n: jnp.asarray(values[n]) for n in SHAPES}
    shared = lambda numbers: {n: numbers[n] for n in SHAPES if n not in BATCHED}

    def total(numbers):
        function = lambda e, y: node[3](jnp, {**e, **shared(numbers), "y": y})
        batched = {n: numbers[n] for n in BATCHED}
        result = jax.vmap(function)(batched, jnp.asarray(values["y"]))
        return jnp.sum(result), result

    (_, value), gradient = jax.value_and_grad(total, has_aux=True)(numbers)
    gradients = {n: plain(g) for n, g in gradient.items() if np.any(g)}
    return value, {"text": node[2], "inputs": index, "value": plain(value), "gradients": gradients}


if __name__ == "__main__":
    count = int(sys.argv[1])
    sets = [inputs() for _ in range(SETS)]
    cases, texts = [], set()
    while len(cases) < count:
        index = len(cases) % SETS
        TRIAL = list(rows_of(sets[index]))
        kind = choose(["s", "s", "s", "s", ("c", 2), ("c", 3), ("m", 2, 3)])
        node = draw(kind, int(random.integers(2, 5)))
        if not 8 < len(node[2]) < 300 or node[2] in texts:
            continue
        value, found = case(node, sets[index], index)
        numbers = found["value"] + sum(found["gradients"].values(), [])
        if not np.all(np.isfinite(numbers)) or np.max(np.abs(numbers)) > 300:
            continue
        texts.add(node[2])
        cases.append(found)
    shapes = {n: (["batch"] if n in BATCHED else []) + list(s) for n, s in SHAPES.items()}
    print('{"jax": "%s",' % jax.__version__)
    print('"shapes":', json.dumps({**shapes, "y": ["batch"]}, ensure_ascii=False), ",")
    values = [{n: np.ravel(v).tolist() for n, v in s.items()} for s in sets]
    print('"inputs":', json.dumps(values, ensure_ascii=False, separators=(",", ":")), ",")
    print('"cases": [')
    print(",\n".join(json.dumps(c, ensure_ascii=False, separators=(",", ":")) for c in cases))
    print("]}")
