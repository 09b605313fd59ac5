"""One-line faults in the data package, each with the test that must fail on it."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

AUDIO, FACES, SEARCH = "mesm/data/ingest/audio.py", "mesm/data/ingest/faces.py", "mesm/data/ingest/search.py"
STORE, MANIFEST, LOADING = "mesm/data/store.py", "mesm/data/manifest.py", "mesm/data/loading.py"
TEST_AUDIO, TEST_FACES = "tests/data/test_ingest_audio.py", "tests/data/test_ingest_faces.py"
TEST_CHOICE = "tests/data/test_ingest_choice.py"
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
        FACES,
        "        return max(sure, key=lambda face: face.area)",
        "        return min(sure, key=lambda face: face.area)",
        f"tests/data/test_ingest_search.py::test_the_largest_of_two {TEST_CHOICE}",
    ),
    Mutant(  # an arm is taken for the face beside it
        FACES,
        "    sure = [face for face in faces if face.is_sure]\n    if sure:",
        "    sure = list(faces)\n    if sure:",
        TEST_CHOICE,
    ),
    Mutant(  # every frame's largest face, whoever it is
        FACES,
        "        same = [] if self.place is None else",
        "        same = [] if self.at is None or self.place is None else",
        TEST_CHOICE,
    ),
    Mutant(  # a face that is large and unsure ends the search
        SEARCH,
        "if face is not None and face.is_sure else 0.0",
        "if face is not None else 0.0",
        "tests/data/test_ingest_search.py::test_an_unsure_face_does_not_end_the_search",
    ),
    Mutant(  # frames of high dynamic range are read as they are
        "mesm/data/ingest/video.py",
        "    if is_hdr(frame):",
        "    if not is_hdr(frame) and False:",
        "tests/data/test_ingest_hdr.py",
    ),
    Mutant(  # repeated frames are damage
        "mesm/data/ingest/media.py",
        "packet.size == 0 and packet.pts is not None",
        "packet.size < 0 and packet.pts is not None",
        "tests/data/test_ingest_kinds.py::test_repeated_frames_are_no_damage",
    ),
    Mutant(  # a length that the header lacks is 0
        "mesm/data/ingest/media.py",
        "    return end_s - zero",
        "    return 0.0",
        "tests/data/test_ingest_kinds.py::test_the_length_is_measured_where_the_header_has_none",
    ),
    Mutant(  # the first sound track is read, whatever it holds
        AUDIO,
        "    if len(sounds) > 1:",
        "    if len(sounds) > 99:",
        "tests/data/test_ingest_kinds.py",
    ),
    Mutant(  # channels that cancel are added
        AUDIO,
        "np.mean(mix**2) < CANCELLED_SHARE * power:",
        "np.mean(mix**2) < -CANCELLED_SHARE * power:",
        "tests/data/test_ingest_kinds.py",
    ),
    Mutant(  # the transcript's flags are those of another text
        "mesm/analysis/predictor.py",
        "        flags = [flag for flag in sample.quality if flag not in TEXT_FLAGS]",
        "        flags = list(sample.quality)",
        "tests/analysis/test_predictor.py::test_a_prediction_carries_what_ingestion_knows",
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
        "if np.mean(sides < TINY_FACE_PX) >= 0.5:",
        "if np.mean(sides > TINY_FACE_PX) >= 0.5:",
        "tests/data/test_quality.py",
    ),
    # A turned head is not flagged.
    Mutant(
        "mesm/data/quality.py",
        "if np.mean(turns >= TURNED_NOSE) >= 0.5:",
        "if np.median(turns) >= TURNED_NOSE:",
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
