"""What makes a benchmark fail."""


class BenchmarkFailed(Exception):
    """What was to be measured did not happen, or came to a wrong count: there is no figure."""
