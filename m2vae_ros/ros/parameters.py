# SPDX-License-Identifier: Apache-2.0
"""ROS parameters of a node, declared from one frozen dataclass and read back as that dataclass.

A field made with `parameter` is one ROS parameter. A field whose type is itself such a dataclass
is a group, whose parameters are named "group.name" and whose default is an instance. Supported
types are bool, int, float, str and tuples of one of them (`tuple[str, ...]`).

With `follow` a node takes over what is set while it runs, or refuses it. What it cannot take over
is declared as fixed: read-only, or, as a lifecycle node can be configured anew, refused for as long
as that is configured (`check_fixed`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import field, fields, is_dataclass
from functools import cache
from math import inf
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterUninitializedException,
)
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.parameter import Parameter

T = TypeVar("T")

Changes = Mapping[str, Any]
"""Name -> value of parameters that are about to be set."""

NO_CHANGES: Changes = MappingProxyType({})

QOS_OVERRIDES = "qos_overrides."
"""How the names begin that rclpy declares when a topic is joined, see `m2vae_ros.ros.topics`."""

WHEN_CONFIGURED = "is read when the node is configured"

ARRAYS = {
    bool: Parameter.Type.BOOL_ARRAY,
    int: Parameter.Type.INTEGER_ARRAY,
    float: Parameter.Type.DOUBLE_ARRAY,
    str: Parameter.Type.STRING_ARRAY,
}


class ParameterError(ValueError):
    """A parameter has the wrong type or a value that cannot be; the message names it."""


def parameter(
    default: Any,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    fixed: bool = False,
) -> Any:
    """One ROS parameter: a dataclass field.

    Args:
        default: its value if nobody sets it.
        description: its meaning, and unit.
        minimum: of a number or of each of an array, if there is one.
        maximum: likewise.
        fixed: whether it counts when the node is made, or configured, and not later.
    """
    facts = {"description": description, "minimum": minimum, "maximum": maximum, "fixed": fixed}
    return field(default=default, metadata=facts)


def declare(node: Node, of: type) -> None:
    """Declare every parameter of the dataclass ``of`` on ``node`` that it does not have yet.

    Raises:
        ParameterError: an override (parameter file, command line) has the wrong type or lies
            outside the range; the message names the parameter.
    """
    for name, kind, default, facts in parameters(of()):
        if node.has_parameter(name):
            continue
        try:
            _declare_one(node, name, kind, default, facts)
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            raise ParameterError(f"parameter {name}: {error}") from error


def undeclare(node: Node, of: type) -> None:
    """Take back every parameter of the dataclass ``of`` that `declare` made."""
    for name, *_ in parameters(of()):
        if node.has_parameter(name):
            node.undeclare_parameter(name)


def read(node: Node, of: type[T], changes: Changes = NO_CHANGES) -> T:
    """The values of the declared parameters as an ``of``: the current ones, or what they become.

    Raises:
        ParameterError: a value is missing, outside its range, or does not go with the others
            (the dataclass's own ``__post_init__``).
    """
    values: T = _read(node, of, "", changes)
    return values


def check_ranges(of: type, changes: Changes) -> None:
    """Refuse each value that cannot be, whatever the others are.

    Raises:
        ParameterError: it is NaN, or outside the range of its parameter.
    """
    for name, kind, _, facts in parameters(of()):
        if name in changes:
            _check_range(name, _plain(kind, changes[name]), facts)


def check_fixed(node: Node, of: type, changes: Changes) -> None:
    """Refuse to change what a configured lifecycle node cannot take over.

    Raises:
        ParameterError: a fixed parameter gets another value.
    """
    for name, kind, _, facts in parameters(of()):
        if not facts["fixed"] or name not in changes:
            continue
        if _plain(kind, changes[name]) != _plain(kind, node.get_parameter(name).value):
            raise ParameterError(f"parameter {name}: {WHEN_CONFIGURED}; clean it up first")


def follow(node: Node, become: Callable[[Changes], T], apply: Callable[[T], None]) -> None:
    """Take over what is set from now on, or refuse it; of several all or none.

    Args:
        node: whose parameters are declared.
        become: what the node is to go by with these changes; a ValueError refuses them, and
            its text is the reason.
        apply: makes it count; called once the parameters are set, and must not fail. Humble's
            rclpy tells nobody when they are, so there it is called when they are accepted.
    """
    tells_when_set = hasattr(node, "add_post_set_parameters_callback")

    def on_set(parameters: list[Parameter[Any]]) -> SetParametersResult:
        changes = _followed(parameters)
        if not changes:
            return SetParametersResult(successful=True)
        try:
            accepted = become(changes)
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if not tells_when_set:
            apply(accepted)
        return SetParametersResult(successful=True)

    def on_done(parameters: list[Parameter[Any]]) -> None:
        if _followed(parameters):
            apply(become(NO_CHANGES))

    node.add_on_set_parameters_callback(on_set)
    if tells_when_set:
        node.add_post_set_parameters_callback(on_done)


def _followed(parameters: Iterable[Parameter[Any]]) -> dict[str, Any]:
    """Name -> value of those that can change: not of quality of service, four for each topic."""
    return {p.name: p.value for p in parameters if not p.name.startswith(QOS_OVERRIDES)}


@cache
def _hints(of: type) -> Mapping[str, Any]:
    return get_type_hints(of)


def parameters(
    defaults: Any, prefix: str = ""
) -> Iterator[tuple[str, Any, Any, Mapping[str, Any]]]:
    """Name, type, default and facts (see `parameter`) of each parameter of a dataclass.

    Args:
        defaults: an instance, which has them.
        prefix: of their names.
    """
    of: Any = type(defaults)
    hints = _hints(of)
    for item in fields(defaults):
        default = getattr(defaults, item.name)
        if is_dataclass(default):
            yield from parameters(default, f"{prefix}{item.name}.")
        else:
            yield prefix + item.name, hints[item.name], default, item.metadata


def _declare_one(node: Node, name: str, kind: Any, default: Any, facts: Mapping[str, Any]) -> None:
    descriptor = ParameterDescriptor(description=facts["description"])
    low, high = facts["minimum"], facts["maximum"]
    again = isinstance(node, LifecycleNode)
    if facts["fixed"] and again:
        descriptor.additional_constraints = WHEN_CONFIGURED
    if kind is int and (low, high) != (None, None):
        descriptor.integer_range = [
            IntegerRange(
                from_value=-(2**62) if low is None else low,
                to_value=2**62 if high is None else high,
            )
        ]
    if kind is float and (low, high) != (None, None):
        descriptor.floating_point_range = [
            FloatingPointRange(
                from_value=-inf if low is None else float(low),
                to_value=inf if high is None else float(high),
            )
        ]
    if get_origin(kind) is tuple:
        # rclpy takes an empty list for a list of bytes, so arrays are declared by type.
        array = ARRAYS[get_args(kind)[0]]
        declared: Parameter[Any] = node.declare_parameter(name, array, descriptor)
        if declared.type_ == Parameter.Type.NOT_SET:
            node.set_parameters([Parameter(name, array, list(default))])
    else:
        node.declare_parameter(name, default, descriptor)
    if facts["fixed"] and not again:
        read_only = copy(descriptor)
        read_only.read_only = True
        node.set_descriptor(name, read_only)


def _read(node: Node, of: Any, prefix: str, changes: Changes) -> Any:
    hints = _hints(of)
    values: dict[str, Any] = {}
    for item in fields(of):
        kind, name = hints[item.name], prefix + item.name
        if is_dataclass(kind):
            values[item.name] = _read(node, kind, f"{name}.", changes)
            continue
        try:
            value = changes[name] if name in changes else node.get_parameter(name).value
        except ParameterUninitializedException as error:
            raise ParameterError(f"parameter {name}: has no value") from error
        values[item.name] = _plain(kind, value)
        _check_range(name, values[item.name], item.metadata)
    try:
        return of(**values)
    except ParameterError:
        raise
    except ValueError as error:  # of a group, which does not know its own name
        raise ParameterError(f"parameter {prefix.rstrip('.')}: {error}") from error


def _plain(kind: Any, value: Any) -> Any:
    """A value as it is in the dataclass."""
    return tuple(value) if get_origin(kind) is tuple else value


def _check_range(name: str, value: Any, facts: Mapping[str, Any]) -> None:
    """Ranges of arrays, which ROS does not check, and NaN, which passes any comparison."""
    low, high = facts["minimum"], facts["maximum"]
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, float) and number != number:
            raise ParameterError(f"parameter {name}: is NaN")
        if low is not None and number < low:
            raise ParameterError(f"parameter {name}: {number} is below {low}")
        if high is not None and number > high:
            raise ParameterError(f"parameter {name}: {number} is above {high}")
