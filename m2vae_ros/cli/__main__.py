# SPDX-License-Identifier: Apache-2.0
"""``python -m m2vae_ros.cli`` is ``m2vae``."""

import signal
import sys

from m2vae_ros.cli import main

status = main()
for number in (signal.SIGINT, signal.SIGTERM):  # whoever is impatient waits for Python to end
    signal.signal(number, signal.SIG_IGN)
sys.exit(status)
