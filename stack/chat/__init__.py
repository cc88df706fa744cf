"""A stand-in for a chat model: it echoes the sources of a prompt, in OpenAI's form. There is no language model.

It is for trying out the api's `/v1/chat/completions`, and for tests and drills. It serves `POST /v1/chat/completions`,
whole and streamed, and `GET /v1/models`. `GET /counts` says what has become of the calls, and `PUT /switches` has them
fail.

Only aiohttp, pydantic and Python's standard library are imported: the folder is mounted into a container of the api's
image as it is.
"""

MODEL = "echoes-sources"
PORT = 8003
