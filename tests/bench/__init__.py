"""Rates, CPU time and memory, printed as tables; nothing here asserts."""
