"""`POST /v1/classify`: labels of texts, by the worker's `PREDICTOR`."""

from fastapi import APIRouter, Request, Response

from api.admission import admit
from api.call_failed import AtInput
from api.classifier import classify
from api.embedders import searched
from api.embedding import Field
from api.metrics import STAGES
from api.schemas.classify import Classification, Classified, ClassifyRequest
from api.schemas.embeddings import Usage
from contract import lane
from contract.prompts import DOCUMENT
from warmstart.errors import PayloadTooLarge
from warmstart.http.errors import error_responses

router = APIRouter(tags=["classify"])

TEXTS = Field("texts", "texts.{}")


@router.post(
    "/classify",
    response_model_exclude_unset=True,
    responses=error_responses(413, 429),
    openapi_extra={"parameters": [lane.PARAMETER]},
)
async def classify_texts(request: Request, body: ClassifyRequest, response: Response) -> Classification:
    """Embed and classify texts. A large call is bulk unless it asks.

    The texts get the model's prompt of documents, as those that the predictor was trained on. Without a predictor on
    any worker it is a 503, and everything else works.
    """
    asked = lane.asked(request.headers)
    embedder = searched(request)
    await embedder.worker.predictors.require()
    await admit(request, body.texts, TEXTS, embedder.model)
    embedded = await embedder.embed(body.texts, TEXTS, asked, DOCUMENT)
    try:
        found = await classify(request, embedder, embedded, asked)
    except PayloadTooLarge as error:
        raise PayloadTooLarge(error.message, param=TEXTS.whole, code=error.code) from error
    except AtInput as error:
        raise error.told(TEXTS, error.place) from error
    STAGES.observe(embedded.timings)
    response.headers["Server-Timing"] = embedded.timings.header()
    scores = [{"scores": each.scores} if body.scores else {} for each in found.results]
    return Classification(
        results=[
            Classified(label=each.label, score=each.score, **more)
            for each, more in zip(found.results, scores, strict=True)
        ],
        model=found.model,
        fingerprint=found.fingerprint,
        usage=Usage(prompt_tokens=embedded.tokens, total_tokens=embedded.tokens),
    )
