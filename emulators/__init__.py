"""The pretended utility: meters, routers and their field network, seeded, over real sockets or in memory."""
