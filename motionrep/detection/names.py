"""Names of detectors, which help texts and the command line know without loading torch."""

DEFAULT_DETECTOR = "blazepose"
