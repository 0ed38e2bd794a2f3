# SPDX-License-Identifier: Apache-2.0
"""Gazebo's messages as Python classes, made from the definitions that come with Gazebo."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.gazebo.installation import cache, definitions
from m2vae_ros.host.files import replacing

PACKAGE = "gazebo.msgs"


def message(name: str) -> type[Any]:
    """The class of a message, e.g. of "ImageStamped".

    Raises:
        GazeboError: Gazebo's definitions are not there, or it has no such message.
    """
    try:
        return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{PACKAGE}.{name}"))
    except KeyError:
        raise GazeboError(f"Gazebo has no message {PACKAGE}.{name}") from None


@lru_cache(maxsize=1)
def _pool() -> descriptor_pool.DescriptorPool:
    """Made once: whoever speaks with a Gazebo goes on if the definitions go away."""
    pool = descriptor_pool.DescriptorPool()
    # The compiler writes a file after those it needs.
    for file in descriptor_pb2.FileDescriptorSet.FromString(_compiled(definitions())).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def _compiled(protos: Path) -> bytes:
    """The definitions as the compiler writes them; from the cache, if it has been done before."""
    files = sorted(protos.glob("*.proto"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    stored = cache() / f"gazebo-messages-{digest.hexdigest()[:16]}.binpb"
    with suppress(OSError):
        return stored.read_bytes()
    compiled = _compile(protos, [file.name for file in files])
    # Storing only saves the next one the time: the cache may be another's, or not to be written.
    with suppress(OSError), replacing(stored) as temporary:
        temporary.write_bytes(compiled)
    return compiled


def _compile(protos: Path, names: list[str]) -> bytes:
    from grpc_tools import protoc  # slow to import, and needed once

    with TemporaryDirectory() as folder:
        compiled = Path(folder) / "messages.binpb"
        arguments = ["protoc", f"--proto_path={protos}", f"--descriptor_set_out={compiled}"]
        if protoc.main([*arguments, *names]) != 0:
            raise GazeboError(f"{protos}: these message definitions do not compile")
        return compiled.read_bytes()
