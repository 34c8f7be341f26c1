"""What is shown: `progress` reads how far the workers are, `status` puts it all in one object, `terminal` draws it.

Only reads: the views that the workers save, and the offsets of the topics.
"""
