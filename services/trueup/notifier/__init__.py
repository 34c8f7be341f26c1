"""PURE: alerts -> deliveries: what to send, to which channel, and when. Start reading in `step`."""
