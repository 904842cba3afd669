"""Prints the numbers that the tests of Numerics compare with.

Needs mpmath and numpy. Run it and paste what it prints: python3 numerics.py
"""

import mpmath
import numpy as np

mpmath.mp.dps = 60

points = [-30.5, -2.0, -0.75, -0.5493, -0.1, -1e-9, 0.0, 1e-12, 0.25, 0.5, 0.55, 1.0, 3.0, 20.5]
small = [-0.3466, -0.3465, 0.3465, 0.3466, 1e-5, -1e-5, 1e-17, -1e-17, 3e-308]
rows = {
    "exp": [(x, mpmath.exp(x)) for x in points + [-700.25, 709.5]],
    "log": [
        (x, mpmath.log(x))
        for x in [1e-300, 0.1, 0.7071, 0.70711, 0.999999, 1.0, 1.000001, 1.5, 1e300]
    ],
    "tanh": [(x, mpmath.tanh(x)) for x in points],
    "sigmoid": [(x, 1 / (1 + mpmath.exp(-mpmath.mpf(x)))) for x in points + [-700.0]],
    "expm1": [(x, mpmath.expm1(x)) for x in points + small + [-700.25, -37.5, 709.5]],
    "log1p": [
        (x, mpmath.log1p(x))
        for x in small + [-0.9999999999, -0.75, -0.3, 0.4, 0.41421, 0.41422, 0.5, 3.0, 1e15, 1e300]
    ],
    "softplus": [
        (x, mpmath.log1p(mpmath.exp(mpmath.mpf(x))))
        for x in points + small + [-700.25, -88.5, 36.75, 1e300]
    ],
    "cosine": [
        (x, mpmath.chop(mpmath.cos(2 * mpmath.pi * mpmath.mpf(x)), 1e-50))
        for x in [0.0, 0.1, 0.125, 0.25, 0.3, 0.4999, 0.5, 0.7, 0.875, 0.99, -0.2, 12345.678]
    ],
    "sine": [
        (x, mpmath.chop(mpmath.sin(2 * mpmath.pi * mpmath.mpf(x)), 1e-50))
        for x in [0.0, 0.1, 0.125, 0.25, 0.3, 0.4999, 0.5, 0.7, 0.875, 0.99, -0.2, 12345.678]
    ],
}
for name, pairs in rows.items():
    print(f"let {name} = [" + ", ".join(f"({x!r}, {float(y)!r})" for x, y in pairs) + "]")


def philox(counter, key):
    """Philox 4x32-10 of Salmon et al., in plain integers."""
    x, k, mask = list(counter), list(key), 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = x[0] * 0xD2511F53, x[2] * 0xCD9E8D57
        x = [(p1 >> 32) ^ x[1] ^ k[0], p1 & mask, (p0 >> 32) ^ x[3] ^ k[1], p0 & mask]
        k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
    return x


def fnv1a(text):
    h = 0x811C9DC5
    for byte in text:
        h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
    return h


stream = fnv1a(b"initial value\0affine1/weight")
elements = [0, 1, 2, 3, 1000, 2**32 - 1, 2**32, 2**32 + 1]
uniform, normal = [], []
for element in elements:
    last = (stream + (element >> 32) * 0x9E3779B9) & 0xFFFFFFFF
    word = philox([element & 0xFFFFFFFF, 7, 3, last], [42, 0])
    uniform.append(np.float32(word[0] >> 8) * np.float32(2.0**-24))
    u = (mpmath.mpf(word[0]) + 0.5) / 2**32
    v = mpmath.mpf(word[1]) / 2**32
    normal.append(np.float32(float(mpmath.sqrt(-2 * mpmath.log(u)) * mpmath.cos(2 * mpmath.pi * v))))
print("let elements =", elements)
print("let uniform: [Float] =", [float(x) for x in uniform])
print("let normal: [Float] =", [float(str(x)) for x in normal])
