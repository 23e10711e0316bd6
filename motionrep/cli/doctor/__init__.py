"""Examines an installation for `motionrep doctor`: what is there, what works, and how to get the rest."""
