# SPDX-License-Identifier: Apache-2.0
"""``python -m m2vae_ros.cli`` is ``m2vae``."""

import sys

from m2vae_ros.cli import main

sys.exit(main())
