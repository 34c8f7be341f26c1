"""Benchmarks: `make bench` runs all, `make bench BENCH=name` one. Each prints ratios of medians from one run."""
