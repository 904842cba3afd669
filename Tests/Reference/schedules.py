"""usage: python3 Tests/Reference/schedules.py > Tests/Reference/schedules.json

Makes what ScheduleTests holds the schedules to: learning rates of PyTorch's schedulers, as factors.
Numbers committed are of torch 2.15.0.
"""
import json
import warnings

import torch
from torch.optim import lr_scheduler as schedulers

warnings.simplefilter("ignore")
STEPS, PER_EPOCH = 60, 4


def factors(make, per_step):
    """The factor of each step; a scheduler of epochs is asked at the end of each."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    values = []
    for step in range(1, STEPS + 1):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if per_step or step % PER_EPOCH == 0:
            scheduler.step()
    return values


def plateau(**options):
    """The factor after each of some losses, and of accuracies."""
    results = {}
    for mode in ("min", "max"):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        scheduler = schedulers.ReduceLROnPlateau(optimizer, mode=mode, **options)
        values = []
        for loss in LOSSES:
            scheduler.step(loss if mode == "min" else 1 - loss)
            values.append(optimizer.param_groups[0]["lr"])
        results["loss" if mode == "min" else "accuracy"] = values
    return results


# Whole 128ths, so that accuracies are exact.
LOSSES = [k / 128 for k in (
    120, 100, 101, 100, 99, 98, 98, 98, 98, 90, 91, 92, 93, 94, 80, 81, 82, 83, 84, 79, 79, 79, 79,
    79, 79, 79, 79, 20)]
PER_EPOCH_SHAPES = {
    "step": lambda o: schedulers.StepLR(o, 3, gamma=0.5),
    "multi_step": lambda o: schedulers.MultiStepLR(o, [2, 5, 6], gamma=0.3),
    "exponential": lambda o: schedulers.ExponentialLR(o, 0.9),
}
CURVES = {
    "cosine": lambda o: schedulers.CosineAnnealingLR(o, 10 * PER_EPOCH, eta_min=0.125),
    "linear": lambda o: schedulers.LinearLR(o, 1, 0.25, 10 * PER_EPOCH),
    "polynomial": lambda o: schedulers.PolynomialLR(o, 10 * PER_EPOCH, power=1.7),
    "one_cycle": lambda o: schedulers.OneCycleLR(o, 1.0, total_steps=15 * PER_EPOCH),
    "one_cycle, lines": lambda o: schedulers.OneCycleLR(
        o, 1.0, total_steps=15 * PER_EPOCH, pct_start=0.45, anneal_strategy="linear",
        div_factor=10, final_div_factor=100),
}
print(json.dumps({
    "stepsPerEpoch": PER_EPOCH,
    "epochs": {name: factors(make, False) for name, make in PER_EPOCH_SHAPES.items()},
    "steps": {name: factors(make, True) for name, make in CURVES.items()},
    "losses": LOSSES,
    "plateau": {
        "default": plateau(factor=0.5, patience=2),
        "threshold": plateau(factor=0.1, patience=3, threshold=0.02, min_lr=0.05),
    },
}, indent=1))
