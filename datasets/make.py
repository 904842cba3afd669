"""Makes the bundled data sets, from those scikit-learn ships and a formula; equal versions make equal
bytes.

    python3 -m venv venv && venv/bin/pip install numpy h5py scikit-learn
    venv/bin/python datasets/make.py
"""

import pathlib

import h5py
import numpy
from sklearn import datasets

folder = pathlib.Path(__file__).parent


def write(name, samples, targets, scale=None, bias=None, layout=None, class_names=None):
    """Writes one split: contiguous arrays without time stamps."""
    kind = "labels" if targets.ndim == 1 else "responses"
    with h5py.File(folder / name, "w", libver="earliest", track_order=False) as file:
        arrays = {}
        for key, values in (("samples", samples), (kind, targets)):
            # The low-level property list: h5py has no option for time stamps of a data set.
            arrays[key] = file.create_dataset(key, data=values, track_times=False)
        for key, value in (("layout", layout), ("scale", scale), ("bias", bias)):
            if value is not None:
                arrays["samples"].attrs[key] = fixed(value) if isinstance(value, str) else value
        if class_names is not None:
            arrays[kind].attrs["class_names"] = fixed(list(class_names))
    print(f"{name}: samples {samples.dtype} {samples.shape}, {kind} {targets.dtype} {targets.shape}")


def fixed(text):
    """Text of a fixed length, UTF-8."""
    texts = [text] if isinstance(text, str) else text
    length = max(len(t.encode()) for t in texts)
    array = numpy.array([t.encode() for t in texts], dtype=h5py.string_dtype("utf-8", length))
    return array[0] if isinstance(text, str) else array


def digits():
    """The first 1500 rows to train on, the other 297 to test on, as the set is commonly split."""
    set = datasets.load_digits()
    samples = set.images.astype(numpy.uint8).reshape(-1, 1, 8, 8)
    labels = set.target.astype(numpy.uint8)
    names = [str(i) for i in range(10)]
    for name, rows in (("digits.h5", slice(0, 1500)), ("digits-test.h5", slice(1500, None))):
        write(
            name, samples[rows], labels[rows], scale=1 / 16, bias=0.0, layout="chw",
            class_names=names)


def iris():
    """Every fifth row to test on: the set is sorted by class, so each class gives 10 of its 50.

    The file holds the measured centimetres; scale and bias, one per feature, standardise them by
    mean and deviation of the training rows.
    """
    set = datasets.load_iris()
    samples = set.data.astype(numpy.float32)
    labels = set.target.astype(numpy.uint8)
    is_test = numpy.arange(len(samples)) % 5 == 4
    mean, deviation = set.data[~is_test].mean(axis=0), set.data[~is_test].std(axis=0)
    for name, rows in (("iris.h5", ~is_test), ("iris-test.h5", is_test)):
        write(
            name, samples[rows], labels[rows], scale=1 / deviation, bias=-mean / deviation,
            class_names=[str(n) for n in set.target_names])


def diabetes():
    """The first 342 rows to train on, the other 100 to test on; the rows are in no order.

    The file holds the ten measured features; scale and bias standardise them as those of iris. The
    response, a score of 25 to 346, is stored in hundreds, so that losses are of the order of 1.
    """
    set = datasets.load_diabetes(scaled=False)
    samples = set.data.astype(numpy.float32)
    responses = (set.target / 100).astype(numpy.float32).reshape(-1, 1)
    train = slice(0, 342)
    mean, deviation = set.data[train].mean(axis=0), set.data[train].std(axis=0)
    for name, rows in (("diabetes.h5", train), ("diabetes-test.h5", slice(342, None))):
        write(
            name, samples[rows], responses[rows], scale=1 / deviation, bias=-mean / deviation)


def spiral():
    """Two spirals of three turns each, one the other turned by half: 97 points each to train on.

    Point i is at angle iπ/16 and radius 6.5 (104 − i)/104; the points half way between neighbours are
    there to test on. The scale makes the largest radius 1.
    """
    for name, places in (("spiral.h5", numpy.arange(97)), ("spiral-test.h5", numpy.arange(96) + 0.5)):
        angle, radius = places * numpy.pi / 16, 6.5 * (104 - places) / 104
        points = numpy.stack([radius * numpy.sin(angle), radius * numpy.cos(angle)], axis=1)
        # Of each pair of rows one is of either spiral.
        samples = numpy.stack([points, -points], axis=1).reshape(-1, 2).astype(numpy.float32)
        labels = numpy.tile(numpy.array([0, 1], dtype=numpy.uint8), len(points))
        write(name, samples, labels, scale=1 / 6.5, bias=0.0, class_names=["first", "second"])


if __name__ == "__main__":
    digits()
    iris()
    diabetes()
    spiral()
