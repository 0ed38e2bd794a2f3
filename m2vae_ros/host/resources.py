# SPDX-License-Identifier: Apache-2.0
"""Where the files that come with the package are: models, worlds, configuration."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

PACKAGE = "m2vae_ros"


def resource(relative: str) -> Path:
    """The path of a file or folder that comes with the package, e.g. ``models/amiro``.

    In a checkout it lies beside the code; colcon and pip install it under ``share/m2vae_ros`` of
    the prefix the code is installed in.

    Raises:
        FileNotFoundError: it is in none of these places; the message names them.
    """
    package = Path(__file__).resolve().parents[1]
    roots = [package.parent, *(prefix / "share" / "m2vae_ros" for prefix in package.parents)]
    for root in roots:
        if (root / relative).exists():
            return root / relative
    raise FileNotFoundError(
        f"{relative}: neither beside {package} nor in a share/m2vae_ros above it"
    )


def weights_folder(name: str | Path) -> Path:
    """The folder of weights that a user means: a path, or a bare name in the package's models.

    Raises:
        FileNotFoundError: a bare name is neither there nor a folder here, or it is a file.
    """
    path = Path(name).expanduser()
    if str(path) == path.name:
        with suppress(FileNotFoundError):
            return resource(f"models/{path}")
        if not path.exists():
            there = sorted(each.name for each in resource("models").iterdir() if each.is_dir())
            raise FileNotFoundError(
                f"models/{path}: neither a folder here nor one of the package's models, which are "
                f"{', '.join(there)}"
            )
    if path.is_file():
        raise FileNotFoundError(
            f"{path}: is a file, but weights are a folder, which `m2vae train SUITE --out FOLDER` "
            "makes of a suite"
        )
    return path
