"""ANSI C12.19 tables and procedures, both directions, driven only by what a meter's own tables say."""
