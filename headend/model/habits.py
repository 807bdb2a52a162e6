"""Bad habits of partners' software, by name: what is put right for a partner instead of refused.

Source  reference/multispeak.md 6, 14
"""

from enum import StrEnum


class Habit(StrEnum):
    """One habit; each can be tolerated or not, partner by partner."""

    FOREIGN_ATTRIBUTES = "foreign_attributes"
    """Attributes that the contract does not know: dropped."""
    FOREIGN_ELEMENTS = "foreign_elements"
    """Elements that the contract does not know: dropped."""
    NIL = "nil"
    """xsi:nil on an optional element that may not be nil: counts as absence."""
    LETTER_CASE = "letter_case"
    """Names and enumeration values in other letters' case, such as transactionId."""
    PLURAL = "plural"
    """A name in the singular for the plural or the other way round, such as comment for comments."""
    ORDER = "order"
    """Members in another order than the contract's."""
    BOTH_CHOICES = "both_choices"
    """Several branches of a choice filled: the contract's first one of them counts."""
    TIMESTAMPS = "timestamps"
    """Timestamps whose meaning is plain though they are no xs:dateTime, such as 2017-10-09T053947PM-5."""
    MISSING_PARAMETERS = "missing_parameters"
    """Required parameters left out that say nothing new: requestDate, expirationTime, PhaseCode."""
    SOAP_ACTION = "soap_action"
    """A SOAPAction with spaces at its ends."""
    OLE_EXPIRATION = "ole_expiration"
    """An OLE Automation date (43006.707) as expirationTime, which is in seconds."""
    MISSPELT_VALUES = "misspelt_values"
    """Enumeration values one letter away from the only one that can be meant, such as ELECTIC."""


COMMON_HABITS = frozenset(Habit) - {Habit.MISSPELT_VALUES}
"""Tolerated unless a partner's profile says otherwise: their meaning is plain. A misspelt value is a guess."""
