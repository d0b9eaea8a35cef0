"""Standard Webhooks signatures."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.channels.http.signature import secret_key, sign, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_published_example_is_reproduced() -> None:
    """The example of the Standard Webhooks libraries gives their signature."""
    signature = sign(
        (secret_key(SECRET),),
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
        b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.lists(st.binary(min_size=24, max_size=64), min_size=1, max_size=3), st.binary())
def test_every_secret_of_a_rotation_verifies(keys: list[bytes], body: bytes) -> None:
    """While keys rotate the partner may hold any one of them."""
    secrets = ["whsec_" + base64.b64encode(key).decode() for key in keys]
    signature = sign(tuple(map(secret_key, secrets)), "msg_1", "1700000000", body)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": signature,
    }
    assert all(verify(secret, headers, body) for secret in secrets)
    assert not any(verify(secret, headers, body + b"x") for secret in secrets)
    assert not any(verify(secret, headers | {"webhook-id": "msg_2"}, body) for secret in secrets)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!!!", "whsec_abc", "hunter2", ""])
def test_a_bad_secret_is_refused_without_showing_it(secret: str) -> None:
    """The error says what is wrong and not what was given."""
    with pytest.raises(ValueError, match="a webhook secret must") as caught:
        secret_key(secret)
    given = secret.removeprefix("whsec_")
    assert not given or given not in str(caught.value)
