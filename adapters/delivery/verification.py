"""How it is made sure that a file is whole where it went."""

from enum import StrEnum


class Verify(StrEnum):
    """By its hash after it was read back, by its size, or by the server's word alone."""

    SHA256 = "sha256"
    SIZE = "size"
    ANSWER = "answer"
