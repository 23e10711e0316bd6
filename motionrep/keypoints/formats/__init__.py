"""Keypoint formats, one file each: `read(contents, options)` gives detections or clips. `files.kinds` lists them."""
