# SPDX-License-Identifier: Apache-2.0
"""Gazebo's messages as Python classes, made from the definitions that come with Gazebo."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from m2vae_ros.files import replacing
from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.gazebo.installation import cache, installation

PACKAGE = "gazebo.msgs"


def message(name: str) -> type[Message]:
    """The class of a message, e.g. of "ImageStamped".

    Raises:
        GazeboError: Gazebo is not installed, or has no such message.
    """
    pool = _pool(installation().protos)
    try:
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
    except KeyError:
        raise GazeboError(f"Gazebo has no message {PACKAGE}.{name}") from None


@lru_cache(maxsize=4)
def _pool(protos: Path) -> descriptor_pool.DescriptorPool:
    files = sorted(protos.glob("*.proto"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    compiled = cache() / f"gazebo-messages-{digest.hexdigest()[:16]}.binpb"
    if not compiled.exists():
        _compile(protos, files, compiled)
    pool = descriptor_pool.DescriptorPool()
    # The compiler writes a file after those it needs.
    for file in descriptor_pb2.FileDescriptorSet.FromString(compiled.read_bytes()).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def _compile(protos: Path, files: list[Path], compiled: Path) -> None:
    from grpc_tools import protoc  # slow to import, and needed once

    with replacing(compiled) as temporary:
        names = [file.name for file in files]
        arguments = ["protoc", f"--proto_path={protos}", f"--descriptor_set_out={temporary}"]
        if protoc.main([*arguments, *names]) != 0:
            raise GazeboError(f"{protos}: these message definitions do not compile")
