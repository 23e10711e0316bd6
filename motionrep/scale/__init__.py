"""Embeds and recovers any number of clips of any length, to a data set of Parquet files."""

from motionrep.scale.datasets import DataSet, Engine, embed_dataset, recover_dataset

__all__ = ["DataSet", "Engine", "embed_dataset", "recover_dataset"]
