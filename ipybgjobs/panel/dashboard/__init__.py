"""The panel as a separate page, an extension of Jupyter Server: ``jupyter bgjobs dashboard`` serves it on loopback.

It never answers without the server's own authentication. In a Jupyter server that is already running:
``jupyter server extension enable ipybgjobs``, then ``/bgjobs/``.

Modules
-------
handlers
    The page, its script and style, and its socket.
server
    The extension, and the small server that the command starts.
"""
