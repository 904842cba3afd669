"""usage: python3 Tests/Reference/optimizers.py > Tests/Reference/optimizers.json

Makes what OptimizerTests holds the optimisers to: six steps of PyTorch's on fixed gradients, in
float32, and of LARS and LAMB after their papers. Numbers committed are of torch 2.15.0 on a CPU.
"""
import json

import numpy as np
import torch

COUNT, STEPS = 19, 6
CASES = {
    "sgd": ({"momentum": 0.0}, torch.optim.SGD, {}),
    "sgd, decay": ({"momentum": 0.0, "weight_decay": 0.01}, torch.optim.SGD, {}),
    "sgd, momentum": ({"momentum": 0.9, "weight_decay": 0.003}, torch.optim.SGD, {}),
    "sgd, nesterov": (
        {"momentum": 0.8, "weight_decay": 0.003, "nesterov": True}, torch.optim.SGD, {}),
    "adam": ({}, torch.optim.Adam, {}),
    "adam, decay": ({"weight_decay": 0.05, "beta1": 0.8, "beta2": 0.99, "epsilon": 1e-6},
                    torch.optim.Adam, {}),
    "adamw": ({}, torch.optim.AdamW, {}),
    "adamw, decay": ({"weight_decay": 0.2, "beta1": 0.7}, torch.optim.AdamW, {}),
}


def initial():
    i = torch.arange(COUNT, dtype=torch.float32)
    return ((i * 7) % 11 - 5) / 8


def gradient(step):
    # Exact in float32, so that both sides begin with the same bits.
    i = torch.arange(COUNT, dtype=torch.float32)
    return ((i * 5 + step * 3) % 13 - 6) / 16


def run(name, options, kind):
    options = dict(options)
    rate = 0.05
    arguments = {"lr": rate, "foreach": False}
    if kind is torch.optim.SGD:
        arguments.update(options)
    else:
        beta1, beta2 = options.pop("beta1", 0.9), options.pop("beta2", 0.999)
        arguments.update(betas=(beta1, beta2), eps=options.pop("epsilon", 1e-8), **options)
    parameter = torch.nn.Parameter(initial())
    optimizer = kind([parameter], **arguments)
    for step in range(1, STEPS + 1):
        parameter.grad = gradient(step)
        optimizer.step()
    return parameter.detach().tolist()


# Several parameters: a weight, a bias and the scale of a normalisation.
EXTENTS = (40, 19, 3)


def initials():
    return [((torch.arange(n, dtype=torch.float32) * 7 + k) % 11 - 5) / 8
            for k, n in enumerate(EXTENTS)]


def gradients(step):
    return [((torch.arange(n, dtype=torch.float32) * 5 + step * 3 + k) % 13 - 6) / 16
            for k, n in enumerate(EXTENTS)]


def flat(parameters):
    return [value for parameter in parameters for value in parameter.tolist()]


def run_torch(make, l1=0.0, norm=None, value=None):
    """Steps of PyTorch's with clipping, and an L1 penalty added to what is left of the gradient."""
    parameters = [torch.nn.Parameter(p) for p in initials()]
    optimizer = make(parameters)
    norms = []
    for step in range(1, STEPS + 1):
        for parameter, gradient in zip(parameters, gradients(step)):
            parameter.grad = gradient
        if norm is not None:
            norms.append(torch.nn.utils.clip_grad_norm_(parameters, norm).item())
        if value is not None:
            torch.nn.utils.clip_grad_value_(parameters, value)
        for parameter in parameters:
            parameter.grad += l1 * torch.sign(parameter.detach())
        optimizer.step()
    return {"parameters": flat(p.detach() for p in parameters), "norms": norms}


def length(array):
    return np.sqrt(np.sum(np.square(array.astype(np.float64))))


def run_lars(momentum, trust, decay, unadapted=(), undecayed=(), norm=None):
    """You, Gitman and Ginsburg (2017), algorithm 1; a ratio of 1 where a norm is 0."""
    parameters = [p.numpy().copy() for p in initials()]
    velocities = [np.zeros_like(p) for p in parameters]
    norms = []
    for step in range(1, STEPS + 1):
        slopes = [g.numpy() for g in gradients(step)]
        if norm is not None:
            norms.append(np.sqrt(sum(length(g) ** 2 for g in slopes)))
            slopes = [g * np.float32(min(1, norm / (norms[-1] + 1e-6))) for g in slopes]
        for k, (p, g, v) in enumerate(zip(parameters, slopes, velocities)):
            factor = 0.0 if k in undecayed else decay
            ratio = 1.0
            if k not in unadapted and length(p) > 0 and length(g) > 0:
                ratio = trust * length(p) / (length(g) + factor * length(p))
            v[:] = np.float32(momentum) * v + np.float32(RATE * ratio) * (g + np.float32(factor) * p)
            p -= v
    return {"parameters": flat(parameters), "norms": norms}


def run_lamb(beta1, beta2, epsilon, decay, unadapted=(), undecayed=(), norm=None):
    """You et al. (2020), algorithm 2, with the norm itself as its function φ."""
    parameters = [p.numpy().copy() for p in initials()]
    firsts = [np.zeros_like(p) for p in parameters]
    seconds = [np.zeros_like(p) for p in parameters]
    norms = []
    for step in range(1, STEPS + 1):
        slopes = [g.numpy() for g in gradients(step)]
        if norm is not None:
            norms.append(np.sqrt(sum(length(g) ** 2 for g in slopes)))
            slopes = [g * np.float32(min(1, norm / (norms[-1] + 1e-6))) for g in slopes]
        for k, (p, g, m, v) in enumerate(zip(parameters, slopes, firsts, seconds)):
            m[:] = np.float32(beta1) * m + np.float32(1 - beta1) * g
            v[:] = np.float32(beta2) * v + np.float32(1 - beta2) * g * g
            r = m / np.float32(1 - beta1 ** step)
            r = r / (np.sqrt(v / np.float32(1 - beta2 ** step)) + np.float32(epsilon))
            r = r + np.float32(0.0 if k in undecayed else decay) * p
            ratio = 1.0
            if k not in unadapted and length(p) > 0 and length(r) > 0:
                ratio = length(p) / length(r)
            p -= np.float32(RATE * ratio) * r
    return {"parameters": flat(parameters), "norms": norms}


RATE = 0.05
SEVERAL = {
    "sgd, l1": run_torch(
        lambda p: torch.optim.SGD(p, lr=RATE, momentum=0.9, weight_decay=0.01), l1=0.02),
    "adam, l1": run_torch(lambda p: torch.optim.Adam(p, lr=RATE, weight_decay=0.01), l1=0.02),
    "adamw, l1": run_torch(lambda p: torch.optim.AdamW(p, lr=RATE, weight_decay=0.1), l1=0.02),
    "sgd, clipped by norm": run_torch(
        lambda p: torch.optim.SGD(p, lr=RATE, momentum=0.9, weight_decay=0.01), norm=0.7),
    "adam, clipped by a norm never reached": run_torch(
        lambda p: torch.optim.Adam(p, lr=RATE), norm=70),
    "sgd, clipped by value": run_torch(
        lambda p: torch.optim.SGD(p, lr=RATE, momentum=0.9, weight_decay=0.01), value=0.2),
    "adamw, clipped by norm": run_torch(
        lambda p: torch.optim.AdamW(p, lr=RATE, weight_decay=0.1), norm=0.3),
    "no decay of some": run_torch(
        lambda p: torch.optim.AdamW(
            [{"params": p[:1]}, {"params": p[1:], "weight_decay": 0.0}], lr=RATE,
            weight_decay=0.3)),
    "lars": run_lars(0.9, 0.02, 0.05, unadapted=(1, 2), undecayed=(1, 2)),
    "lars of all, clipped by norm": run_lars(0.8, 0.02, 0.05, norm=0.5),
    "lamb": run_lamb(0.9, 0.999, 1e-6, 0.1, unadapted=(1, 2), undecayed=(1, 2)),
    "lamb of all, clipped by norm": run_lamb(0.8, 0.99, 1e-6, 0.1, norm=0.5),
}

print(json.dumps({
    "count": COUNT, "steps": STEPS,
    "parameters": {name: run(name, options, kind) for name, (options, kind, _) in CASES.items()},
    "several": SEVERAL,
}, indent=1))
