"""Commands: what a person or a partner wants an endpoint to do now, from the request to exactly one final answer."""
