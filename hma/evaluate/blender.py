"""llm-blender beside transformers 5."""

from __future__ import annotations

import tempfile
from types import ModuleType


def import_llm_blender() -> ModuleType:
    """The package ``llm_blender``, with the two names of transformers 4 that llm-blender 0.0.2 needs.

    ``transformers.utils.hub.TRANSFORMERS_CACHE`` is asked for when the package is imported, and
    ``batch_encode_plus`` when texts are encoded. Each is set only where it is missing.
    """
    from transformers import PreTrainedTokenizerBase
    from transformers.utils import hub

    if not hasattr(hub, "TRANSFORMERS_CACHE"):
        hub.TRANSFORMERS_CACHE = tempfile.gettempdir()  # Where a ranker from the hub would be kept.
    if not hasattr(PreTrainedTokenizerBase, "batch_encode_plus"):
        PreTrainedTokenizerBase.batch_encode_plus = PreTrainedTokenizerBase.__call__
    import llm_blender

    return llm_blender
