# SPDX-License-Identifier: Apache-2.0
"""ROS parameters of a node, declared from one frozen dataclass and read back as that dataclass.

A field made with `parameter` is one ROS parameter. A field whose type is itself such a dataclass
is a group, whose parameters are named "group.name" and whose default is an instance. Supported
types are bool, int, float, str and tuples of one of them (`tuple[str, ...]`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, fields, is_dataclass
from math import inf
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterUninitializedException,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

T = TypeVar("T")

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
) -> Any:
    """One ROS parameter: a dataclass field with its description and, for numbers, its range."""
    limits = {"description": description, "minimum": minimum, "maximum": maximum}
    return field(default=default, metadata=limits)


def declare(node: Node, of: type) -> None:
    """Declare every parameter of the dataclass ``of`` on ``node`` that it does not have yet.

    Raises:
        ParameterError: an override (parameter file, command line) has the wrong type or lies
            outside the range; the message names the parameter.
    """
    for name, kind, default, limits in _parameters(of(), ""):
        if node.has_parameter(name):
            continue
        try:
            _declare_one(node, name, kind, default, limits)
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            raise ParameterError(f"parameter {name}: {error}") from error


def undeclare(node: Node, of: type) -> None:
    """Take back every parameter of the dataclass ``of`` that `declare` made."""
    for name, *_ in _parameters(of(), ""):
        if node.has_parameter(name):
            node.undeclare_parameter(name)


def read(node: Node, of: type[T]) -> T:
    """The current values of the declared parameters as an ``of``.

    Raises:
        ParameterError: a value is missing, outside its range, or does not go with the others
            (the dataclass's own ``__post_init__``).
    """
    values: T = _read(node, of, "")
    return values


def _parameters(defaults: Any, prefix: str) -> Iterator[tuple[str, Any, Any, Mapping[str, Any]]]:
    """Name, type, default and metadata of each parameter."""
    hints = get_type_hints(type(defaults))
    for item in fields(defaults):
        default = getattr(defaults, item.name)
        if is_dataclass(default):
            yield from _parameters(default, f"{prefix}{item.name}.")
        else:
            yield prefix + item.name, hints[item.name], default, item.metadata


def _declare_one(node: Node, name: str, kind: Any, default: Any, limits: Mapping[str, Any]) -> None:
    descriptor = ParameterDescriptor(description=limits["description"])
    low, high = limits["minimum"], limits["maximum"]
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
    if get_origin(kind) is not tuple:
        node.declare_parameter(name, default, descriptor)
        return
    # rclpy takes an empty list for a list of bytes, so arrays are declared by type.
    array = ARRAYS[get_args(kind)[0]]
    declared: Parameter[Any] = node.declare_parameter(name, array, descriptor)
    if declared.type_ == Parameter.Type.NOT_SET:
        node.set_parameters([Parameter(name, array, list(default))])


def _read(node: Node, of: Any, prefix: str) -> Any:
    hints = get_type_hints(of)
    values: dict[str, Any] = {}
    for item in fields(of):
        kind, name = hints[item.name], prefix + item.name
        if is_dataclass(kind):
            values[item.name] = _read(node, kind, f"{name}.")
            continue
        try:
            value = node.get_parameter(name).value
        except ParameterUninitializedException as error:
            raise ParameterError(f"parameter {name}: has no value") from error
        values[item.name] = tuple(value) if get_origin(kind) is tuple else value
        _check_range(name, values[item.name], item.metadata)
    return of(**values)


def _check_range(name: str, value: Any, limits: Mapping[str, Any]) -> None:
    """Ranges of arrays, which ROS does not check, and NaN, which passes any comparison."""
    low, high = limits["minimum"], limits["maximum"]
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, float) and number != number:
            raise ParameterError(f"parameter {name}: is NaN")
        if low is not None and number < low:
            raise ParameterError(f"parameter {name}: {number} is below {low}")
        if high is not None and number > high:
            raise ParameterError(f"parameter {name}: {number} is above {high}")
