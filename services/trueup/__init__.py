"""Trueup: a streaming monitor for machine-learning models in production."""
