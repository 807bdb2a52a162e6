"""Holds files against the published schemas, and says what is wrong in words that a person can act on."""
