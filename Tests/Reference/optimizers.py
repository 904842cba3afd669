"""usage: python3 Tests/Reference/optimizers.py > Tests/Reference/optimizers.json

Makes what OptimizerTests holds the optimisers to: six steps of PyTorch's on fixed gradients, in
float32. Numbers committed are of torch 2.15.0 on a CPU.
"""
import json

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


print(json.dumps({
    "count": COUNT, "steps": STEPS,
    "parameters": {name: run(name, options, kind) for name, (options, kind, _) in CASES.items()},
}, indent=1))
