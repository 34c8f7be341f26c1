"""How fast one monitor worker is, held against loops that do the same job with their state in memory.

job          the job: decode, join, rolling accuracy, three ADWINs for each model
contender    what each contender is told, and what it says
plain_loop, bytewax_flow, quixstreams_app, faust_tables     the contenders, each a program of its own
in_memory    the job's floor: no Kafka, the same bytes in memory
worker       the contender of the house: a real `trueup monitor` process
run          who runs when, and the table
fleet        the same rate for 1, 100 and 10,000 models
"""
