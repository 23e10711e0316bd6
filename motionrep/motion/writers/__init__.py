"""Writers of motion for other programs, one file each: `write(scene, path)`. `writers.table` lists them by suffix."""
