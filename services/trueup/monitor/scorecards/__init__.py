"""What metrics are read off: counts and sums over outcomes, in buckets of label time that merge.

A `Scorecard` counts one bucket, `Scorecards` keeps those of a version, and a `Sample` is a merge of some of them. No
formula of a metric lives here: those are in `monitor/metrics`, a file each.
"""
