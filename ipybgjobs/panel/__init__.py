"""The live panel: what it shows, what its buttons do, and how it learns of changes.

It changes jobs only through the client, and never sends markup that comes from a job.

Modules
-------
dashboard
    The panel as a separate page, in Jupyter Server.
web
    What a browser shows: scripts and styles.
answers
    Slow requests, carried out in a few threads.
board
    The newest jobs as rows, and their changes.
card
    What a card shows of a store.
commands
    What a button does.
details
    One job in full.
display
    Showing the panel or a card in a cell.
feed
    The one thread that watches a store for all its panels.
group_card
    What the live card of a group shows.
job_card
    What the live card of one job shows.
log_parts
    Parts of a log: the lines before those shown, and pieces to save.
opened
    The jobs whose details are open.
overview
    The newest of everything, as text or static HTML.
recorded
    The values that jobs have recorded and returned.
revival
    Saved cards of a reopened notebook, drawn live again.
rows
    A job as a row of the panel.
saved_notebook
    Whether the kernel's notebook has saved cards.
session
    The protocol with one panel.
static
    What a saved notebook keeps.
transfers
    The rows on their way to a panel, in parts.
widget
    The panel and the card as widgets.
"""
