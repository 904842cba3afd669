"""Writes losses and gradients of small networks of image layers, computed by PyTorch in 64 bits.

Parameters and samples follow formula.py, which the test knows too, so only results are stored: the loss of
each row and, of each gradient, its sum with alternating weights. Of batch normalisation also the running
averages after one step from 0 and 1, and the losses of evaluation with averages of the formula. python3 layers.py > layers.json
"""
import json

import torch
from torch.nn import functional as F

from formula import numbers

torch.set_default_dtype(torch.float64)


def weighted(values):
    flat = values.flatten()
    return float((flat * numbers(flat.shape, 17)).sum())


class Net:
    """Gives parameters in the order in which layers ask for them."""

    def __init__(self, training=True):
        self.parameters = []
        self.states = []
        self.training = training

    def parameter(self, *shape):
        value = numbers(shape, 31 + len(self.parameters), 0.5).requires_grad_()
        self.parameters.append(value)
        return value

    def state(self, channels, initial):
        salt = 51 + len(self.states)
        value = torch.full((channels,), float(initial))
        if not self.training:
            value = value + numbers((channels,), salt, 0.5)
        self.states.append(value)
        return value

    def batch_norm(self, x, momentum=0.1, eps=1e-5, affine=True):
        channels = x.shape[1]
        scale, shift = (self.parameter(channels) if affine else None for _ in range(2))
        mean, variance = self.state(channels, 0), self.state(channels, 1)
        return F.batch_norm(x, mean, variance, scale, shift, self.training, momentum, eps)

    def affine(self, x, units):
        x = x.flatten(1)
        return F.linear(x, self.parameter(units, x.shape[1]), self.parameter(units))

    def conv(self, x, channels, kernel, **options):
        groups = options.get("groups", 1)
        kernel = (kernel,) * (x.dim() - 2) if isinstance(kernel, int) else kernel
        w = self.parameter(channels, x.shape[1] // groups, *kernel)
        function = F.conv2d if x.dim() == 4 else F.conv1d
        return function(x, w, self.parameter(channels), **options)

    def transposed(self, x, channels, kernel, **options):
        groups = options.get("groups", 1)
        kernel = (kernel,) * (x.dim() - 2)
        w = self.parameter(x.shape[1], channels // groups, *kernel)
        function = F.conv_transpose2d if x.dim() == 4 else F.conv_transpose1d
        return function(x, w, self.parameter(channels), **options)


    def conv_with_norm(self, x, channels, kernel, **options):
        groups = options.get("groups", 1)
        v = self.parameter(channels, x.shape[1] // groups, kernel, kernel)
        w = torch._weight_norm(v, self.parameter(channels).reshape(-1, 1, 1, 1), 0)
        return F.conv2d(x, w, self.parameter(channels), **options)

    def affine_with_norm(self, x, units):
        x = x.flatten(1)
        v = self.parameter(units, x.shape[1])
        return F.linear(x, torch._weight_norm(v, self.parameter(units, 1), 0), self.parameter(units))

    def transposed_with_norm(self, x, channels, kernel, groups):
        """Normalised by output, which for transposed weights is not PyTorch's axis."""
        v = self.parameter(x.shape[1], channels // groups, kernel, kernel)
        g = self.parameter(channels).reshape(groups, 1, channels // groups, 1, 1)
        seen = v.reshape(groups, -1, *v.shape[1:])
        w = (seen * g / seen.pow(2).sum((1, 3, 4), keepdim=True).sqrt()).reshape(v.shape)
        return F.conv_transpose2d(x, w, self.parameter(channels), groups=groups)


def hard_sigmoid(x):
    """Written out: the gradient of PyTorch's own has 1/6 in 32 bits."""
    return F.relu6(x + 3) / 6


def lenet(net, x):
    x = F.max_pool2d(F.relu(net.conv(x, 3, 3, padding=1)), 2)
    x = F.max_pool2d(F.relu(net.conv(x, 5, 3, padding=1)), 2)
    return net.affine(F.relu(net.affine(x, 6)), 4)


def windows(net, x):
    x = F.leaky_relu(net.conv(x, 4, (3, 2), stride=(2, 1), padding=(1, 0)), 0.1)
    x = F.elu(net.conv(x, 6, 2, dilation=2, groups=2))
    x = F.avg_pool2d(x, 2, 1, 1)
    x = F.gelu(net.transposed(x, 4, 3, stride=2, padding=1, groups=2))
    x = F.max_pool2d(F.silu(x), 3, 2, 1)
    return net.affine(x.mean((2, 3)), 3)


def norms(net, x):
    x = net.conv(x, 4, 3, padding=1)
    shape = x.shape[1:]
    x = F.layer_norm(x, shape, net.parameter(*shape), net.parameter(*shape))
    x = x * hard_sigmoid(x)
    x = F.group_norm(x, 2, net.parameter(4), net.parameter(4))
    x = F.softplus(x)
    x = F.instance_norm(x, weight=net.parameter(4), bias=net.parameter(4))
    x = F.local_response_norm(x, 3, 0.5, 0.75, 2.0)
    x = F.rms_norm(x, x.shape[1:], net.parameter(*x.shape[1:]), 1e-5)
    return net.affine(hard_sigmoid(x), 3)


def signals(net, x):
    x = F.relu(net.conv(x, 4, 3, stride=2, padding=2))
    x = F.max_pool1d(x, 2)
    x = F.tanh(net.transposed(x, 2, 2, stride=2))
    x = F.avg_pool1d(x.permute(0, 2, 1), 2)
    return net.affine(x, 3)


def residual(net, x):
    """A stem, two residual blocks, a squeeze-and-excitation gate of the stem, and a skip to the head."""
    stem = x = net.conv(x, 4, 3, padding=1)
    for _ in range(2):
        y = F.relu(net.conv(x, 4, 3, padding=1))
        y = net.conv(y, 4, 1)
        x = F.relu(x + y)
    gate = torch.sigmoid(net.affine(stem.mean((2, 3)), 4))[:, :, None, None]
    x = torch.cat([x * gate, stem, F.pad(x[:, 1:3, :, :4], (1, 1))], 1)
    return net.affine(x.mean((2, 3)), 3)


def shared(net, x):
    """One affine layer twice, one convolution on both halves of the channels."""
    w, b = net.parameter(3, 2, 3, 3), net.parameter(3)
    a, c = F.conv2d(x[:, :2], w, b), F.conv2d(x[:, 2:], w, b)
    x = torch.tanh(net.affine(a * c + a, 5))
    w, b = net.parameter(5, 5), net.parameter(5)
    x = F.linear(torch.tanh(F.linear(x, w, b)), w, b)
    return net.affine(x, 3)


def words(net, x):
    """Three words and two numbers a row; the table is used once more for the first word."""
    index = x[:, :3].long()
    table = net.parameter(7, 4)
    words = F.embedding(index, table)
    words = net.conv(words.permute(0, 2, 1), 3, 2)
    first = F.embedding(index[:, :1], table).flatten(1)
    return net.affine(torch.cat([words.flatten(1), first, x[:, 3:]], 1), 3)


def weight_norm(net, x):
    x = F.relu(net.conv_with_norm(x, 4, 3, padding=1, groups=2))
    x = torch.tanh(net.transposed_with_norm(x, 6, 2, 2))
    return net.affine_with_norm(x, 3)


def word_samples(shape):
    samples = numbers((3, *shape), 5)
    samples[:, :3] = torch.tensor([[0, 6, 3], [3, 3, 5], [2, 0, 3]])
    return samples


def batch_norms(net, x):
    x = net.batch_norm(net.conv(x, 4, 3, padding=1), momentum=0.25, eps=1e-3)
    x = net.batch_norm(net.affine(F.max_pool2d(F.relu(x), 2), 5), affine=False)
    return net.affine(torch.tanh(x), 3)


def batch_norm_signals(net, x):
    x = net.batch_norm(x, momentum=0.5)
    return net.affine(F.relu(net.conv(x, 3, 2)), 3)


result = []
for name, build, shape in [
    ("lenet", lenet, (1, 8, 9)), ("windows", windows, (2, 9, 8)), ("norms", norms, (2, 5, 4)),
    ("signals", signals, (3, 13)), ("residual", residual, (2, 5, 6)), ("shared", shared, (4, 4, 5)),
    ("words", words, (5,)), ("weight_norm", weight_norm, (2, 4, 5)),
    ("batch_norms", batch_norms, (2, 5, 4)),
    ("batch_norm_signals", batch_norm_signals, (3, 13)),
]:
    net = Net()
    samples = word_samples(shape) if name == "words" else numbers((3, *shape), 5)
    labels = torch.arange(3) % 3
    losses = F.cross_entropy(build(net, samples), labels, reduction="none")
    losses.sum().backward()
    result.append({
        "name": name, "sample": list(shape), "losses": losses.tolist(),
        "gradients": [weighted(p.grad) for p in net.parameters],
    })
    if net.states:
        outside = Net(training=False)
        losses = F.cross_entropy(build(outside, samples), labels, reduction="none")
        result[-1]["states"] = [s.tolist() for s in net.states]
        result[-1]["evaluation"] = losses.tolist()
LOSSES = {
    "mean_absolute_error": F.l1_loss, "huber": F.huber_loss,
    "binary_cross_entropy": F.binary_cross_entropy_with_logits, "mean_squared_error": F.mse_loss,
}
for name, loss in LOSSES.items():
    net = Net()
    samples, targets = numbers((3, 4), 5, 4), (numbers((3, 2), 6) + 1) / 2
    losses = loss(net.affine(samples, 2), targets, reduction="none").mean(1)
    losses.sum().backward()
    result.append({
        "name": name, "sample": [4], "losses": losses.tolist(),
        "gradients": [weighted(p.grad) for p in net.parameters],
    })
CLASS_LOSSES = {
    "label_smoothing": {"label_smoothing": 0.2},
    "class_weights": {"weight": torch.tensor([0.5, 2.0, 1.25])},
    "both": {"label_smoothing": 0.3, "weight": torch.tensor([0.5, 2.0, 1.25])},
}
for name, options in CLASS_LOSSES.items():
    net = Net()
    outputs, labels = net.affine(numbers((4, 4), 5, 4), 3), torch.tensor([0, 1, 2, 1])
    losses = F.cross_entropy(outputs, labels, reduction="none", **options)
    losses.sum().backward()
    result.append({
        "name": name, "sample": [4], "losses": losses.tolist(),
        "gradients": [weighted(p.grad) for p in net.parameters],
        "mean": F.cross_entropy(outputs, labels, **options).item(),
    })
net = Net()
samples, targets = numbers((3, 4), 5, 4), (numbers((3, 2), 6) + 1) / 2
losses = F.huber_loss(net.affine(samples, 2), targets, reduction="none", delta=0.4).mean(1)
losses.sum().backward()
result.append({
    "name": "huber with delta", "sample": [4], "losses": losses.tolist(),
    "gradients": [weighted(p.grad) for p in net.parameters],
})
print(json.dumps(result, indent=1))
