# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with data."""


class DataError(ValueError):
    """Samples that do not fit; the message names the file, the field and the reason."""
