"""litellm, with the model's name behind the provider's, as it wants it."""

import json
import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it downloads prices otherwise

import litellm

base_url, model = sys.argv[1:]
asked = json.load(sys.stdin)


def embed(given: str | list[str]) -> list[list[float]]:
    """One vector a text."""
    answer = litellm.embedding(model=f"openai/{model}", input=given, api_base=base_url, api_key="none")
    return [item["embedding"] for item in answer.data]


json.dump([embed(asked["documents"]), embed(asked["query"])[0]], sys.stdout)
