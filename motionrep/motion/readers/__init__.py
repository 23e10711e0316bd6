"""Readers of motion files, one file each: `read(contents, options)` gives tracks, motions or joints.

`files.kinds` lists them; those of bodies take `MotionOptions`, those of joints `JointOptions`.
"""
