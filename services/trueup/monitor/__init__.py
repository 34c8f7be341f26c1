"""PURE: events of one partition -> signals. Start reading in `step`.

The way of an event: `join` pairs a prediction with its truth, `outcome` judges the pair, `windows` and `cohorts` keep
how good the model is, `detectors` watch the stream of errors, `signals` says what was noticed. No clock, no input or
output, no logging: time comes in with the data.
"""
