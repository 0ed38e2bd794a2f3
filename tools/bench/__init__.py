# SPDX-License-Identifier: Apache-2.0
"""What this package costs, each figure beside what it is compared with in the same run."""
