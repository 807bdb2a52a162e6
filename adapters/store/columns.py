"""Kinds of columns, and the collection that all tables of the store belong to."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, SmallInteger, Text

metadata = MetaData()

_BIG = BigInteger().with_variant(Integer(), "sqlite")
_SMALL = SmallInteger().with_variant(Integer(), "sqlite")
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def big(name: str, *, nullable: bool = False, key: bool = False) -> Column[int]:
    """64 bits."""
    return Column(name, _BIG, nullable=nullable, primary_key=key, autoincrement=False)


def integer(name: str, *, nullable: bool = False, key: bool = False) -> Column[int]:
    """32 bits."""
    return Column(name, Integer, nullable=nullable, primary_key=key, autoincrement=False)


def small(name: str, *, nullable: bool = False, key: bool = False) -> Column[int]:
    """16 bits."""
    return Column(name, _SMALL, nullable=nullable, primary_key=key, autoincrement=False)


def text(name: str, *, nullable: bool = False, key: bool = False) -> Column[str]:
    """Text that compares by its code points."""
    return Column(name, _TEXT, nullable=nullable, primary_key=key)


def octets(name: str, *, nullable: bool = False, key: bool = False) -> Column[bytes]:
    """Octets."""
    return Column(name, LargeBinary, nullable=nullable, primary_key=key)


def numbered(name: str) -> Column[int]:
    """A key of 64 bits that the database counts up."""
    return Column(name, _BIG, primary_key=True, autoincrement=True)
