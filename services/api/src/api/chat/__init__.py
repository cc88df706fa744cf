"""Answers from documents through an OpenAI-compatible server. Nothing here is imported unless CHAT_URL is set."""
