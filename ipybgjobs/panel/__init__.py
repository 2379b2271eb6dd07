"""The live panel: what it shows, what its buttons do, and how it learns of changes.

It never changes a job but through the client, and sends no markup that comes from a job.

Modules
-------
dashboard
    The panel as a page of its own, in Jupyter Server.
web
    What a browser shows: scripts and styles.
answers
    What takes time, done in a few threads.
board
    The newest jobs as rows, and what changed of them.
commands
    What a button does.
details
    One job in full.
display
    Showing the panel or a card in a cell.
feed
    The one thread that looks at a store for all its panels.
opened
    The jobs whose details are open.
overview
    The newest of everything, as text or static HTML.
rows
    A job as a row of the panel.
session
    The protocol with one panel.
static
    What a saved notebook keeps.
widget
    The panel and the card as widgets.
"""
