# SPDX-License-Identifier: Apache-2.0
"""Multicast is really sent and received, and what hinders it is named."""

from __future__ import annotations

import socket

from m2vae_ros.host.network import multicast_fault


def test_on_the_loopback_interface_a_datagram_comes_back():
    assert multicast_fault("127.0.0.1", patience=5.0) == ""


def test_an_interface_that_is_not_there_is_named_by_the_system():
    assert multicast_fault("203.0.113.7") in ("No such device", "Cannot assign requested address")


def test_datagrams_of_others_are_not_taken_for_ours(monkeypatch):
    class Deaf(socket.socket):
        def sendto(self, data, address):
            return super().sendto(b"something else", address)

    monkeypatch.setattr(socket, "socket", Deaf)
    assert multicast_fault("127.0.0.1", patience=0.1) == "nothing arrived within 0.1 s"
