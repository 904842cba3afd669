"""The formula of samples and initial parameters, which the tests know too."""
import torch


def numbers(shape, salt, scale=1.0):
    count = 1
    for extent in shape:
        count *= extent
    index = torch.arange(count)
    return (((index * 7919 + salt * 104729) % 2003 - 1001) / 1001.0 * scale).reshape(shape)
