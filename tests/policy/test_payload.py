"""What of a payload can be read, and what is written back."""

import msgspec
import pytest

from holdfast.errors import InvalidInput
from holdfast.policy.payload import read, read_exactly

NUMBERS = b"[1.10,1E5,1e-400,12345678901234567890123.5,123456789012345678901234567890,-0.0]"


def test_numbers_stay_as_they_are_written() -> None:
    """What is read to be written again loses no digit."""
    assert msgspec.json.encode(read_exactly(NUMBERS)) == NUMBERS


@pytest.mark.parametrize("payload", [b'{"a":1e999}', b"[-1e400]", b"9" * 5000])
def test_numbers_that_nothing_can_hold_are_refused(payload: bytes) -> None:
    """The field and what is allowed are named."""
    with pytest.raises(InvalidInput, match=r"payload.*allowed: numbers up to 1\.8e308") as found:
        read(payload)
    assert found.value.field == "payload"


@pytest.mark.parametrize("function", [read, read_exactly])
def test_what_is_nested_too_deeply_is_refused(function: object) -> None:
    """The interpreter's limit decides; it is far beyond what people write."""
    assert callable(function)
    with pytest.raises(InvalidInput, match="less deeply nested"):
        function(b"[" * 100_000 + b"]" * 100_000)
