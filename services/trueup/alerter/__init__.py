"""PURE: signals -> decisions. Start reading in `step`.

`cause` says what is behind a signal, `alert_life` and `trigger_life` are what an alert and a trigger go through,
`alert_book` and `trigger_book` take those of all models through it; `policy` decides whether an action is taken,
`actions` what it asks for. The only writer of alerts and triggers.
"""
