# SPDX-License-Identifier: Apache-2.0
"""Python imports this at its start where its folder is in PYTHONPATH; see `on_a_robot`."""

import os
import sys
from importlib.abc import MetaPathFinder

NOT_INSTALLED = os.environ["M2VAE_TEST_NOT_INSTALLED"].split()


class Missing(MetaPathFinder):
    """Finds some modules before anybody else does, and says that they are not there."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] in NOT_INSTALLED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Missing())
