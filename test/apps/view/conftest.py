# SPDX-License-Identifier: Apache-2.0
"""The viewer needs Python 3.11 or newer; on 3.10 it is not there, and there is nothing to test."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("rerun") else ["test_*.py"]
