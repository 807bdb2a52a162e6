"""Passwords of partners: in the clear, or as Argon2id hashes in PHC text (`$argon2id$v=19$m=19456,t=2,p=1$salt$hash`). Pure.

Source  RFC 9106; the cost is OWASP's for Argon2id
"""

import re
from collections.abc import Callable

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

MEMORY_KIB, ITERATIONS, LANES = 19_456, 2, 1
"""Cost of a new hash: 40 ms of one core and 19 MiB, for whoever guesses as for us."""

MEMORY_KIB_MAX, ITERATIONS_MAX, LANES_MAX = 262_144, 10, 8
"""Dearest hash that is taken from a settings file: a call that opens with it must not hold a thread for seconds."""

HASH_MARK = "$argon2id$"
_SALT_OCTETS = 16
_PHC = re.compile(r"\$argon2id\$v=19\$m=(\d{1,9}),t=(\d{1,5}),p=(\d{1,5})\$[A-Za-z0-9+/]{11,88}\$[A-Za-z0-9+/]{22,88}")


def is_hash(stored: str) -> bool:
    """Whether a stored password is a hash and not the password itself."""
    return stored.startswith(HASH_MARK)


def make_hash(password: str, random_octets: Callable[[int], bytes]) -> str:
    """The hash of a password under a new salt."""
    salt = random_octets(_SALT_OCTETS)
    return Argon2id(salt=salt, length=32, iterations=ITERATIONS, lanes=LANES, memory_cost=MEMORY_KIB).derive_phc_encoded(password.encode())


def hash_problem(stored: str) -> str:
    """What is wrong with a hash, in words; empty for a good one. Nothing of it is repeated."""
    found = _PHC.fullmatch(stored)
    if found is None:
        return "is no Argon2id hash; `headend password` makes one"
    memory, iterations, lanes = (int(number) for number in found.groups())
    if memory > MEMORY_KIB_MAX or iterations > ITERATIONS_MAX or lanes > LANES_MAX:
        return f"is a hash too dear to check at a login: at most m={MEMORY_KIB_MAX},t={ITERATIONS_MAX},p={LANES_MAX} are taken"
    if not lanes or not iterations or memory < 8 * lanes:
        return "is a hash whose parameters Argon2id does not allow"
    return ""


def hash_matches(password: str, stored: str) -> bool:
    """Whether a password has this hash; takes the hash's cost, so call it on a thread."""
    try:
        Argon2id.verify_phc_encoded(password.encode(), stored)
    except (InvalidKey, ValueError):
        return False
    return True
