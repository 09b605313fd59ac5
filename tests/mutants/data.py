"""One-line faults in the data package, each with the test that must fail on it."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

AUDIO, FACES, SEARCH = "mesm/data/ingest/audio.py", "mesm/data/ingest/faces.py", "mesm/data/ingest/search.py"
STORE, MANIFEST, LOADING = "mesm/data/store.py", "mesm/data/manifest.py", "mesm/data/loading.py"
TEST_AUDIO, TEST_FACES = "tests/data/test_ingest_audio.py", "tests/data/test_ingest_faces.py"
TEST_STORE, TEST_CORPORA, TEST_LOADING = (f"tests/data/test_{name}.py" for name in ("store", "corpora", "loading"))

MUTANTS: list[Mutant] = [
    Mutant(  # chunks start one hop late
        AUDIO,
        "    power[:, :hops] = mel_power(waveform)[:, :hops]",
        "    power[:, 1:hops] = mel_power(waveform)[:, : hops - 1]",
        TEST_AUDIO,
    ),
    Mutant(  # values are rounded to a tenth instead of to float16
        AUDIO,
        "    logs = np.log10(power + np.float32(MEL_FLOOR)).astype(np.float16)",
        "    logs = np.log10(power + np.float32(MEL_FLOOR)).round(1).astype(np.float16)",
        TEST_AUDIO,
    ),
    Mutant(  # a hole in the file's clock is closed
        AUDIO,
        "        if gap > _GAP_SAMPLES:",
        "        if gap > 10**9:",
        TEST_AUDIO,
    ),
    Mutant(  # the margin is taken of the whole crop
        FACES,
        "    share = MARGIN_PX / (FACE_SIZE_PX - MARGIN_PX) / 2",
        "    share = MARGIN_PX / FACE_SIZE_PX",
        f"{TEST_FACES}::test_crop_is_facenets_own",
    ),
    Mutant(  # the smallest face of a frame is tracked
        SEARCH,
        "    best = max(kept, key=lambda i: float((boxes_P5[i, 2:4] - boxes_P5[i, :2]).prod()))",
        "    best = min(kept, key=lambda i: float((boxes_P5[i, 2:4] - boxes_P5[i, :2]).prod()))",
        "tests/data/test_ingest_search.py::test_the_largest_of_two",
    ),
    Mutant(  # speakers are divided between the splits
        "mesm/data/splits.py",
        "    return leave_one_out(groups, name) if name else disjoint_split(groups, seed)",
        "    return leave_one_out(groups, name) if name else random_split(list(groups), seed)",
        "tests/data/test_splits.py",
    ),
    Mutant(  # a faint emotion is no label
        LOADING,
        "        rows.append([float(known[name] > 0) for name in labels])",
        "        rows.append([float(known[name] > 1) for name in labels])",
        TEST_LOADING,
    ),
    Mutant(  # every epoch has the same order
        LOADING,
        "        return [ids[i] for i in np.random.default_rng([self.seed, epoch]).permutation(len(ids))]",
        "        return [ids[i] for i in np.random.default_rng([self.seed]).permutation(len(ids))]",
        TEST_LOADING,
    ),
    Mutant(  # the newest shard comes first
        STORE,
        "            shards=(*self.manifest.shards, shard),",
        "            shards=(shard, *self.manifest.shards),",
        f"{TEST_STORE}::test_round_trip",
    ),
    Mutant(  # intervals resample clips instead of speakers
        STORE,
        "        return self.speaker or self.clip_id",
        "        return self.clip_id",
        f"{TEST_STORE}::test_the_group_is_the_speaker_or_the_clip",
    ),
    Mutant(  # the voice's parameters are not stored
        "mesm/data/parquet_schema.py",
        '_TYPED_EXTRA = ("displays", "prosody")',
        '_TYPED_EXTRA = ("displays",)',
        f"{TEST_STORE}::test_round_trip",
    ),
    Mutant(  # corpora with other labels are one corpus
        MANIFEST,
        '        content: dict[str, Json] = {"name": self.name, "labels": list(self.labels)}',
        '        content: dict[str, Json] = {"name": self.name}',
        TEST_CORPORA,
    ),
    Mutant(  # a part is another corpus than the whole
        MANIFEST,
        '            content["design"] = {key: value for key, value in self.meta.items() if key != "command"}',
        '            content["design"] = self.meta',
        TEST_CORPORA,
    ),
    Mutant(  # a corpus of the workspace hides the bundled one
        "mesm/data/corpora.py",
        '    return assets(), workspace(home) / "corpora"',
        '    return workspace(home) / "corpora", assets()',
        TEST_CORPORA,
    ),
    Mutant(  # frames without a face count
        "mesm/data/action_unit_csv.py",
        '        return ~(self.numbers("success") <= 0)',
        '        return ~(self.numbers("success") < 0)',
        "tests/data/test_features.py::test_openface_and_pyfeat_files",
    ),
    Mutant(  # the other half of the split screen
        "mesm/data/importers/iemocap.py",
        '    return "" if match is None else "left" if match[2] == match[3] else "right"',
        '    return "" if match is None else "right" if match[2] == match[3] else "left"',
        "tests/data/importers/test_import_iemocap.py",
    ),
    # Large faces are flagged as tiny.
    Mutant(
        "mesm/data/quality.py",
        "if np.median(sides) < TINY_FACE_PX:",
        "if np.median(sides) > TINY_FACE_PX:",
        "tests/data/test_quality.py",
    ),
    # A turned head is not flagged.
    Mutant(
        "mesm/data/quality.py",
        "if np.median(turns) >= TURNED_NOSE:",
        "if np.max(turns) >= TURNED_NOSE * 10:",
        "tests/data/test_quality.py",
    ),
    # A pickle may name any function.
    Mutant(
        "mesm/data/safe_pickle.py",
        '            raise DataError(f"{module}.{name}")',
        '            return __import__("importlib").import_module(module).__dict__[name]',
        "tests/data/test_safe_pickle.py",
    ),
    # A pickle of any size is read.
    Mutant(
        "mesm/data/safe_pickle.py",
        "        if size > max_bytes:",
        "        if False:",
        "tests/data/test_safe_pickle.py",
    ),
    # Valid has the size of test.
    Mutant(
        "mesm/data/splits.py",
        "return [clips - valid - test, valid, test]",
        "return [clips - valid - test, test, valid]",
        "tests/data/test_splits.py",
    ),
]
