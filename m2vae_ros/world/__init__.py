# SPDX-License-Identifier: Apache-2.0
"""The world of a world file: what stands in it, who drives in it, and what is drawn for it."""
