"""ANSI C12.22 without I/O: octets to messages and back, EAX' security, segments, replay windows, exchanges."""
