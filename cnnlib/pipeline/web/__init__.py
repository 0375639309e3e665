"""A page of your own on pipelines, and an API: ``python -m cnnlib.pipeline.web``. Lesson 14.

Chosen is Starlette with uvicorn: 3 MB beside NumPy and Pillow (FastAPI 12, gradio 189, streamlit 303; Linux, without byte
code), three packages that the tests do not need anyway, and no request to elsewhere, while gradio and streamlit report
their use unless told not to, and FastAPI's page of documentation loads from a CDN. Starlette is what FastAPI itself stands
on, so it is as well kept; what FastAPI adds, a description of the answer, is here `answer_schema`.

The page and its script are plain files of this package. Nothing is loaded from elsewhere, nothing is stored, and nothing
is sent anywhere: images go from the browser to this process and are forgotten with the answer.

>>> from cnnlib import pipeline
>>> from cnnlib.pipeline.web import running
>>> with running([pipeline.ready("detect")]) as address:  # from a notebook: a thread serves
...     print(address)

`application` has the addresses of the API, `guard` says who may ask, `server` holds the port.
"""

from cnnlib.pipeline.web.application import Limits, application
from cnnlib.pipeline.web.server import PORT, listen, running, uvicorn_server, warm

__all__ = ["PORT", "Limits", "application", "listen", "running", "uvicorn_server", "warm"]
