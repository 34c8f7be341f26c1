"""What would have fired: the workers' own steps over a history, with time that passes by the data.

    drive      monitor and alerter in memory: each chunk of a history through both
    story      what they said, put together: alerts, their causes, the way of the error
    changes    what is known to have happened, and whether and when it was found
    report     all of it as one object; terminal and page show it, plots draws for the page
    power      how long a fall takes to be found, by simulation

Reads histories (`trueup.datasets`), and publishes nothing.
"""
