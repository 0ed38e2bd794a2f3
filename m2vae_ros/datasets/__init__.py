# SPDX-License-Identifier: Apache-2.0
"""The data sets the models are trained on and measured with."""
