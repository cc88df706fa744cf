"""What of a sentence-transformers model is served: a transformer that reads text, and the modules that follow it."""

from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from contract.prompts import Prompts
from warmstart import Fatal
from worker.engines.text_tokenizer import TextTokenizer

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

FIRST, FOLLOWING = "Transformer", ("Pooling", "Dense", "Normalize", "LayerNorm", "Dropout")
LONGEST = 8192  # tokens of a text, where the model sets no limit


def require_supported(model: "SentenceTransformer") -> None:
    """Raise Fatal with the name of what can't be served."""
    first, *following = (type(module).__name__ for module in model)
    unknown = [name for name in following if name not in FOLLOWING]
    if first != FIRST or unknown:
        names = ", ".join(unknown or [first])
        raise Fatal(f"its module {names} is not supported: a {FIRST} comes first, then {', '.join(FOLLOWING)}")
    if not getattr(model.tokenizer, "is_fast", False):
        raise Fatal(f"its tokenizer {type(model.tokenizer).__name__} is not supported: it has no tokenizer.json")
    excluded = any(getattr(module, "include_prompt", True) is False for module in model)
    if excluded and prompts_of(model).any:
        raise Fatal("its Pooling leaves the prompt out (include_prompt: false), which is not supported")


def prompts_of(model: "SentenceTransformer") -> Prompts:
    """Those of its config_sentence_transformers.json; the library adds empty ones for queries and documents."""
    texts = {name: text for name, text in model.prompts.items() if text or name == model.default_prompt_name}
    return Prompts(texts=texts, default=model.default_prompt_name)


def tokenizer_of(model: "SentenceTransformer") -> TextTokenizer:
    """A copy of the tokenizer that the library uses, which it may have changed since it read the file."""
    used = Tokenizer.from_str(model.tokenizer.backend_tokenizer.to_str())
    return TextTokenizer(used, _longest(model), model.tokenizer.truncation_side)


def _longest(model: "SentenceTransformer") -> int:
    longest = min(model.max_seq_length or LONGEST, LONGEST)
    # RoBERTa and its kin count positions from the id of the padding on: of 514 they have 512 for tokens.
    for module in model[0].modules():
        places = getattr(getattr(module, "position_embeddings", None), "num_embeddings", None)
        padding = getattr(module, "padding_idx", None)
        if places is not None and padding is not None:
            longest = min(longest, places - padding - 1)
    return longest
