"""LangChain at its defaults: it sends token ids of OpenAI's vocabulary; prints the error that it gets."""

import sys

import tiktoken
from langchain_openai import OpenAIEmbeddings
from openai import BadRequestError

# The real vocabulary is a download. Which ids are sent does not matter here: each byte is one.
BYTES = tiktoken.Encoding(
    name="bytes", pat_str=".", mergeable_ranks={bytes([byte]): byte for byte in range(256)}, special_tokens={}
)
tiktoken.encoding_for_model = tiktoken.get_encoding = lambda name: BYTES

base_url, model = sys.argv[1:]
try:
    OpenAIEmbeddings(model=model, base_url=base_url, api_key="none").embed_documents(["hello world"])
except BadRequestError as error:
    print(error)
