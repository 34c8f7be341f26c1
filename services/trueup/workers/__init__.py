"""Wiring only: what each worker is made of. Start with `service`, which all of them share."""
