# SPDX-License-Identifier: Apache-2.0
"""The models the paper compares with, on the M2VAE's own network and behind one interface.

What they differ in is the objective and, from it, which posteriors they have. Two models made
after the same ``torch.manual_seed`` start from the same weights wherever they share a part.
"""

from collections.abc import Mapping

from m2vae_ros.vae.baselines.bivcca import BiVCCA
from m2vae_ros.vae.baselines.conditional import CMMA, CVAE
from m2vae_ros.vae.baselines.dae import BimodalDAE
from m2vae_ros.vae.baselines.experts import product_of_experts
from m2vae_ros.vae.baselines.full import M2VAEModel
from m2vae_ros.vae.baselines.jmvae import JMVAE
from m2vae_ros.vae.baselines.jmvae_zero import JMVAEZero
from m2vae_ros.vae.baselines.model import Maker, MultiModalModel, NetworkModel, NoSuchDistribution
from m2vae_ros.vae.baselines.mvae import MVAE
from m2vae_ros.vae.baselines.tvae import TVAE

MODELS: Mapping[str, Maker] = {
    "M2VAE": M2VAEModel,
    "JMVAE-Zero": JMVAEZero,
    "JMVAE": JMVAE,
    "tVAE": TVAE,
    "BiVCCA": BiVCCA,
    "CVAE": CVAE,
    "CMMA": CMMA,
    "bimodal DAE": BimodalDAE,
    "MVAE": MVAE,
}
"""Every model, by the name a table gives it; each is made by ``MODELS[name](config)``."""

__all__ = [
    "CMMA",
    "CVAE",
    "JMVAE",
    "MODELS",
    "MVAE",
    "TVAE",
    "BiVCCA",
    "BimodalDAE",
    "JMVAEZero",
    "M2VAEModel",
    "Maker",
    "MultiModalModel",
    "NetworkModel",
    "NoSuchDistribution",
    "product_of_experts",
]
