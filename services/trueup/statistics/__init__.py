"""What monitor and alerter share: e-processes, intervals, dependent samples.

Pure: numbers in, numbers out. No clock, no randomness, no network, and nothing that knows of models or alerts.
"""
