"""Prints the numbers that UpdateTests.swift compares with: three steps of each optimiser.

Needs torch. Run it and paste what it prints: python3 kernels.py
"""

import torch

torch.set_num_threads(1)
COUNT = 19  # one vector of sixteen and three more


def vector(scale, offset):
    return torch.tensor([scale * ((i * 7) % 11 - 5) + offset for i in range(COUNT)])


def run(make):
    p = torch.nn.Parameter(vector(0.25, 0.125))
    optimizer = make([p])
    for step in range(1, 4):
        p.grad = vector(0.0625 * step, 0.03125)
        optimizer.step()
    return p.detach().tolist()


cases = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "sgdDecay": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.01),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "momentumDecay": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamDecay": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
    "adamW": lambda p: torch.optim.AdamW(p, lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
}
for name, make in cases.items():
    print(f"let {name}: [Float] = [" + ", ".join(f"{x!r}" for x in run(make)) + "]")
