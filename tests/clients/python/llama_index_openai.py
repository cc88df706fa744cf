"""LlamaIndex: the documents with its class for OpenAI, the query with the one for servers that are like it."""

import json
import sys

from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.embeddings.openai_like import OpenAILikeEmbedding

base_url, model = sys.argv[1:]
asked = json.load(sys.stdin)
ours = OpenAIEmbedding(model_name=model, api_base=base_url, api_key="none")
like = OpenAILikeEmbedding(model_name=model, api_base=base_url, api_key="none")
json.dump([ours.get_text_embedding_batch(asked["documents"]), like.get_query_embedding(asked["query"])], sys.stdout)
