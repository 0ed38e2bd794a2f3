# SPDX-License-Identifier: Apache-2.0
"""Hosts hear each other while the bridges are joined, and nothing of them stays."""

from __future__ import annotations

import socket

import pytest
from namespaces import skip_without_namespaces, the_network

from m2vae_ros.host.network_namespaces import BridgedHosts


@pytest.fixture(autouse=True)
def _where_it_can_be() -> None:
    skip_without_namespaces()


def hears(listener: socket.socket, hosts: BridgedHosts) -> bool:
    with hosts.on("one"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaker:
        for _ in range(20):  # until who has which address is known
            speaker.sendto(b"word", ("10.77.1.2", 5000))
            try:
                return listener.recv(4) == b"word"
            except TimeoutError:
                continue
    return False


def test_hosts_hear_each_other_while_their_bridges_are_joined() -> None:
    with BridgedHosts() as hosts:
        hosts.add("one", 0)
        hosts.add("two", 1)
        with hosts.on("two"):
            listener = socket.socket(type=socket.SOCK_DGRAM)
        with listener:
            listener.bind(("10.77.1.2", 5000))
            listener.settimeout(0.1)
            for up in (True, False, True):
                hosts.link(up)
                assert hears(listener, hosts) == up


def interrupted_in_the_midst() -> None:
    before = the_network()
    with BridgedHosts() as hosts:
        hosts.add("one", 0)
        assert the_network() != before
        raise KeyboardInterrupt


def test_afterwards_the_network_is_that_of_before_whatever_happens() -> None:
    before = the_network()
    with pytest.raises(KeyboardInterrupt):
        interrupted_in_the_midst()
    assert the_network() == before
