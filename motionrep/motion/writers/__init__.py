"""Writers of motion files, one format each."""
