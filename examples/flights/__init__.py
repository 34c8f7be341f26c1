"""The demo: every flight out of New York in 2013, served by two models, watched by Trueup, retrained by a pipeline.

Read in this order: `data` (the year as a table), `models` (what is trained), `replay` (the year as predictions and
feedback), `serve` (the app), `pipeline` (the retraining), `recount` (the year counted again, without Trueup).
"""
