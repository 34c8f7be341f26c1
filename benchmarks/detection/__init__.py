"""What each change detector costs in false alarms, and how soon it finds what really changed.

plan           how much is run
streams        errors of a model: independent or in bursts, with a rise or without
contenders     River's detectors with their defaults, ours with its budget
side_by_side   many e-detectors at once, in NumPy
cusum          the clairvoyant: it knows both rates, and is calibrated to any rate of false alarms
false_alarms   streams on which nothing changes: alone, and a fleet that shares a budget
delays         streams on which the errors rise
peeking        two equal models, and tests that are looked at after each event
generators     River's synthetic streams and a model that learns on them
figures        all of these, in as many processes as there are cores
report         the tables
run            what is written
"""
