"""What a conversation with a meter fetches, and what the octets it brings mean: pure functions of programs, tables and time."""
