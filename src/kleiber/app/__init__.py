"""The planner page: the same answers where people look, served from this machine to a browser.

    asks.py      what may be asked, as typed requests; `told.py` what comes back
    server.py    the HTTP surface: routes, and nothing else
    guard.py     who may ask: token, host, origin, headers
    store.py     uploads, each visible to the session that brought it and to whoever was given its key
    crew.py      processes that answer one question at a time, within a time limit
    worker.py    such a process; `answers/` what it knows to answer, `memory.py` the tables and fits it keeps
    repeat.py    the command and the Python that give the same answer
    static/      the page: HTML, CSS and modules as the browser reads them

One idea: a question is asked in the words of a command's options and answered by the function behind that command, so that the
page cannot say anything else than the shell.
"""
