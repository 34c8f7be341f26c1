"""What predictions were made from, and what they were: faults of the data, and drift. Start reading in `watch`.

The way of a value: `watch` gathers columns over an hour into `profile`s; each `column` holds them against what it
knows, by the rules in `faults`, for `leap`s in `units`, and by the day for `drift`. Nothing is decided by the event.
"""
