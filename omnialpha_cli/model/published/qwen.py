"""Encode the published context: the last hidden states of Qwen2.5-VL, reading the pictures and the instruction.

A request's text is template, pictures, prompt, template. It is read causally, so everything up to the last picture
does not depend on the prompt: `look` reads it once an item and keeps its keys and values, and `read` goes on from
there with each prompt, the empty one of guidance too. Without pictures the states are kept by prompt.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..loading import load_into, shards
from ..parts import Context, pad
from .qwen_images import ImageSettings, patches

BEFORE = (
    "<|im_start|>system\nDescribe the key features of the input image (color, shape, size, texture, objects, "
    "background), then explain how the user's text instruction should alter or modify the image. Generate a new image "
    "that meets the user's requirements while maintaining consistency with the original input where appropriate."
    "<|im_end|>\n<|im_start|>user\n"
)
AFTER = "<|im_end|>\n<|im_start|>assistant\n"
PICTURE = "Picture {}: <|vision_start|>{}<|vision_end|>"
PLACE = "<|image_pad|>"  # one a token of the picture
DROPPED = 64  # states of the template's beginning, which is the same everywhere
KEPT_PROMPTS = 256

# The head that would predict words has no use here. Files name the two towers in an older and a newer way.
_PREFIXES = (
    ("lm_head.", None),
    ("model.language_model.", "language_model."),
    ("model.visual.", "visual."),
    ("visual.", "visual."),
    ("model.", "language_model."),
)


@dataclass
class ImageStates:
    """Hold one item's pictures: states (L, D) of all that comes before the prompt, keys and values of every layer.

    `position` is where the prompt begins on the model's own axes. `states` is None for an item without pictures.
    """

    states: Tensor | None = None
    cache: Any = None
    position: int = 0


class QwenContext(nn.Module):
    """Encode item by item: `look` at the pictures once, `read` any prompt to them; a result depends on nothing else."""

    def __init__(self, model: nn.Module, tokenizer: Any, images: ImageSettings, transposed: bool):
        super().__init__()
        self.model: Any = model
        self.tokenizer = tokenizer
        self.images = images
        self.transposed = transposed
        self.prompts: OrderedDict[str, Tensor] = OrderedDict()

    @classmethod
    def load(cls, folder: Path, device: torch.device | str, dtype: torch.dtype, transposed: bool) -> Self:
        """Load the encoder from `text_encoder/`, `tokenizer/` and `processor/` of a published folder.

        Raises ImportError without the extra `full`, and what `load_into` raises.
        """
        try:
            from transformers import AutoTokenizer, Qwen2_5_VLConfig, Qwen2_5_VLModel
        except ImportError as error:
            raise ImportError(
                f"these weights need transformers ({error}); install it with: python -m pip install 'omnialpha[full]'"
            ) from error
        config = Qwen2_5_VLConfig.from_pretrained(folder / "text_encoder", local_files_only=True)
        with torch.device("meta"):
            model = Qwen2_5_VLModel(config)
        load_into(model, shards(folder / "text_encoder"), device, dtype, published_name)
        fill_buffers(model, device)
        tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        settings = ImageSettings.read(folder / "processor")
        return cls(model.eval(), tokenizer, settings, transposed)

    @torch.no_grad()
    def look(self, images: Sequence[Sequence[Tensor]]) -> list[ImageStates]:
        """Read what stands before the prompt of every item, given its pictures: RGBA (4, H, W) in [0, 1]."""
        return [self._look(item) if item else ImageStates() for item in images]

    @torch.no_grad()
    def read(self, prompts: Sequence[str], image_states: Sequence[ImageStates]) -> Context:
        """Return the context of `prompts`, one an item, after the images; padded on the right."""
        return Context(*pad([self._read(prompt, item) for prompt, item in zip(prompts, image_states, strict=True)]))

    def _look(self, item: Sequence[Tensor]) -> ImageStates:
        from transformers import DynamicCache

        cut = [patches(image, self.images, self.transposed) for image in item]
        grid = torch.tensor([(1, h, w) for _, (h, w) in cut], device=item[0].device)  # (n, 3): time, rows, columns
        pixels = torch.cat([p for p, _ in cut]).to(next(self.model.parameters()).dtype)
        features = self.model.visual(pixels, grid_thw=grid).pooler_output  # (tokens of all pictures, D)
        counts = [h * w // self.images.merge_size**2 for _, (h, w) in cut]
        pictures = "".join(PICTURE.format(i, PLACE * count) for i, count in enumerate(counts, 1))
        ids = self._ids(BEFORE + pictures)  # (1, L)
        places = ids == self.model.config.image_token_id
        embeddings = self._embed(ids)
        embeddings[places] = features.to(embeddings.dtype)
        positions, _ = self.model.get_rope_index(ids, mm_token_type_ids=places.int(), image_grid_thw=grid)
        cache = DynamicCache()
        return ImageStates(self._states(embeddings, positions, cache), cache, int(positions.max()) + 1)

    def _read(self, prompt: str, item: ImageStates) -> Tensor:
        """Return the states (L, D) of a prompt and of what stands before it."""
        if item.states is None:
            return self._read_alone(prompt)
        states = self._read_text(prompt + AFTER, item.position, item.cache)
        item.cache.crop(-len(states))  # as it was, for the next prompt
        return torch.cat((item.states[DROPPED:], states))

    def _read_alone(self, prompt: str) -> Tensor:
        """Return the states (L, D) of a prompt without pictures."""
        if prompt not in self.prompts:
            self.prompts[prompt] = self._read_text(BEFORE + prompt + AFTER)[DROPPED:]
            if len(self.prompts) > KEPT_PROMPTS:
                self.prompts.popitem(last=False)
        self.prompts.move_to_end(prompt)
        return self.prompts[prompt].to(next(self.model.parameters()).device)

    def _read_text(self, text: str, start: int = 0, cache: Any = None) -> Tensor:
        """Return the states (L, D) of plain text, whose positions from `start` on are equal on all three axes."""
        ids = self._ids(text)
        positions = torch.arange(start, start + ids.shape[1], device=ids.device).expand(3, 1, -1)
        return self._states(self._embed(ids), positions, cache)

    def _ids(self, text: str) -> Tensor:
        device = next(self.model.parameters()).device
        return torch.tensor([self.tokenizer(text)["input_ids"]], dtype=torch.long, device=device)

    def _embed(self, ids: Tensor) -> Tensor:
        return self.model.language_model.embed_tokens(ids)  # (1, L, D)

    def _states(self, embeddings: Tensor, positions: Tensor, cache: Any = None) -> Tensor:
        """Return the last hidden states (L, D) of embeddings (1, L, D) that come after what `cache` holds."""
        use = {} if cache is None else {"cache": cache}
        out = self.model.language_model(
            inputs_embeds=embeddings, position_ids=positions, use_cache=cache is not None, **use
        )
        return out.last_hidden_state[0]


def published_name(key: str) -> str | None:
    """Return the name in `Qwen2_5_VLModel` of a key of the published files; None for the head."""
    for prefix, ours in _PREFIXES:
        if key.startswith(prefix):
            return None if ours is None else ours + key.removeprefix(prefix)
    return key


def fill_buffers(model: nn.Module, device: torch.device | str) -> None:
    """Compute the buffers that no file holds (the rotary frequencies), which the meta device has left empty."""
    for module in model.modules():
        if names := [name for name, buffer in module.named_buffers(recurse=False) if buffer.is_meta]:
            fresh = type(module)(config=module.config)
            for name in names:
                module._buffers[name] = fresh._buffers[name].to(device)  # type: ignore[union-attr]
