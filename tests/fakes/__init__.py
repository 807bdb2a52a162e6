"""Ports kept in memory, for tests of what uses them."""
