# SPDX-License-Identifier: Apache-2.0
"""What the operating system is needed for: files, processes, signals, domains; knows no robot."""
