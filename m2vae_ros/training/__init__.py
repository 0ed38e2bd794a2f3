# SPDX-License-Identifier: Apache-2.0
"""Training: one loop, recipes as dataclasses, one module per trained system."""
