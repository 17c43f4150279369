"""The network that decides which pixels belong to the subject of a picture, where nothing but the picture says so."""

from torch import Tensor, nn

from .image_encoder import Backbone, TopDown, channels_of

WIDTHS = (48, 64, 128, 192)  # channels at strides 4, 8, 16 and 32
HEADS = 6


class Segmenter(TopDown):
    """EfficientNet-Lite2, one attention over its deepest cells, and a top-down decoder to the logits of alpha.

    The attention lets every part of a picture know of all others: what belongs together, and what is cut by the frame.
    """

    def __init__(self, drop_path: float = 0.0):
        super().__init__(Backbone(drop_path, "lite2"), channels_of("lite2"), WIDTHS)
        self.norm = nn.LayerNorm(WIDTHS[3])
        self.attention = nn.MultiheadAttention(WIDTHS[3], HEADS, batch_first=True)
        self.coarse = nn.Conv2d(WIDTHS[2], 1, 1)
        self.fine = nn.Sequential(nn.Conv2d(WIDTHS[0], 4, 3, padding=1), nn.PixelShuffle(2))

    def mixed(self, deepest: Tensor) -> Tensor:
        """Add what each cell finds in all others, (B, 192, H/32, W/32) → the same shape."""
        tokens = self.norm(deepest.flatten(2).mT)  # (B, H/32 · W/32, 192)
        found, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        return deepest + found.mT.reshape(deepest.shape)

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """RGB (B, 3, H, W) in [0, 1], sides multiples of 32 → logits of alpha (B, 1, H/2, W/2) and (B, 1, H/16, W/16).

        The coarse ones are for training alone.
        """
        features = self.features(rgb)
        return self.fine(features.s4), self.coarse(features.s16)
