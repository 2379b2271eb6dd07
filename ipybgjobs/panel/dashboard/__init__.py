"""The panel as a page of its own, an extension of Jupyter Server: ``jupyter bgjobs dashboard`` serves it on loopback.

It never answers without the server's own authentication. In a Jupyter server that runs anyway:
``jupyter server extension enable ipybgjobs``, then ``/bgjobs/``.

Modules
-------
handlers
    The page, its script and style, and its socket.
server
    The extension, and the small server that the command starts.
"""
