"""The program ``python -m hma.checkpoints.adapt MODEL ADAPTER OUT [ALLOWED…]``: a LoRA adapter merged into its model by PEFT.

OUT is an empty folder and becomes a whole model with the reference's config, in its dtype, with the adapter's
tokenizer where it has one. Each weight is merged in float32 and rounded once.
"""

from __future__ import annotations

import logging
import shutil
import sys
import warnings
from collections.abc import Collection
from pathlib import Path

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from hma.checkpoints.fingerprint import tokenizer_files
from hma.checkpoints.source import CODE, refuse_outside
from hma.checkpoints.vocabulary import has_tokenizer

_COPIED = ("config.json", "generation_config.json")


def merge(reference: Path, adapter: Path, out: Path, allow: Collection[str] = ()) -> None:
    """Write the model; see the module. Raises ValueError for NaN or infinity, CheckpointError for links out of a folder."""
    copied = _copied(reference, adapter)
    model = AutoModelForCausalLM.from_pretrained(reference, dtype="auto", trust_remote_code=CODE in allow)
    adapted = PeftModel.from_pretrained(model, str(adapter), local_files_only=True)
    with torch.no_grad():
        for layer in [module for module in adapted.modules() if isinstance(module, BaseTunerLayer)]:
            base = layer.get_base_layer()
            dtypes = {name: weight.dtype for name, weight in base.named_parameters(recurse=False)}
            base.float()
            layer.merge(safe_merge=True)
            for name, dtype in dtypes.items():
                weight = getattr(base, name)
                weight.data = weight.data.to(dtype)
    merged = adapted.merge_and_unload()
    for name, weight in merged.named_parameters():
        if not torch.isfinite(weight).all():
            raise ValueError(f"{name} holds NaN or infinity after the merge")
    merged.save_pretrained(out, max_shard_size="5GB")
    for file in copied:
        shutil.copyfile(file, out / file.name)


def _copied(reference: Path, adapter: Path) -> list[Path]:
    """The reference's config and generation settings, and the tokenizer files of the one of the two that has its own."""
    home = adapter if has_tokenizer(adapter) else reference
    tokenizer = [file for file in tokenizer_files(home) if file.name not in _COPIED]
    copied = [*(reference / name for name in _COPIED if (reference / name).is_file()), *tokenizer]
    for file in copied:
        refuse_outside(file)
    return copied


def main() -> None:
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    try:
        merge(*map(Path, sys.argv[1:4]), allow=sys.argv[4:])
    except Exception as error:  # PEFT's and transformers' errors are of many kinds; the caller shows the last line.
        sys.exit(str(error).strip().split("\n")[0] or type(error).__name__)


if __name__ == "__main__":
    main()
