"""pyarrow, which reads and writes Parquet files, or the sentence how to install it."""

from typing import Any


def pyarrow_and_parquet() -> tuple[Any, Any]:
    """The modules `pyarrow` and `pyarrow.parquet`.

    Raises:
        ImportError: pyarrow is not installed; the message says how to install it.
    """
    try:
        import pyarrow as pa
        import pyarrow.compute
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError('Parquet files need pyarrow: pip install "motionrep[tables]"') from error
    return pa, parquet
