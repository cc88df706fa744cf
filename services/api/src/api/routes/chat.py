"""`POST /v1/chat/completions`: answers from the documents, as OpenAI's clients ask for them."""

from fastapi import APIRouter, Request, Response

from api.chat.answer import ChatAnswer
from api.dependencies import Readable
from api.schemas.chat import ChatRequest, Completion
from api.settings import ApiSettings
from contract import lane
from warmstart.errors import BadRequest, NotFound
from warmstart.http.errors import error_responses

router = APIRouter(tags=["chat"])


@router.post(
    "/chat/completions",
    response_class=Response,
    responses={
        200: {"model": Completion, "content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **error_responses(404, 413, 429, 502),
    },
    openapi_extra={"parameters": [lane.PARAMETER]},
)
async def complete_chat(request: Request, body: ChatRequest, readable: Readable) -> Response:
    """Continue a conversation from the documents that are nearest to its last message of the user.

    With `stream`, as chunks in server-sent events. The whole answer, or the first chunk, has a list of `sources`.
    """
    settings: ApiSettings = request.app.state.settings
    if body.model != settings.chat_model:
        raise NotFound(f"model: chats have {settings.chat_model} only", param="model", code="model_not_found")
    characters = sum(len(each.content) for each in body.messages)
    if characters > settings.max_chat_characters:
        raise BadRequest(
            f"messages have {characters} characters together; the limit is {settings.max_chat_characters}",
            param="messages",
            code="text_too_long",
        )
    if body.asked is None:
        raise BadRequest("messages must have one of the user", param="messages", code="no_user_message")
    if not body.messages[body.asked].content:
        where = f"messages.{body.asked}.content"
        raise BadRequest(f"{where} must not be empty: documents are searched by it", param=where, code="too_short")
    return ChatAnswer(request, body, body.asked, readable)
