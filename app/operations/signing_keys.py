"""The Ed25519 keys that sign for the ledgers: one signs, and those before it stay known for what they signed.

The first need makes the first key. Of several processes that need it at once, one is first, and all go on with its key:
generations count without a gap, and two of the same cannot be. The private key is wrapped by the master key; it is read
anew for each signing, so that a rotation by another process holds from then on.
"""

from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.database.tables import ledgers, signing_keys
from app.domain.moment import format_instant, from_micros, to_micros
from app.operations.house import House
from app.proof.note import base64_of, key_id_of

ALGORITHM = "Ed25519"
_INSTALLATION = ""
"""What stands in the wrapping in place of an organisation: no organisation goes by it."""

row = signing_keys.c


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair that signs; the private key is opened, so it is kept no longer than it is needed."""

    key_id: str
    public_key: bytes
    _private: Ed25519PrivateKey

    def sign(self, data: bytes) -> bytes:
        """The Ed25519 signature, 64 bytes."""
        return self._private.sign(data)

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id})"


def signing_key(house: House, connection: Connection | None = None) -> SigningKey:
    """The key that signs now, made if there is none yet. `connection`: one to look with first.

    Making it writes, so nobody asks for the first time within a transaction of the writer.
    """
    found = None if connection is None else _current(connection)
    if found is None:
        with house.database.read() as reading:
            found = _current(reading)
    if found is None:
        _make(house, after=0)
        with house.database.read() as reading:
            found = _current(reading)
    assert found is not None
    private = house.master.unwrap(bytes(found.wrapped), _INSTALLATION, found.key_id)
    return SigningKey(found.key_id, bytes(found.public_key), Ed25519PrivateKey.from_private_bytes(private))


def rotate(house: House) -> SigningKey:
    """Let a new key sign from now on; the one before is retired and stays known."""
    with house.database.read() as connection:
        current = _current(connection)
    _make(house, after=0 if current is None else current.generation)
    return signing_key(house)


def public_keys(connection: Connection) -> list[dict[str, Any]]:
    """Every key that ever signed, the first one first: {key_id, algorithm, public_key, created_at, retired_at?}."""
    return [_document(one) for one in connection.execute(select(signing_keys).order_by(row.generation))]


def known_keys(connection: Connection) -> list[bytes]:
    """The bytes of every public key, for whoever checks a signature."""
    return [bytes(key) for key in connection.execute(select(row.public_key).order_by(row.generation)).scalars()]


def retired_keys(connection: Connection) -> dict[bytes, int]:
    """The public keys that sign no more, and since when, in microseconds."""
    chosen = select(row.public_key, row.retired_at).where(row.retired_at.is_not(None))
    return {bytes(one.public_key): one.retired_at for one in connection.execute(chosen)}


def _document(key: Row[Any]) -> dict[str, Any]:
    told = {
        "key_id": key.key_id,
        "algorithm": ALGORITHM,
        "public_key": base64_of(bytes(key.public_key)),
        "created_at": format_instant(from_micros(key.created_at)),
    }
    retired = {} if key.retired_at is None else {"retired_at": format_instant(from_micros(key.retired_at))}
    return {**told, **retired}


def _current(connection: Connection) -> Row[Any] | None:
    newest = select(func.max(row.generation)).scalar_subquery()
    return connection.execute(select(signing_keys).where(row.generation == newest)).first()


def _make(house: House, after: int) -> None:
    """The key that follows a generation, unless another process has just made one."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    key_id = key_id_of(public)
    now = to_micros(house.clock())
    try:
        with house.database.write() as connection:
            connection.execute(
                insert(signing_keys).values(
                    generation=after + 1,
                    key_id=key_id,
                    public_key=public,
                    wrapped=house.master.wrap(private.private_bytes_raw(), _INSTALLATION, key_id),
                    created_at=now,
                )
            )
            # Where the clock went back, what was signed until now is of events that were recorded later than now.
            latest = connection.execute(select(func.max(ledgers.c.recorded_at))).scalar() or 0
            retired = update(signing_keys).where(row.generation <= after, row.retired_at.is_(None))
            connection.execute(retired.values(retired_at=max(now, latest)))
    except IntegrityError:
        return
