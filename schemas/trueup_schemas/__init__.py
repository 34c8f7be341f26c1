"""The outside contract: every event that goes into or comes out of Trueup, one topic a file.

Imports nothing but pydantic."""
