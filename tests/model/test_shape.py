"""Refusals by msgspec become errors that name field, value and allowed range."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from holdfast.errors import InvalidInput
from holdfast.model.shape import explain, refuse


class Cat(msgspec.Struct, tag="cat", forbid_unknown_fields=True):
    """One kind of animal."""

    lives: Annotated[int, Meta(ge=1, le=9)] = 9


class Dog(msgspec.Struct, tag="dog", forbid_unknown_fields=True):
    """Another kind of animal."""

    tricks: list[str] = []
    age: Annotated[float, Meta(gt=0, lt=30)] = 1.0


class Home(msgspec.Struct, forbid_unknown_fields=True):
    """Where they live."""

    name: Annotated[str, Meta(min_length=2)]
    animals: tuple[Cat | Dog, ...] = ()
    first: Cat | Dog | None = None
    size: tuple[float, float] = (1.0, 1.0)
    garden: bool = False
    kind: Literal["flat", "house"] = "flat"
    rooms: dict[str, str] = {}
    floors: Annotated[int, Meta(le=99)] = 1
    doors: Annotated[int, Meta(gt=0)] = 1
    code: Annotated[str, Meta(pattern="^[a-z]+$")] | None = None
    auth: Dog | None = None


CASES: list[tuple[Any, str, object, str]] = [
    ([], "body", "[]", "an object with: name, animals"),
    ({}, "name", None, "text of at least 2 characters; it is required"),
    ({"name": "x"}, "name", "x", "text of at least 2 characters"),
    ({"name": "xx", "nmae": 1}, "nmae", 1, "did you mean name?"),
    ({"name": "xx", "animals": [{"type": "cow"}]}, "animals.0.type", "cow", "one of: cat, dog"),
    ({"name": "xx", "animals": [{}]}, "animals.0.type", None, "it is required"),
    ({"name": "xx", "animals": [{"type": "cat", "lives": 0}]}, "animals.0.lives", 0, "from 1 to 9"),
    (
        {"name": "xx", "animals": [{"type": "dog", "tricks": ["a", 2]}]},
        "animals.0.tricks.1",
        2,
        "text",
    ),
    ({"name": "xx", "first": {"type": "dog", "lives": 1}}, "first.lives", 1, "one of: age, tricks"),
    (
        {"name": "xx", "first": {"type": "dog", "age": 30}},
        "first.age",
        30,
        "a number from above 0 to below 30",
    ),
    ({"name": "xx", "size": [1]}, "size", "[1]", "a list of 2: a number, a number"),
    ({"name": "xx", "size": [1, "x"]}, "size.1", "x", "a number"),
    ({"name": "xx", "garden": 1}, "garden", 1, "true or false"),
    ({"name": "xx", "kind": "tent"}, "kind", "tent", "one of: flat, house"),
    ({"name": "xx", "rooms": {"bath": "b", "hall": 3}}, "rooms.hall", 3, "text"),
    ({"name": "xx", "floors": 100}, "floors", 100, "an integer, at most 99"),
    ({"name": "xx", "doors": 0}, "doors", 0, "an integer, above 0"),
    ({"name": "xx", "code": "A"}, "code", "A", "text matching ^[a-z]+$"),
    ({"name": "xx", "auth": {"type": "dog", "age": "s3cret"}}, "auth.age", "***", "a number"),
    ({"name": ["x" * 200]}, "name", "['" + "x" * 78 + "...", "text"),
]


@pytest.mark.parametrize(("data", "field", "value", "allowed"), CASES)
def test_explain(*, data: Any, field: str, value: object, allowed: str) -> None:
    """Field, value and allowed range are found wherever the wrong value stands."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(data, Home)
    error = explain(caught.value, data, Home)
    assert isinstance(error, InvalidInput)
    assert (error.field, error.value) == (field, value)
    assert allowed in error.allowed


def test_long_values_are_cut() -> None:
    """An error never carries more than a line of what was given."""
    assert refuse("a", "x" * 1000, "b").value == "x" * 80 + "..."
