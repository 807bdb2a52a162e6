"""Twisted's transport that keeps what is written to it.

Its module marks the ABCs of `collections`, from which one of its classes derives, as what zope.interface knows; after that xmlschema, whose
schemas are sequences, cannot be used in the same process. The marks are taken off again.
"""

from collections.abc import Sequence

from twisted.internet.testing import StringTransport

for _abc in Sequence.__mro__:
    for _mark in ("__provides__", "__providedBy__", "__implemented__"):
        if _abc is not object and _mark in vars(_abc):
            delattr(_abc, _mark)

__all__ = ["StringTransport"]
