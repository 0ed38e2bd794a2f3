# SPDX-License-Identifier: Apache-2.0
"""A team under a bad network, failing members and enemies: does it still agree on the truth?

Real fusion nodes in processes of their own, between them a relay that treats their messages as a
bad network would, and attackers. `scenarios` names what can be tried and what must hold.
"""
