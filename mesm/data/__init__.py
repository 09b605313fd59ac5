"""Turn raw clips into batches: ingestion, the store of samples, importers, features, and the demo corpus.

Start at `store`: `CorpusWriter` writes samples (`mesm.batch.Sample`) into Parquet shards, `Corpus` reads them;
`corpora.open_corpus` finds a corpus by name, `manifest` describes it and gives its identity.

    store, parquet_schema, manifest   a corpus on disk: rows, columns, identity, capabilities
    corpora, remote                   by name, by folder, by URL of object storage
    known_truth                       truth beyond the labels, where a corpus has it
    splits, audit, sources            which clip is in which split, and what two splits share
    loading                           samples -> batches of tensors
    quality, signal_settings          flags of a clip; the numbers of ingestion
    action_unit_csv, action_unit_files  files of OpenFace and py-feat; their rows matched with a clip's faces
    atlas, region_geometry, similarity  where each action unit moves a face, laid on it by its points
    ingest/                           a raw clip -> a sample
    importers/                        a release of IEMOCAP, CMU-MOSEI, ... -> a corpus
    features/                         hand-crafted features of the two-phase baselines
    marionette/                       the generator of the demo corpus

Nothing in this package imports models or training.
"""
