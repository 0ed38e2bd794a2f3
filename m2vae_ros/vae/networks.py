# SPDX-License-Identifier: Apache-2.0
"""The building blocks of every encoder and decoder: perceptrons, convolutions, Gaussian heads."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from m2vae_ros.vae.gaussian import Gaussian


def perceptron(sizes: Sequence[int]) -> nn.Sequential:
    """Fully connected layers with ReLU after each: (B, sizes[0]) -> (B, sizes[-1])."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers)


class Named(nn.ModuleDict):
    """Networks by the names of modalities, whatever those are.

    `nn.ModuleDict` refuses names that are attributes of its own, such as "forward", which is a fine
    name of a camera.
    """

    def add_module(self, name: str, module: nn.Module | None) -> None:
        """Take a network in by any name without a dot."""
        assert module is not None
        self._modules[name] = module

    def train(self, mode: bool = True) -> Named:
        """As ever, but past what torch makes of assigning to a name that a network has."""
        self.__dict__["training"] = mode
        for module in self.children():
            module.train(mode)
        return self


class GaussianHead(nn.Module):
    """The two linear layers that parametrise a posterior: (B, features) -> Gaussian (B, D_z)."""

    def __init__(self, features: int, latent_dim: int) -> None:
        super().__init__()
        self.mean = nn.Linear(features, latent_dim)
        self.log_variance = nn.Linear(features, latent_dim)

    def forward(self, features: Tensor) -> Gaussian:
        """(B, features) -> a Gaussian over the latent space, (B, D_z)."""
        return Gaussian(self.mean(features), self.log_variance(features))


class ConvolutionalTrunk(nn.Module):
    """Strided convolutions, then one dense layer: (B, C, *size) -> (B, features).

    Works on images (C, H, W) and on scans (C, N). Each stage halves every axis (rounding up).
    """

    def __init__(self, shape: Sequence[int], channels: Sequence[int], features: int) -> None:
        super().__init__()
        convolution = {1: nn.Conv1d, 2: nn.Conv2d}[len(shape) - 1]
        layers: list[nn.Module] = []
        for fan_in, fan_out in zip((shape[0], *channels), channels, strict=False):
            layers += [convolution(fan_in, fan_out, 3, stride=2, padding=1), nn.ReLU()]
        layers += [nn.Flatten(), nn.LazyLinear(features), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        with torch.no_grad():  # gives the lazy layer its size
            self.layers(torch.zeros(1, *shape))

    def forward(self, x: Tensor) -> Tensor:
        """(B, *shape) -> features, (B, F)."""
        features: Tensor = self.layers(x)
        return features


class ConvolutionalDecoder(nn.Module):
    """The mirror of `ConvolutionalTrunk`, without a final squashing: (B, D_z) -> (B, C, *size)."""

    def __init__(
        self, latent_dim: int, features: int, channels: Sequence[int], shape: Sequence[int]
    ) -> None:
        super().__init__()
        kinds: dict[int, Callable[..., nn.Module]] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d}
        convolution = kinds[len(shape) - 1]
        sizes = [tuple(shape[1:])]  # of the axes, from the output back to the bottleneck
        for _ in channels:
            sizes.append(tuple((n + 1) // 2 for n in sizes[-1]))
        bottleneck = (channels[-1], *sizes[-1])
        dense = math.prod(bottleneck)
        layers: list[nn.Module] = [nn.Linear(latent_dim, features), nn.ReLU()]
        layers += [nn.Linear(features, dense), nn.ReLU(), nn.Unflatten(1, bottleneck)]
        for stage in reversed(range(len(channels))):
            fan_out = channels[stage - 1] if stage else shape[0]
            # an odd axis n came from (n+1)/2: stride 2 brings back n exactly, an even one needs +1
            padding = tuple(1 - n % 2 for n in sizes[stage])
            layers.append(
                convolution(
                    channels[stage], fan_out, 3, stride=2, padding=1, output_padding=padding
                )
            )
            if stage:
                layers.append(nn.ReLU())
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        """(B, D_z) -> what it decodes to, (B, *shape)."""
        x: Tensor = self.layers(z)
        return x
