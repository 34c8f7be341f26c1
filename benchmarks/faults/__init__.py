"""What may never break, under faults: kill -9, pauses, Kafka and Redis that die, go back in time, fill up.

    load ──> Kafka, Redis, two monitors and an alerter  <── faults, one after the other (`schedule`, `actions`)
                        │
               quiet, then `compare`: status against a recount of the topics; every output against a replay
                                      of the journal; records of one id against each other

Start reading in `run`. `controls` breaks the engine on purpose and shows that the comparisons notice.
"""
