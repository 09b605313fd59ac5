"""What an attention that looks and listens to the text should reach, and whether it does."""

from __future__ import annotations

from typing import Any

Estimate = dict[str, float | None]

#: Kept sites on a text's regions over the same under other texts: what each layer of a guided attention should reach.
TEXT_LIFT = 1.05


def _value(estimate: Estimate, key: str = "value", missing: float = 0.0) -> float:
    found = estimate.get(key)
    return missing if found is None else found


def _said(estimates: list[Estimate]) -> str:
    return " / ".join(
        "-" if e["value"] is None else f"{e['value']:.2f} [{_value(e, 'low'):.2f}, {_value(e, 'high'):.2f}]"
        for e in estimates
    )


def unseen_neutral(data: dict[str, Any]) -> dict[str, Any] | None:
    """The neutral faces that the text's lift is judged on: rendered ones of people not trained on, else the first."""
    sources = data["text_lift"]
    rendered = [s for s in sources if s["source"].startswith("rendered")]
    return (rendered or sources or [None])[0]


def unsteered(data: dict[str, Any]) -> str | None:
    """A sentence where the text was measured to move the masks less than it should in every layer; else None."""
    source = unseen_neutral(data)
    lifts = [_value(e, missing=TEXT_LIFT) for e in source["text_lift"]] if source is not None else []
    if not lifts or max(lifts) >= TEXT_LIFT:
        return None
    found = " / ".join(f"{lift:.2f}" for lift in lifts)
    return (
        "In this checkpoint the masks follow the face and the voice, and the words hardly move them: on neutral faces the "
        f"regions that a text names are kept {found} times as often as under other texts."
    )


def targets(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows {"name", "wanted", "found", "reached"}; `reached` is None where nothing could be measured.

    Layers are listed from the first to the last, with 95 % intervals.
    """
    kept = data["maps"]["checkpoint"]["kept"]
    rows = [*_looking(kept["active"]), *_own_other(kept["own_other"]), _control(data["random_control"])]
    rows += [*_text(unseen_neutral(data)), _shuffled(data["shuffled_text"])]
    return rows


def _row(name: str, wanted: str, found: str = "not measured", reached: bool | None = None) -> dict[str, Any]:
    return {"name": name, "wanted": wanted, "found": found, "reached": reached}


def _looking(active: list[dict[str, Estimate]] | None) -> list[dict[str, Any]]:
    crop = ("kept sites on the active units, over chance", ">= 2.0 in two layers")
    head = ("the same with chance over the head only", ">= 1.5 in one layer")
    if active is None:
        return [_row(*crop), _row(*head)]
    over_crop, over_head = ([row[name] for row in active] for name in ("lift", "lift_head"))
    return [
        _row(*crop, _said(over_crop), sum(_value(e) >= 2.0 for e in over_crop) >= 2),
        _row(*head, _said(over_head), any(_value(e) >= 1.5 for e in over_head)),
    ]


def _own_other(table: dict[str, Any] | None) -> list[dict[str, Any]]:
    ways = (
        ("layers", "by_emotion", "kept sites on the shown emotion's units over other emotions' units"),
        ("same_layers", "same_units", "kept sites on an emotion's units where it is shown over where others are"),
    )
    return [row for pooled, each, name in ways for row in _contrast(table, pooled, each, name)]


def _contrast(table: dict[str, Any] | None, pooled: str, each: str, name: str) -> list[dict[str, Any]]:
    wanted = (">= 1.25 in one layer", "interval above 1 for at least five emotions in one layer")
    if table is None:
        return [_row(name, wanted[0]), _row(f"{name}, by emotion", wanted[1])]
    layers = table[pooled]
    above = [[e for e, row in table[each].items() if _value(row[i], "low") > 1] for i in range(len(layers))]
    best = max(above, key=len)
    counts = " / ".join(str(len(emotions)) for emotions in above)
    return [
        _row(name, wanted[0], _said(layers), any(_value(e) >= 1.25 for e in layers)),
        _row(f"{name}, by emotion", wanted[1], f"{counts}; best: {', '.join(best) or 'none'}", len(best) >= 5),
    ]


def _control(control: dict[str, Any] | None) -> dict[str, Any]:
    name, wanted = "the same with the attention drawn anew (mean)", "interval holds 1 in every layer"
    if control is None:
        return _row(name, wanted)
    holds = [_value(e, "low", 2.0) <= 1 <= _value(e, "high") for e in control["crop"]]
    return _row(f"{name[:-1]} of {control['inits']})", wanted, _said(control["crop"]), all(holds))


def _text(neutral: dict[str, Any] | None) -> list[dict[str, Any]]:
    guides = (
        "the text guides: kept sites on its units, neutral faces",
        ">= 1.05 in each layer, >= 1.10 in one, above 1",
    )
    leaks = ("the text does not speak through the mask: AUC, neutral faces", "<= 0.55")
    if neutral is None:
        return [_row(*guides), _row(*leaks)]
    lifts = neutral["text_lift"]
    rows = [_row(*guides)]
    if lifts:
        enough = all(_value(e) >= TEXT_LIFT and _value(e, "low") > 1 for e in lifts) and any(
            _value(e) >= 1.1 for e in lifts
        )
        rows = [_row(*guides, _said(lifts), enough)]
    auc = neutral["auc"]
    return [*rows, _row(*leaks, _said([auc]), None if auc["value"] is None else auc["value"] <= 0.55)]


def _shuffled(table: dict[str, Any]) -> dict[str, Any]:
    name, wanted = "shuffled texts cost the face branch", "<= 2 points of accuracy"
    cost = table.get("visual", {}).get("accuracy", {}).get("cost")
    if cost is None:
        return _row(name, wanted)
    accuracy = table["visual"]["accuracy"]
    low, high = accuracy["interval"]
    said = f"{cost:.2f} of {accuracy['own']:.2f}" + ("" if low is None else f" [{low:.2f}, {high:.2f}]")
    return _row(name, wanted, said, cost <= 2)
