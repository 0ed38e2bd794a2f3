# SPDX-License-Identifier: Apache-2.0
"""Imports ``multivae`` without what only its own data sets need.

Importing its models and its trainer imports its downloadable data sets too, and with them
torchvision, which has no build for every torch. Nothing of it is used here: whichever of these
packages is missing is stood in for while the import lasts, and missing again afterwards.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from unittest.mock import MagicMock

_OF_ITS_DATA_SETS = (
    "PIL",
    "matplotlib",
    "matplotlib.pyplot",
    "nltk",
    "nltk.tokenize",
    "torchvision",
    "torchvision.datasets",
    "torchvision.datasets.utils",
    "torchvision.transforms",
    "torchvision.utils",
)


@contextmanager
def _stand_ins() -> Iterator[None]:
    missing = [name for name in _OF_ITS_DATA_SETS if find_spec(name.partition(".")[0]) is None]
    sys.modules.update({name: MagicMock() for name in missing})
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]


with _stand_ins():
    from multivae.data import MultimodalBaseDataset
    from multivae.models import (
        JMVAE,
        MMVAE,
        MVAE,
        TELBO,
        BaseMultiVAE,
        JMVAEConfig,
        MMVAEConfig,
        MoPoE,
        MoPoEConfig,
        MVAEConfig,
        TELBOConfig,
    )
    from multivae.models.base import BaseDecoder, BaseEncoder, ModelOutput
    from multivae.models.nn import BaseJointEncoder
    from multivae.trainers.base import BaseTrainer, BaseTrainerConfig

__all__ = [
    "JMVAE",
    "MMVAE",
    "MVAE",
    "TELBO",
    "BaseDecoder",
    "BaseEncoder",
    "BaseJointEncoder",
    "BaseMultiVAE",
    "BaseTrainer",
    "BaseTrainerConfig",
    "JMVAEConfig",
    "MMVAEConfig",
    "MVAEConfig",
    "MoPoE",
    "MoPoEConfig",
    "ModelOutput",
    "MultimodalBaseDataset",
    "TELBOConfig",
]
