"""What an endpoint, a channel, a read and an event are: frozen values without behaviour of their own."""
