# SPDX-License-Identifier: Apache-2.0
"""The running system as plain data, and what makes processes or launch actions of it."""
