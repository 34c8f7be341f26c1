"""Exactly once: takes chunks of records through a pure step, and keeps state, offsets and outputs together.

Knows nothing of models. What lives here, in the order in which an event meets it:

    batches      Faust's transport: one message per fetched chunk of a partition
    loop         one worker: lanes of partitions, when to save, what to do when a write is refused
    lane         one partition: takes chunks in order, keeps one bad event from harming the others
    isolation    which events a step cannot take
    journal      what was taken in which order; replay takes it again
    checkpoint   state + offsets + views + outbox in one atomic write (port); redis_checkpoint, memory
    publisher    the outbox to Kafka (port and Kafka); memory

The order of effects, which nothing may change: process -> save -> publish -> clear the outbox -> commit.
"""
