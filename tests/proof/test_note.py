"""A signed checkpoint is a C2SP signed-note, byte for byte, and only the right key's signature makes it one."""

import base64
import random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.proof.note import Checkpoint, NoteRefused, key_hash, key_id_of, notes_in, read_note, sign_note, unsigned

# The first key of RFC 8032 §7.1; what follows was made by hand with openssl: the hash with `openssl dgst -sha256`
# over NAME, a newline, 0x01 and the public key, the signature with `openssl pkeyutl -sign -rawin`.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
NAME = "forewarn/organisations/default"
ROOT = bytes(range(32))
SIGNATURE = "9+ieSbcUWXUiQFSdb8j54aV/sGxCKREvnjhQ5tzP97FDkmnpUudmZsBpdi0JG1kSZHwhV9Zgrz8pEoHp+XHm30866g0="
NOTE = f"""\
forewarn/organisations/default
41
AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=

— forewarn/organisations/default {SIGNATURE}
"""

PRIVATE = Ed25519PrivateKey.from_private_bytes(SEED)
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
OTHER_PUBLIC = OTHER.public_key().public_bytes_raw()
CHECKPOINT = Checkpoint(NAME, 41, ROOT)


def test_a_note_is_the_one_that_was_made_by_hand() -> None:
    assert sign_note(CHECKPOINT, NAME, PRIVATE.sign, PUBLIC) == NOTE


def test_a_note_says_its_checkpoint_to_whoever_knows_the_key() -> None:
    assert read_note(NOTE, [OTHER_PUBLIC, PUBLIC]) == CHECKPOINT
    assert unsigned(NOTE) == CHECKPOINT


def test_a_key_goes_by_the_beginning_of_its_hash() -> None:
    assert key_id_of(PUBLIC) == "21fe31dfa154a261626bf854046fd227"
    assert key_hash(NAME, PUBLIC) == base64.b64decode(NOTE.rsplit(maxsplit=1)[-1])[:4]


def test_signatures_of_others_are_let_be() -> None:
    witness = "— witness.example " + base64.b64encode(b"wxyz" + bytes(64)).decode()
    cosigned = NOTE + witness + "\n"

    assert read_note(cosigned, [PUBLIC]) == CHECKPOINT


@pytest.mark.parametrize(
    ("what", "note"),
    [
        ("another size", NOTE.replace("41", "42")),
        ("another root", NOTE.replace("AAECAw", "AAECBA")),
        ("another origin", NOTE.replace("default", "elsewhere", 1)),
        ("another origin and name", NOTE.replace("default", "elsewhere")),
        ("no signature", NOTE.split("—", maxsplit=1)[0]),
        ("no blank line", NOTE.replace("\n\n", "\n")),
        ("an extension", NOTE.replace("=\n\n", "=\nmore\n\n")),
        ("a size with a zero before it", NOTE.replace("41", "041")),
        ("a size below zero", NOTE.replace("41", "-1")),
        ("a size with a sign", NOTE.replace("41", "+41")),
        ("no size", NOTE.replace("41", "")),
        ("a root of 31 bytes", NOTE.replace("Hh8=", "Hg==")),
        ("a root that could be written otherwise", NOTE.replace("Hh8=", "Hh9=")),
        ("another dash", NOTE.replace("—", "-")),
        ("a line feed with a return", NOTE.replace("\n", "\r\n")),
        ("no end", NOTE[:-1]),
        ("more behind it", NOTE + "more\n"),
        ("a blank line behind it", NOTE + "\n"),
        ("nothing", ""),
    ],
)
def test_what_was_changed_is_refused(what: str, note: str) -> None:
    with pytest.raises(NoteRefused):
        read_note(note, [PUBLIC])


def test_every_letter_of_a_note_counts() -> None:
    chance = random.Random(1)
    for at in range(len(NOTE)):
        letter = chance.choice([one for one in "Aa0/+= \n—x" if one != NOTE[at]])
        for changed in (NOTE[:at] + NOTE[at + 1 :], NOTE[:at] + letter + NOTE[at + 1 :]):
            with pytest.raises(NoteRefused):
                read_note(changed, [PUBLIC])


def test_a_key_that_did_not_sign_is_not_enough() -> None:
    with pytest.raises(NoteRefused, match="None of the known keys"):
        read_note(NOTE, [OTHER_PUBLIC])
    with pytest.raises(NoteRefused, match="None of the known keys"):
        read_note(NOTE, [])


def test_what_claims_a_known_key_and_is_not_its_signature_spoils_the_note() -> None:
    forged = sign_note(CHECKPOINT, NAME, OTHER.sign, PUBLIC)

    with pytest.raises(NoteRefused, match="is wrong"):
        read_note(forged, [PUBLIC])
    with pytest.raises(NoteRefused, match="is wrong"):
        read_note(NOTE + forged.splitlines()[-1] + "\n", [PUBLIC])


def test_a_signature_in_another_name_does_not_count() -> None:
    for_others = sign_note(CHECKPOINT, "forewarn/organisations/other", PRIVATE.sign, PUBLIC)

    with pytest.raises(NoteRefused, match="None of the known keys"):
        read_note(for_others, [PUBLIC])


@pytest.mark.parametrize("name", ["two words", "with+plus", "", "line\nfeed"])
def test_a_name_that_no_note_can_hold_signs_nothing(name: str) -> None:
    with pytest.raises(ValueError, match="no spaces and no plus"):
        sign_note(CHECKPOINT, name, PRIVATE.sign, PUBLIC)


def test_notes_stand_one_after_another_in_a_file() -> None:
    second = sign_note(Checkpoint(NAME, 42, ROOT), NAME, PRIVATE.sign, PUBLIC)

    assert notes_in(NOTE + second) == [NOTE, second]
    assert notes_in("\n" + NOTE + "\n\n" + second + "\n") == [NOTE, second]
    assert notes_in("") == notes_in("\n\n") == []


def test_what_follows_the_notes_and_is_none_is_not_passed_over() -> None:
    *whole, rest = notes_in(NOTE + "and more\n")

    assert whole == [NOTE]
    with pytest.raises(NoteRefused):
        read_note(rest, [PUBLIC])
