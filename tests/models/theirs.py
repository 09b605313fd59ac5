"""The module tree of the authors' models, written from its description for the converter's tests; random weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: 64 channels of theirs.
WIDTH = 8
CHANNELS = (WIDTH, 2 * WIDTH, 4 * WIDTH, 8 * WIDTH)


class Block(nn.Module):
    def __init__(self, c: int, k: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(c, k, 3, padding=1), nn.BatchNorm2d(k)
        self.conv2, self.bn2 = nn.Conv2d(k, k, 3, padding=1), nn.BatchNorm2d(k)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class Sequence(nn.Module):
    def __init__(self, dim: int, layers: int, heads: int) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(dim, heads, 32), layers, enable_nested_tensor=False
        )
        self.cls_emb = nn.Embedding(1, dim)

    def forward(self, rows: list[Tensor]) -> Tensor:
        """One utterance after the other: no padding."""
        return torch.stack([self.encoder(torch.cat([self.cls_emb.weight, r])[:, None])[0, 0] for r in rows])


class Heads(nn.Module):
    """What both end-to-end models have."""

    def __init__(self, albert: nn.Module, dim: int, classes: int) -> None:
        super().__init__()
        self.T = nn.Module()
        self.T.albert = albert
        self.v_flatten = nn.Sequential(nn.Linear(CHANNELS[3] * 9, 24), nn.ReLU(), nn.Linear(24, dim))
        self.a_flatten = nn.Sequential(nn.Linear(CHANNELS[3] * 16, 24), nn.ReLU(), nn.Linear(24, dim))
        self.v_transformer, self.a_transformer = Sequence(dim, 2, 4), Sequence(dim, 2, 4)
        self.t_out = nn.Linear(albert.config.hidden_size, classes)
        self.v_out, self.a_out = nn.Linear(dim, classes), nn.Linear(dim, classes)
        self.weighted_fusion = nn.Linear(3, 1, bias=False)
        self.mtcnn = nn.Linear(2, 2)

    def maps(self, segments: Tensor, letter: str, text: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(
        self, ids: Tensor, mask: Tensor, faces: Tensor, face_counts: list[int], mels: Tensor, mel_counts: list[int]
    ) -> Tensor:
        """Raw faces 0..255 and mel power."""
        text = self.T.albert(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]
        mean, std = torch.tensor([159.0, 111, 102]), torch.tensor([37.0, 33, 32])
        faces = (faces - mean[:, None, None]) / std[:, None, None]
        logits = [self.t_out(text)]
        for letter, segments, counts in (("V", faces, face_counts), ("A", mels, mel_counts)):
            flatten, transformer, out = (
                getattr(self, f"{letter.lower()}_{n}") for n in ("flatten", "transformer", "out")
            )
            rows = flatten(self.maps(segments, letter, text).flatten(1))
            logits.append(out(transformer(list(rows.split(counts)))))
        return self.weighted_fusion(torch.stack(logits, -1)).squeeze(-1)


def _stem(inputs: int) -> list[nn.Module]:
    first = WIDTH
    return [nn.Conv2d(inputs, first, 5, padding=2), nn.BatchNorm2d(first), nn.ReLU(), nn.MaxPool2d(2)]


class MME2E(Heads):
    def __init__(self, albert: nn.Module, dim: int = 16, classes: int = 6) -> None:
        super().__init__(albert, dim, classes)
        a, b, c, d = CHANNELS
        self.V, self.A = (
            nn.Sequential(*_stem(n), Block(a, a), Block(a, a), Block(a, b), nn.MaxPool2d(2), Block(b, c), nn.MaxPool2d(2),
                          Block(c, d), nn.MaxPool2d(2))
            for n in (3, 1)
        )  # fmt: skip

    def maps(self, segments: Tensor, letter: str, text: Tensor) -> Tensor:
        return getattr(self, letter)(segments)


class SparseConv(nn.Module):
    """A submanifold convolution on one dense map: offsets row-major, sites that are off stay off."""

    def __init__(self, c: int, k: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(9, 1, c, k) / (9 * c) ** 0.5)

    def forward(self, x: Tensor, on: Tensor) -> Tensor:
        _, _, h, w = x.shape
        padded, total = F.pad(x, (1, 1, 1, 1)), 0
        for offset in range(9):
            dy, dx = divmod(offset, 3)
            total = total + torch.einsum(
                "schw,ck->skhw", padded[:, :, dy : dy + h, dx : dx + w], self.weight[offset, 0]
            )
        return total * on


class NormReLU(nn.Module):
    def __init__(self, k: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.rand(k) + 0.5), nn.Parameter(0.1 * torch.randn(k))
        self.register_buffer("running_mean", 0.1 * torch.randn(k))
        self.register_buffer("running_var", 0.05 + torch.rand(k))

    def forward(self, x: Tensor, on: Tensor) -> Tensor:
        return F.relu(F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=1e-4)) * on


class Attention(nn.Module):
    def __init__(self, channels: int, dim: int, k: int) -> None:
        super().__init__()
        self.channel_affine, self.y_affine = nn.Linear(channels, k), nn.Linear(dim, k, bias=False)
        self.attn_weight_affine = nn.Linear(k, 1)

    def forward(self, x: Tensor, on: Tensor, text: Tensor, p: float) -> Tensor:
        """The nucleus of one segment as a mask (1, 1, H, W)."""
        score = self.attn_weight_affine(torch.tanh(self.channel_affine(x.permute(0, 2, 3, 1)) + self.y_affine(text)))
        weights = torch.where(on[0, 0] > 0, score[0, ..., 0], -torch.inf).flatten().softmax(0)
        ordered, places = weights.sort(descending=True)
        kept = int((ordered.cumsum(0) < p).sum()) + 1
        mask = torch.zeros_like(weights)
        mask[places[:kept]] = 1
        return mask.view(1, 1, *x.shape[2:])


class MME2ESparse(Heads):
    """For one frame and one chunk per utterance, where their coordinate order is right."""

    def __init__(self, albert: nn.Module, top_p: float, dim: int = 16, classes: int = 6) -> None:
        super().__init__(albert, dim, classes)
        self.top_p = top_p
        a, b, c, d = CHANNELS
        text = albert.config.hidden_size
        for letter, inputs in (("V", 3), ("A", 1)):
            layers = [
                nn.Sequential(nn.ModuleList([SparseConv(x, y), NormReLU(y), SparseConv(y, y), NormReLU(y)]))
                for x, y in ((a, b), (b, c), (c, d))
            ]
            attention = [Attention(x, text, k) for x, k in ((a, WIDTH), (b, 2 * WIDTH), (c, 4 * WIDTH))]
            parts = {
                "low_level": nn.Sequential(*_stem(inputs), Block(a, a), Block(a, a)),
                "sparse_layers": nn.ModuleList(layers),
                "attn_layers": nn.ModuleList(attention),
            }
            setattr(self, letter, nn.ModuleDict(parts))

    def maps(self, segments: Tensor, letter: str, text: Tensor) -> Tensor:
        parts = getattr(self, letter)
        x = parts["low_level"](segments)
        on = torch.ones_like(x[:, :1])
        for attention, layer in zip(parts["attn_layers"], parts["sparse_layers"], strict=True):
            on = attention(x, on, text, self.top_p)
            x = x * on
            conv1, norm1, conv2, norm2 = layer[0]
            x = norm2(conv2(norm1(conv1(x, on), on), on), on)
            x, on = F.max_pool2d(x, 2), F.max_pool2d(on, 2)
        return x


class LateFusion(nn.Module):
    """LF_RNN and LF_Transformer on one utterance's rows, text first, then voice, then face."""

    def __init__(self, kind: str, dims: dict[str, int], classes: int = 6) -> None:
        super().__init__()
        self.kind = kind
        if kind == "rnns":
            self.rnns = nn.ModuleDict({m: nn.LSTM(d, d, bidirectional=True) for m, d in dims.items()})
        else:
            heads = {"t": 4, "a": 2, "v": 5}
            self.transformers = nn.ModuleDict({m: Sequence(d, 2, heads[m]) for m, d in dims.items()})
        times = 2 if kind == "rnns" else 1
        self.affines = nn.ModuleDict(
            {m: nn.Sequential(nn.Linear(times * d, times * d // 2), nn.ReLU(), nn.Linear(times * d // 2, classes))
             for m, d in dims.items()}
        )  # fmt: skip
        self.weighted_fusion = nn.Linear(3, 1, bias=False)

    def forward(self, rows: dict[str, Tensor]) -> Tensor:
        logits = []
        for m in ("t", "a", "v"):
            if self.kind == "rnns":
                outputs, (last, _) = self.rnns[m](rows[m][:, None])
                summary = outputs[-1] if m == "t" else last.transpose(0, 1).flatten(1)
            else:
                summary = self.transformers[m]([rows[m]])
            logits.append(self.affines[m](summary))
        return self.weighted_fusion(torch.stack(logits, -1)).squeeze(-1)
