# SPDX-License-Identifier: Apache-2.0
"""What uses a whole team: the demo, surveys, and who keeps the score; the machine's doctor."""
