"""Tiny but real: a two-block Llama pair, a tokenizer, and a suite of three tasks, written to a folder."""

from __future__ import annotations

import json
import random
from pathlib import Path

WORDS = "<pad> <bos> <eos> <unk> human : assistant question answer a b c d e f g h red blue green .".split()


def write_pair(
    folder: Path,
    num_layers: int = 3,
    hidden: int = 16,
    dtype: str = "float32",
    tied: bool = False,
    context: int = 128,
    decided: bool = False,
) -> tuple[Path, Path]:
    """A reference and a policy that differ in most weights; some are equal in both. They read ``context`` tokens.

    The reference finds all words about equally likely, unless it is ``decided``.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=num_layers,
        num_attention_heads=2,
        max_position_embeddings=context,
        tie_word_embeddings=tied,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    torch.manual_seed(0)
    reference = LlamaForCausalLM(config).to(getattr(torch, dtype))
    if decided:
        with torch.no_grad():
            for weight in reference.parameters():
                weight.add_(0.3 * torch.randn_like(weight))
    folders = folder / "reference", folder / "policy"
    _save(reference, folders[0])
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in reference.named_parameters():
            if "o_proj" not in name:  # equal in both, and must stay so
                weight.add_(0.3 * torch.randn_like(weight))
    _save(reference, folders[1])
    return folders


def _save(model, folder: Path) -> None:
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = (
        "<bos>{% for m in messages %}{% if m.role == 'user' %} human : {{ m.content }}"
        "{% else %} assistant : {{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %} assistant :{% endif %}"
    )
    return wrapped


def mask_alphas(num_layers, level, scores, init_val=0.2, epsilon=0.0, shape=(), kind=None) -> dict:
    """What the original code's HMA saves: a number of each block, and the same one for every linear module of its layers.

    ``lblock3`` is ``block3`` with a number of the head, the last of ``scores``.
    """
    import torch

    if level == "layerwise":
        starts = list(range(num_layers))
    elif level.endswith("block3"):
        starts = [start for start in ((0, 11, 21) if num_layers > 30 else (0, 8, 16)) if start < num_layers]
    else:
        count = int(level.removeprefix("block"))
        starts = [k * (num_layers // count) for k in range(count)]
    numbers = [(kind or torch.nn.Parameter)(torch.full(shape, float(score))) for score in scores]
    blocks = {str(k) if level == "layerwise" else k: numbers[k] for k in range(len(starts))}
    modules = {}
    if level == "lblock3":
        modules["lm_head"] = blocks["lm_head"] = numbers[-1]
    for layer in range(num_layers):
        block = max(k for k, start in enumerate(starts) if start <= layer)
        modules |= {f"model.layers.{layer}.{name}": numbers[block] for name in ("self_attn.q_proj", "mlp.up_proj")}
    rest = {"init_val": init_val, "epsilon": epsilon, "base_gammas": {}}
    return {"mask_alphas": modules, "mask_bkp_alphas": blocks, **rest}


def write_mask_alphas(folder: Path, content=None, **arguments) -> Path:
    """A ``mask_alphas.bin`` with this content, or that of ``mask_alphas``."""
    import torch

    path = folder / "mask_alphas.bin"
    torch.save(mask_alphas(**arguments) if content is None else content, path)
    return path


def reward(prompt: str, answer: str) -> float:
    """A reward for tests: how often the answer says red, less a little for its length."""
    words = answer.split()
    return words.count("red") - 0.05 * len(words)


def write_suite(folder: Path, num_items: int = 12, size: int = 8, judge: str = "tests.tiny:reward") -> Path:
    """A suite of one multiple-choice, one F1 and one BLEU task, with both splits; ``judge`` is its reward's function."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(0)
    for split in ("validation", "test"):
        items = [_item(draw, f"{split}-{i}") for i in range(num_items)]
        prompts = [{"id": item["id"], "prompt": item["text"]} for item in items]
        _write_lines(folder / f"prompts_{split}.jsonl", prompts)
        _write_lines(folder / f"items_{split}.jsonl", items)
    asked = [_item(draw, f"train-{i}") for i in range(num_items)]
    _write_lines(folder / "prompts_train.jsonl", [{"id": item["id"], "prompt": f"green {item['text']}"} for item in asked])
    files = "dataset_path: json\ndataset_kwargs:\n  data_files: {validation: items_validation.jsonl, test: items_test.jsonl}\n"
    splits = "validation_split: validation\ntest_split: test\n"
    prompt = 'doc_to_text: "question : {{text}} answer :"\n'
    generate = "output_type: generate_until\ngeneration_kwargs: {until: ['.'], max_gen_toks: 6, do_sample: false}\n"
    (folder / "choice.yaml").write_text(
        f"task: choice\n{files}{splits}output_type: multiple_choice\n{prompt}doc_to_choice: choices\ndoc_to_target: label\n"
        "metric_list:\n  - {metric: acc, aggregation: mean, higher_is_better: true}\n"
    )
    (folder / "words.yaml").write_text(
        f"task: words\n{files}{splits}{generate}{prompt}doc_to_target: target\nprocess_results: !function overlap.process\n"
        "metric_list:\n  - {metric: f1, aggregation: mean, higher_is_better: true}\n"
    )
    (folder / "overlap.py").write_text(
        "def process(doc, results):\n    got, want = set(results[0].split()), set(doc['target'].split())\n"
        "    return {'f1': 2 * len(got & want) / max(1, len(got) + len(want))}\n"
    )
    (folder / "translate.yaml").write_text(
        f"task: translate\n{files}{splits}{generate}{prompt}doc_to_target: target\n"
        "metric_list:\n  - {metric: bleu, aggregation: bleu, higher_is_better: true}\n"
    )
    suite = {
        "name": "tiny",
        "title": "Tiny",
        "reward": {
            "kind": "program",
            "function": judge,
            "prompts": {s: f"prompts_{s}.jsonl" for s in ("validation", "test", "train")},
            "generation": {"max_new_tokens": 8, "temperature": 1.0, "top_p": 1.0, "seed": 3},
        },
        "abilities": [
            {"name": "choice", "title": "Choice", "task": "choice.yaml", "metric": "acc", "unit": "% accuracy"},
            {"name": "words", "title": "Words", "task": "words.yaml", "metric": "f1", "unit": "F1"},
            {"name": "translate", "title": "Translate", "task": "translate.yaml", "metric": "bleu", "unit": "BLEU"},
        ],
        "sizes": {"quick": size, "full": num_items},
    }
    (folder / "suite.json").write_text(json.dumps(suite))
    return folder / "suite.json"


def _item(draw: random.Random, name: str) -> dict:
    letters = draw.sample(list("abcdefgh"), 4)
    colours = ["red", "blue", "green", "red blue"]
    draw.shuffle(colours)
    label = draw.randrange(4)
    return {"id": name, "text": " ".join(letters), "choices": colours, "label": label, "target": colours[label] + " a b c"}


def _write_lines(path: Path, entries: list[dict]) -> None:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
