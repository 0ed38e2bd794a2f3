# SPDX-License-Identifier: Apache-2.0
"""What every view says when it is given something it cannot use."""


class ObservationError(ValueError):
    """A raw reading that does not fit; the message names the field and the reason."""
