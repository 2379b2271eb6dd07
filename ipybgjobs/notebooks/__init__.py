"""Notebooks as jobs: `ipybgjobs.Notebook`, and what it needs to check one at submit and to run it.

It knows neither store nor client; a worker loads it only for a job that is a notebook.
"""
