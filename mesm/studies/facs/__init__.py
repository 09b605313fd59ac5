"""Does the model look where the Facial Action Coding System says? Attention against action units, with chance.

`codebooks` says which units stand for which emotion, `shapes` and `atlas` where units lie on a face, `agreement` how
far a map agrees with a region, `nulls` and `statistics` what chance would give, `looking` runs a model over a corpus,
`report` makes the record that `mesm facs` writes.

The record `facs_<checkpoint>.json` ("kind": "facs"). Its data, with L layers, E emotions, G groups of units:

    corpus, split, top_p, regions ("truth", "points" or "landmarks"), units_from ("truth", a file, or null),
    active_from                intensity from which a unit counts as active
    emotions (E names), codebook (the one that is printed), codebooks, counter_view
    groups                     G of {"name": "AU 12/15", "units": [12, 15]}
    counts                     clips, speakers, frames, frames_without_face, frames_used, frames_with_active_units,
                               and per emotion {"clips", "frames", "speakers"} in "by_emotion"
    best_layer_lift            {"layer" (1 to L), "value", "low", "high"}: kept sites on the truly active units' regions,
                               chance over the crop; null where no active units are known
    targets                    list of {"name", "wanted", "found", "reached" (true, false or null = not measured)}
    maps                       {"checkpoint" | "hard" | "random": looks}, see below; "hard" = fresh attention with the
                               paper's hard gate, "random" = the checkpoint with the attention's weights drawn anew
    random_control             kept sites on active units with the attention drawn anew, masks at the same top_p:
                               {"inits", "frames", "crop": [L estimates], "head": [L], "each": [L of the
                               initialisations' means]}; null without active units
    text_lift                  does the text guide, does it speak through the mask: list of neutral-face sources, each
                               {"source", "faces", "people", "auc", "auc_per_label", "auc_within_face", "text_lift": [L
                               estimates]} (see `mesm.studies.faithfulness.neutral_faces`); empty where there are none, and
                               "text_lift_missing" says why
    shuffled_text              see `mesm.studies.faithfulness.shuffled`
    voice                      {"chunks", "maps": {map: {kind: [L of {measure: estimate}]}}}, see `voice`; null without

An estimate is {"value", "low", "high"} (95 % bootstrap over speakers), with "p" and "q" where a test was made (q: p
after Benjamini-Hochberg over layers x emotions). Missing numbers are null.

looks = {"kept": look, "attention": look}, and a look is

    active      null, or [L of {measure: estimate}] against the union of the truly active units' regions
    own_other   null, or {"layers": [L estimates], "by_emotion": {emotion: [L]}, "same_layers": [L estimates],
                "same_units": {emotion: [L]}}, see `tables.own_other_tables`
    groups      {emotion: {group name: [L of {"value", "low", "high", "p", "q"}]}}: lift over the crop; p against
                chance (sign flips of speakers)
    codebooks   {codebook: {emotion: null (no prototype) or [L of {measure: estimate}]}}; "lift" has "p", "q" against
                chance and "p_labels", "q_labels" against shuffled labels; "null_centre" and "null_labels" are the lift
                of the centre-bias map and the mean lift under shuffled labels

measures    lift (chance over the crop), lift_sites (chance over the layer's own active sites), lift_head (chance over
            the head only), mass, area, cosine; for kept sites iou and iou_chance; for attention rank_accuracy,
            pointing, auc, nss: see `agreement`
"""
