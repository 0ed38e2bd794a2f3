# SPDX-License-Identifier: Apache-2.0
"""The models of the library people use, PyPI's ``multivae`` (Senellart et al., JOSS 2025).

The library brings the objectives; encoders, decoders, starting weights and training loop are ours,
so that a row of the library and a row of ours in one table differ in nothing else. The adapters are
`m2vae_ros.vae.baselines.MultiModalModel`, made like ours by ``models()[name](config)``.

The library is for comparisons only (requirements/comparison.txt); nothing else here needs it.
"""

from collections.abc import Mapping

from m2vae_ros.vae.baselines import Maker


def installed() -> str | None:
    """Why the library cannot be used, in one sentence for a table's footnote; None if it can."""
    try:
        import m2vae_ros.experiments.multivae_library.library  # noqa: F401
    except ImportError as error:
        return f"multivae cannot be imported ({error}); see requirements/comparison.txt."
    return None


def models() -> Mapping[str, Maker]:
    """Every adapted model, by the name a table gives it.

    Raises:
        ImportError: see `installed`.
    """
    from m2vae_ros.experiments.multivae_library import adapters

    return {
        "JMVAE (multivae)": adapters.LibraryJMVAE,
        "TELBO (multivae)": adapters.LibraryTELBO,
        "MVAE (multivae)": adapters.LibraryMVAE,
        "MMVAE (multivae)": adapters.LibraryMMVAE,
        "MoPoE (multivae)": adapters.LibraryMoPoE,
    }
