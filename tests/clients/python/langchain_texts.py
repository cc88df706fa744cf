"""LangChain, told not to make token ids."""

import json
import sys

from langchain_openai import OpenAIEmbeddings

base_url, model = sys.argv[1:]
embeddings = OpenAIEmbeddings(model=model, base_url=base_url, api_key="none", check_embedding_ctx_length=False)
asked = json.load(sys.stdin)
json.dump([embeddings.embed_documents(asked["documents"]), embeddings.embed_query(asked["query"])], sys.stdout)
