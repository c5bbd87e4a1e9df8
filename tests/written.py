"""Checkpoint folders without data: headers, configs and tokenizers, of any size, that take no disk."""

import json
import os
import struct

from hma.checkpoints.header import BITS
from hma.checkpoints.preflight import preflight

WORDS = ["<pad>", "<bos>", "<eos>", "red", "green", "blue", "one", "two"]


CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 8,
    "hidden_size": 4,
    "rope_theta": 10000.0,
    "rms_norm_eps": 1e-6,
    "max_position_embeddings": 64,
    "tie_word_embeddings": False,
}


def llama(layers=2, hidden=4, inner=6, rows=8, dtype="BF16", tied=False):
    """Names of a Llama's tensors, each with dtype and shape."""
    shapes = {"model.embed_tokens.weight": (rows, hidden), "model.norm.weight": (hidden,)}
    shapes |= {} if tied else {"lm_head.weight": (rows, hidden)}
    for n in range(layers):
        layer = {f"self_attn.{p}_proj": (hidden, hidden) for p in "qkvo"}
        layer |= {"mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden), "mlp.down_proj": (hidden, inner)}
        layer |= {"input_layernorm": (hidden,), "post_attention_layernorm": (hidden,)}
        shapes |= {f"model.layers.{n}.{name}.weight": shape for name, shape in layer.items()}
    return {name: (dtype, shape) for name, shape in shapes.items()}


def write_weights(file, tensors):
    """A safetensors file of zeros that takes no disk."""
    header, place = {}, 0
    for name, (dtype, shape) in tensors.items():
        count = BITS[dtype] // 8
        for n in shape:
            count *= n
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [place, place + count]}
        place += count
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text)
    os.truncate(file, 8 + len(text) + place)


def write_json(file, value):
    file.write_text(json.dumps(value))


def write(folder, tensors=None, words=WORDS, added=("<pad>",), **config):
    """A checkpoint folder without data: config, weights, tokenizer and chat template."""
    folder.mkdir(parents=True)
    write_json(folder / "config.json", {**CONFIG, **config})
    write_weights(folder / "model.safetensors", tensors or llama())
    vocab = {word: number for number, word in enumerate(words)}
    extra = [{"id": vocab[word], "content": word} for word in added]
    write_json(folder / "tokenizer.json", {"model": {"type": "WordLevel", "vocab": vocab}, "added_tokens": extra})
    write_json(folder / "tokenizer_config.json", {"chat_template": "{{ messages }}"})
    return folder


def edit(folder, **config):
    file = folder / "config.json"
    write_json(file, {**json.loads(file.read_text()), **config})


def split(folder, tensors=None, shards=2):
    """Write the weights as shards with an index, and return the index."""
    tensors = tensors or llama()
    (folder / "model.safetensors").unlink()
    names = [f"model-{k + 1:05}-of-{shards:05}.safetensors" for k in range(shards)]
    where = {name: names[k % shards] for k, name in enumerate(tensors)}
    for shard in names:
        write_weights(folder / shard, {n: t for n, t in tensors.items() if where[n] == shard})
    write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": where})
    return where


def reindex(folder, where):
    write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": where})


def found(folders, level=None):
    """(level, subject, message) of all findings but those of the machine."""
    findings = [f for f in preflight(*folders).findings if f.subject not in ("memory", "GPU", "disk")]
    return [(f.level, f.subject, f.message) for f in findings if level in (None, f.level)]


def only(folders):
    (finding,) = found(folders)
    return finding
