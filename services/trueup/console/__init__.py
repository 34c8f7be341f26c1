"""What is shown: `progress` reads how far the workers are, `status` puts it all in one object, `terminal` draws it.
`tail` follows a topic. Whatever a stranger may have written is shown by way of `printable`.

Only reads: the views that the workers save, and the offsets of the topics.
"""
