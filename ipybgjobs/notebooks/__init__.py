"""Notebooks as jobs: `ipybgjobs.Notebook`, with the code to check a notebook at submit and to run it.

It knows neither store nor client; a worker loads it only for a notebook job.
"""
