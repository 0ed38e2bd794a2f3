# SPDX-License-Identifier: Apache-2.0
"""The ROS domain of whoever starts a system: the user's, or one that nobody else has."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from m2vae_ros.host.domains import VARIABLE, own_domain


@pytest.mark.parametrize("number", ["0", "42", "232"])
def test_the_users_domain_is_taken(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, number)
    with own_domain() as domain:
        assert domain == int(number)
    assert os.environ[VARIABLE] == number


def test_without_one_each_gets_a_domain_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with own_domain() as mine:
        assert os.environ[VARIABLE] == str(mine)
        monkeypatch.delenv(VARIABLE)
        with own_domain() as other:
            assert other != mine
        monkeypatch.setenv(VARIABLE, str(mine))
    assert VARIABLE not in os.environ


PREFERRING = """
import os, random, sys
from m2vae_ros.host.domains import own_domain
user, wanted = map(int, sys.argv[1:])
if user:
    os.setuid(user)
random.sample = lambda population, count: [wanted, *population]
with own_domain() as domain:
    print(domain)
"""
NOBODY = 65534


@pytest.mark.parametrize("user", [0, NOBODY], ids=["the same user", "another user"])
def test_neither_another_user_nor_another_tmpdir_gets_a_domain_that_is_taken(
    user: int, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if user and os.getuid() != 0:
        pytest.skip("only root can become another user")
    monkeypatch.delenv(VARIABLE, raising=False)

    tmp_path.chmod(0o777)
    with own_domain() as mine:
        command = [sys.executable, "-c", PREFERRING, str(user), str(mine)]
        environment = {**os.environ, "TMPDIR": str(tmp_path), VARIABLE: ""}
        assert int(subprocess.check_output(command, env=environment, text=True)) != mine


def test_an_empty_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    with own_domain() as domain:
        assert 1 <= domain <= 100
        assert os.environ[VARIABLE] == str(domain)


@pytest.mark.parametrize("nonsense", ["abc", "-1", "233", "1.5", " "])
def test_nonsense_is_named_with_its_variable(nonsense: str, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, nonsense)
    expected = f"^ROS_DOMAIN_ID={nonsense} is no ROS domain, a number from 0 to 232"
    with pytest.raises(RuntimeError, match=expected), own_domain():
        pass
