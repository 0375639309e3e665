"""A page of your own on pipelines, and an API: ``python -m cnnlib.pipeline.web``. Lesson 14.

Chosen is Starlette with uvicorn: 3 MB beside NumPy and Pillow, against 12 for FastAPI, 189 for gradio and 303 for
streamlit (Linux, without byte code), and it asks nothing of the network, where gradio and streamlit report their use
unless told not to and FastAPI's page of documentation loads from a CDN. FastAPI itself stands on it, so it is as well
kept; what FastAPI would add, a description of the answer, is here `answer_schema`.

The page and its script are plain files of this package. Nothing is loaded from elsewhere, nothing is stored, and
nothing is sent anywhere: images go from the browser to this process and are forgotten with the answer.

>>> from cnnlib import pipeline
>>> from cnnlib.pipeline.web import running
>>> with running([pipeline.ready("detect")]) as address:  # from a notebook: a thread serves
...     print(address)

`application` has the addresses of the API, `guard` says who may ask, `server` holds the port.
"""

from cnnlib.pipeline.web.application import Limits, application
from cnnlib.pipeline.web.server import PORT, listen, running, uvicorn_server, warm

__all__ = ["PORT", "Limits", "application", "listen", "running", "uvicorn_server", "warm"]
