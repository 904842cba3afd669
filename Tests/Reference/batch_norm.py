"""Writes losses and running averages of steps of training with batch normalisation, by PyTorch in 64 bits.

Rows and initial parameters follow formula.py, which the test knows too: 40 rows in their
order, batches of 16, so that the last of an epoch has 8. python3 batch_norm.py > batch_norm.json
"""
import json

import torch

from formula import numbers

torch.set_default_dtype(torch.float64)

net = torch.nn.Sequential(
    torch.nn.Conv2d(1, 3, 3, padding=1), torch.nn.BatchNorm2d(3), torch.nn.ReLU(),
    torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(27, 6),
    torch.nn.BatchNorm1d(6, eps=1e-3, momentum=0.3), torch.nn.Tanh(), torch.nn.Linear(6, 3))
with torch.no_grad():
    for index, parameter in enumerate(net.parameters()):
        parameter.copy_(numbers(parameter.shape, 31 + index, 0.5))
samples, labels = numbers((40, 1, 6, 6), 5), torch.arange(40) % 3
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
losses = []
for epoch in range(4):
    for start in range(0, 40, 16):
        loss = torch.nn.functional.cross_entropy(
            net(samples[start:start + 16]), labels[start:start + 16])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
net.eval()
evaluation = float(torch.nn.functional.cross_entropy(net(samples), labels))
states = [b.tolist() for name, b in net.named_buffers() if "running" in name]
print(json.dumps({"losses": losses, "states": states, "evaluation": evaluation}, indent=1))
