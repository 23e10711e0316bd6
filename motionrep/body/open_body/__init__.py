"""Builds the open body, the model that ships with motionrep, from MakeHuman's data."""
