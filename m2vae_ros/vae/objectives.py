# SPDX-License-Identifier: Apache-2.0
"""The paper's objectives, one function per equation. Each is a lower bound: higher is better.

Throughout, ``x`` maps modalities to batches (B, D_m), and every result has the shape (B,), in nats.
``beta`` weighs the Kullback-Leibler terms; with 1 the bounds are the evidence lower bounds proper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from m2vae_ros.vae.gaussian import Gaussian, Posterior, standard_normal_log_prob
from m2vae_ros.vae.in_place import fuse_in_place
from m2vae_ros.vae.m2vae import M2VAE, M2VAEConfig, Subset, one_smaller
from m2vae_ros.vae.terms import Terms, all_terms


class Configured(Protocol):
    """A model of some architecture."""

    @property
    def config(self) -> M2VAEConfig:
        """The architecture."""


class Generative(Protocol):
    """A model with a posterior and a likelihood."""

    def encode(self, x: Mapping[str, Tensor]) -> Posterior:
        """The posterior q(z | x), (B, D_z)."""

    def log_likelihood(self, x: Mapping[str, Tensor], z: Tensor) -> Tensor:
        """log p(x | z) in nats, (B,)."""


def elbo(log_likelihood: Tensor, posterior: Gaussian, beta: float = 1.0) -> Tensor:
    """The evidence lower bound of one modality, Eq. 1.

    Args:
        log_likelihood: log p(x | z) at a sample z of the posterior, (B,).
        posterior: q(z | x), (B, D_z).
        beta: weight of the Kullback-Leibler divergence to the prior.
    """
    return log_likelihood - beta * posterior.kl_to_prior()


def joint_elbo(log_likelihoods: Sequence[Tensor], posterior: Gaussian, beta: float = 1.0) -> Tensor:
    """The evidence lower bound of several modalities from their joint posterior, Eq. 2-3.

    Args:
        log_likelihoods: log p(m | z) of every modality at one sample of the posterior, each (B,).
        posterior: q(z | all of them), (B, D_z).
        beta: weight of the divergence to the prior.
    """
    return elbo(torch.stack(tuple(log_likelihoods)).sum(0), posterior, beta)


def variation_of_information_elbo(
    log_likelihoods: Sequence[Tensor],
    posterior: Gaussian,
    parts: Sequence[Gaussian],
    beta: float = 1.0,
) -> Tensor:
    """The bound from the variation of information, Eq. 5 (for any number of modalities).

    The joint bound, minus the divergence of the joint posterior from that of every subset which
    lacks one modality.

    Args:
        log_likelihoods, posterior, beta: as for `joint_elbo`; ``beta`` weighs every divergence.
        parts: the posteriors q(z | S) of the subsets S one smaller, each (B, D_z).
    """
    bound = joint_elbo(log_likelihoods, posterior, beta)
    return bound - beta * posterior.kl(Gaussian.stack(parts)).sum(0) if parts else bound


def m2vae_elbo(bounds: Mapping[Subset, Tensor]) -> Tensor:
    """The M2VAE's bound, the recursion of Eq. 16-17.

    L(M) = 1/|M| ( bounds[M] + sum of L(S) over the subsets S one smaller ), and
    L(M) = bounds[M] for a single modality.

    Args:
        bounds: the bound of Eq. 5 for every subset of two or more modalities and of Eq. 1 for
            every single one, each (B,).
    """
    known: dict[Subset, Tensor] = {}
    for subset in sorted(bounds, key=len):
        bound = bounds[subset]
        if len(subset) > 1:
            bound = (bound + sum(known[s] for s in one_smaller(subset))) / len(subset)
        known[subset] = bound
    return known[max(known, key=len)]


def beta_of(model: Configured, subset: Subset, beta_norm: float, cross: float = 0.0) -> float:
    """β_m = β_norm · D_m / D_z, with D_m summed over the subset's modalities.

    It balances a reconstruction summed over D_m dimensions against a divergence summed over D_z.
    What a subset reconstructs of the other modalities, see `cross_bound`, counts by ``cross``.
    """
    dims = model.config.dims.items()
    reconstructed = sum(dim if m in subset else cross * dim for m, dim in dims)
    return beta_norm * reconstructed / model.config.latent_dim


def m2vae_bound(
    model: M2VAE,
    x: Mapping[str, Tensor],
    posteriors: Mapping[Subset, Gaussian],
    beta_norm: float,
    terms: Terms | None = None,
) -> Tensor:
    """Eq. 17 of a model on a batch: one sample from each subset's posterior, (B,).

    `m2vae_elbo` of the bounds of Eq. 5, with the sums of all subsets taken at once.

    Args:
        model: the M2VAE.
        x: the batch, (B, D_m) each.
        posteriors: of the terms' subsets, from `M2VAE.posteriors`.
        beta_norm: see `beta_of`.
        terms: all, or drawn ones for an unbiased estimate.
    """
    return cross_bound(model, x, posteriors, beta_norm, 0.0, terms)


def cross_bound(
    model: M2VAE,
    x: Mapping[str, Tensor],
    posteriors: Mapping[Subset, Gaussian],
    beta_norm: float,
    cross: float,
    terms: Terms | None = None,
) -> Tensor:
    """Eq. 17 with cross terms, an extension of this package: each subset tells of the others, too.

    The recursion is that of Eq. 17, but each subset S of all modalities M reconstructs more,
    E_q(z|S)[log p(S|z) + w log p(M∖S|z)], and β_S = β_norm (D_S + w D_{M∖S}) / D_z weighs all its
    divergences. With w = 0 it is Eq. 17.

    Args:
        model: the M2VAE.
        x: the batch of all modalities, (B, D_m) each.
        posteriors, beta_norm, terms: as for `m2vae_bound`.
        cross: the weight w.
    """
    terms = terms or all_terms(tuple(x))
    number = {subset: index for index, subset in enumerate(posteriors)}
    every = Gaussian.stack(list(posteriors.values()))
    z, like = every.sample(), every.mean
    beta = {subset: beta_of(model, subset, beta_norm, cross) for subset in posteriors}
    prior = like.new_tensor([terms.bounds[s] * beta[s] for s in posteriors])
    bound = -(prior @ every.kl_to_prior())
    for m in x:  # each decoder runs once, for all subsets that it counts for
        counts = {s: terms.bounds[s] * (1.0 if m in s else cross) for s in posteriors}
        told = [s for s, weight in counts.items() if weight]
        likelihood = model.log_likelihood({m: x[m]}, torch.stack([z[number[s]] for s in told]))
        bound = bound + like.new_tensor([counts[s] for s in told]) @ likelihood
    if terms.parts:
        wholes, parts = (torch.tensor([number[pair[i]] for pair in terms.parts]) for i in (0, 1))
        weights = like.new_tensor([w * beta[s] for (s, _), w in terms.parts.items()])
        bound = bound - weights @ every[wholes].kl(every[parts])
    return bound


def reencoding_loss(
    model: M2VAE,
    x: Mapping[str, Tensor],
    posteriors: Mapping[Subset, Gaussian],
    terms: Terms | None = None,
) -> Tensor:
    r"""The re-encoding loss E_reenc of Eq. 19 over every step that in-place fusion can take, (B,).

    For each subset T and each non-empty part S of it: unfold the mean of S's embedding, as the
    robots do, add the observations of T \ S, encode, and compare with the posterior of T by
    D_KL(q(z|T) ‖ ·). With S = T this is the paper's plain re-encoding; with S smaller it is one
    step of Eq. 18.

    The posterior compared with is a constant: the loss moves what is re-encoded towards the
    encoding of the real observations, and never that encoding towards a comfortable fixed point.

    Args:
        model: the M2VAE.
        x: the batch, (B, D_m) each.
        posteriors: of the terms' subsets, from `M2VAE.posteriors`.
        terms: all, or drawn ones for an unbiased estimate.

    Returns:
        The mean over all steps, (B,).
    """
    terms = terms or all_terms(tuple(x))
    features: dict[str, dict[Subset, Tensor]] = {}  # of m as unfolded from a subset, () as observed
    for m in x:  # each decoder and each trunk runs once, for all embeddings that hold the modality
        holding = [held for held in posteriors if m in held]
        unfolded = model.decode(m, torch.stack([posteriors[held].mean for held in holding]))
        both = model.trunks[m](torch.cat([x[m][None], unfolded]))
        features[m] = dict(zip([(), *holding], both, strict=True))
    again: list[Gaussian] = []
    targets: list[Gaussian] = []
    weights: list[float] = []
    for target, parts in terms.steps.items():
        steps = {
            m: torch.stack([features[m][held if m in held else ()] for held in parts])
            for m in target
        }
        again.append(model.encode_features(target, steps))
        targets += [posteriors[target].detach()] * len(parts)
        weights += parts.values()
    fused = Gaussian(*(torch.cat([getattr(q, f) for q in again]) for f in ("mean", "log_variance")))
    return fused.mean.new_tensor(weights) @ Gaussian.stack(targets).kl(fused)


def point_reencoding_loss(
    model: M2VAE,
    x: Mapping[str, Tensor],
    posteriors: Mapping[Subset, Gaussian],
    terms: Terms | None = None,
    spread: float = 0.2,
) -> Tensor:
    """The re-encoding loss E_reenc of Eq. 19 on points of the latent space, (B,).

    Where `reencoding_loss` compares distributions, this compares points: z with the mean of
    q(z' | decode(z)), as |z' - z|² in units of the subset's mean posterior variance. Besides the
    posterior's mean, a point near it is re-encoded, so that what has drifted a little is held
    there, too: it is the choice where an embedding is re-encoded hundreds of times.

    Args:
        model: the M2VAE.
        x: not needed: only embeddings are compared.
        terms: not needed: all posteriors count alike.
        posteriors: of every subset, from `M2VAE.posteriors`.
        spread: standard deviation of the distance to the point near the mean; about as far as
            embeddings drift (the prior has 1).

    Returns:
        The mean over all subsets and both points, (B,).
    """
    losses = []
    for held, posterior in posteriors.items():
        variance = posterior.log_variance.exp().mean().detach()
        near = posterior.mean + spread * torch.randn_like(posterior.mean)
        for point in (posterior.mean, near.detach()):
            again = fuse_in_place(model, point, held, {}).mean
            losses.append((again - point.detach()).square().sum(-1) / variance)
    return torch.stack(losses).mean(0)


def lower_bound(
    model: Generative, x: Mapping[str, Tensor], observed: Subset, samples: int = 1
) -> Tensor:
    """How well all modalities follow from some, Eq. 20: E_q(z|S)[log p(M|z) p(z) / q(z|S)], (B,).

    Args:
        model: the M2VAE, or one compared with it.
        x: all modalities M, (B, D_m) each.
        observed: the subset S that is encoded.
        samples: of the posterior, averaged.
    """
    posterior = model.encode({m: x[m] for m in observed})
    terms = []
    for _ in range(samples):
        z = posterior.sample()
        evidence = model.log_likelihood(x, z) + standard_normal_log_prob(z)
        terms.append(evidence - posterior.log_prob(z))
    return torch.stack(terms).mean(0)
