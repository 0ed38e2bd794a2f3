# SPDX-License-Identifier: Apache-2.0
"""The mathematics: Gaussian posteriors, β-VAE, M2VAE and their objectives."""
