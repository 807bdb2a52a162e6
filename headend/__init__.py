"""The head-end core: what endpoints, reads, commands and bill cycles are, and what happens next with them."""
