"""What lies behind: histories, read as the events that the workers would have been given, in the order of time.

    source      where the time slices of a history come from (port), and the order in which they are told
    tables      Parquet and CSV: a row is a prediction and its truth
    json_lines  a line is an event
    topics      what is in Kafka still: by the journal, or by the time of the records
    falls       a fall of accuracy, planted on purpose

Reads, and never writes. Knows the topics and no model; what a history says of them is judged by the steps.
"""
