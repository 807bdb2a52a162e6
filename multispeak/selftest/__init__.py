"""The self-test: calls a MultiSpeak server's operations, holds what comes back against the contract, and writes down what was found."""
