# SPDX-License-Identifier: Apache-2.0
"""The parameters that say where objects stand; of fusion and of patrol, which needs no model."""

from __future__ import annotations

from dataclasses import dataclass

from m2vae_ros.ros.parameters import ParameterError, parameter


@dataclass(frozen=True)
class KnownObjects:
    """Where objects are known to be; without any, objects are found by LiDAR or by others."""

    names: tuple[str, ...] = parameter((), "Name of each object.")
    x: tuple[float, ...] = parameter((), "Metres, in the global frame.")
    y: tuple[float, ...] = parameter((), "Metres, in the global frame.")

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.x) == len(self.y):
            raise ParameterError(
                f"parameter objects: {len(self.names)} names, {len(self.x)} x and "
                f"{len(self.y)} y: must be equally many"
            )
        if len(set(self.names)) < len(self.names) or "" in self.names:
            raise ParameterError("parameter objects.names: each must be there, and once")
