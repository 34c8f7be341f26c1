"""Exactly once: takes chunks of records through a pure step, and keeps state, offsets and outputs together.

Knows nothing of models. What lives here, in the order in which an event meets it:

    batches      Faust's transport: one message per fetched chunk of a partition; lean_records
    loop         one worker: which partitions it holds, who claims them when, when it has to end
    redo         what Redis forgot, taken again before anything new; history (port), kafka_history, memory
    runner       one lane, driven: what is taken, saved, published when; what to do when a write is refused; clock
    pacing       when a lane is saved
    lane         one partition: waiting chunks, the fold, the cut; waiting, decoding
    isolation    which events a step cannot take
    journal      what was taken in which order; replay takes it again; branches
    checkpoint   state + offsets + views + outbox in one atomic write (port); redis_checkpoint, memory
    publisher    the outbox to Kafka (port and Kafka); outbox, memory

Beside that way: topic_setup (which topics there must be), partitioner, records (what all of it carries), failpoints.

The order of effects, which nothing may change: process -> save -> publish -> clear the outbox -> commit.
"""
