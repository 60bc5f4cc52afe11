"""Messages are signed as Standard Webhooks says: the published vectors, and the libraries that receivers use."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
import standardwebhooks
import svix
from hypothesis import given
from hypothesis import strategies as st

from app.operations import signing
from app.operations.signing import BadSecret, Secret, Secrets, headers, secret_of, signing_key_of, verify
from tests.cases import load

DOCUMENT = load("standard_webhooks_vectors.json")
VECTORS: list[dict[str, Any]] = DOCUMENT["vectors"]
MALFORMED: list[str] = DOCUMENT["malformed_signature_headers_must_be_401_not_500"]
BODY = '{"type":"review.closed","said":"Zoë – näheres"}'.encode()
NEW, OLD = secret_of(b"n" * 32), secret_of(b"o" * 32)
NOW = 1_772_445_600


def signed(*secrets: Secret, seed: bytes | None = None, body: bytes = BODY, at: int = NOW) -> dict[str, str]:
    key = None if seed is None else signing.signing(signing_key_of(seed)[0])
    return dict(headers(Secrets(secrets, key), "msg_1", at, body))


def of_the_machine() -> int:
    """What the libraries compare a timestamp with, by five minutes."""
    return int(datetime.now(UTC).timestamp())


def key_of(secret: str, valid_until: int | None = None) -> Secret:
    return Secret(signing.symmetric(secret), valid_until)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_vector_is_verified_as_it_says(vector: dict[str, Any]) -> None:
    key = vector.get("secret") or vector["public_key"]

    found = verify([key], vector["id"], vector["timestamp"], vector["body"].encode(), vector["signature"])

    assert found is vector["valid"]


@pytest.mark.parametrize(
    "vector",
    [one for one in VECTORS if one["valid"] and "secret" in one and " " not in one["signature"]],
    ids=lambda vector: vector["name"],
)
def test_a_vector_is_signed_to_the_byte(vector: dict[str, Any]) -> None:
    secrets = Secrets((key_of(vector["secret"]),))

    made = headers(secrets, vector["id"], vector["timestamp"], vector["body"].encode())

    assert made == {
        "webhook-id": vector["id"],
        "webhook-timestamp": str(vector["timestamp"]),
        "webhook-signature": vector["signature"],
    }


@pytest.mark.parametrize("header", MALFORMED)
def test_a_malformed_signature_header_is_by_nobody(header: str) -> None:
    public = signing_key_of(b"s" * 32)[1]

    assert verify([NEW, public], "msg_1", NOW, BODY, header) is False


def test_the_library_of_standard_webhooks_verifies_what_we_sign() -> None:
    made = signed(key_of(NEW), seed=b"s" * 32, at=of_the_machine())

    assert standardwebhooks.Webhook(NEW).verify(BODY, made)["type"] == "review.closed"


def test_the_library_of_svix_verifies_what_we_sign() -> None:
    made = signed(key_of(NEW), seed=b"s" * 32, at=of_the_machine())

    svix.Webhook(NEW).verify(BODY, made)
    with pytest.raises(svix.WebhookVerificationError):
        svix.Webhook(NEW).verify(BODY + b" ", made)


def test_during_a_rotation_both_secrets_verify_and_the_newest_signs_first() -> None:
    now = of_the_machine()
    made = signed(key_of(NEW), key_of(OLD, (now + 1) * 1_000_000), at=now)

    for secret in (NEW, OLD):
        standardwebhooks.Webhook(secret).verify(BODY, made)
    first, _ = made["webhook-signature"].split(" ")
    assert verify([NEW], "msg_1", now, BODY, first)


def test_a_secret_whose_day_is_over_signs_no_more() -> None:
    made = signed(key_of(NEW), key_of(OLD, NOW * 1_000_000))

    assert verify([NEW], "msg_1", NOW, BODY, made["webhook-signature"])
    assert not verify([OLD], "msg_1", NOW, BODY, made["webhook-signature"])


def test_the_public_key_verifies_without_being_able_to_sign() -> None:
    private, public = signing_key_of(b"s" * 32)
    signature = signed(seed=b"s" * 32)["webhook-signature"]

    assert (private[:5], public[:5]) == ("whsk_", "whpk_")
    assert verify([public], "msg_1", NOW, BODY, signature)
    assert not verify([signing_key_of(b"t" * 32)[1]], "msg_1", NOW, BODY, signature)
    assert not verify([public], "msg_2", NOW, BODY, signature)
    assert not verify([public], "msg_1", NOW + 1, BODY, signature)


def test_a_secret_is_32_bytes_in_base64_after_its_prefix() -> None:
    assert secret_of(b"n" * 32) == "whsec_" + base64.b64encode(b"n" * 32).decode()
    for wrong in ("bm5u", "whsec_!!!", "whsk_bm5u"):
        with pytest.raises(BadSecret):
            signing.symmetric(wrong)


@given(st.binary(max_size=64), st.text(max_size=40))
def test_whatever_is_signed_is_verified_and_nothing_else(body: bytes, header: str) -> None:
    made = signed(key_of(NEW), seed=b"s" * 32, body=body)["webhook-signature"]

    assert verify([NEW], "msg_1", NOW, body, made)
    assert not verify([NEW], "msg_1", NOW, body + b"x", made)
    assert not verify([NEW, signing_key_of(b"s" * 32)[1]], "msg_1", NOW, body, header)
