"""Ends a run within seconds after Ctrl-C or SIGTERM, wherever the run is."""

import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from motionrep.files.stopping import ASKED, Stopped

_GRACE_S = 3.0


@contextmanager
def interruptible(last_words: Callable[[], str]) -> Iterator[None]:
    """Raises KeyboardInterrupt at the end of the block if there was a SIGINT in it, also if one was swallowed.

    After SIGTERM it raises `Stopped`, if the block stands in `stoppable`.

    Python hears of a signal only between two of its own instructions, and a step of torch can take a minute. So a
    thread listens as well. If the block still runs three seconds after the signal, the thread says the last words and
    ends the process. Files lose nothing by that: those of a run are written beside and renamed.

    Outside the main thread of Python, which alone receives signals, this does nothing.

    Args:
        last_words: Tells the user what happened and how to go on; also the text of what is raised.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGINT, *(number for number in ASKED if callable(signal.getsignal(number))))
    heard, done = queue.SimpleQueue[int](), threading.Event()
    ear, mouth = socket.socketpair()
    mouth.setblocking(False)

    def listen() -> None:
        while received := ear.recv(1):
            if received[0] in signals:
                heard.put(received[0])
                if not done.wait(_GRACE_S):
                    sys.stderr.write(f"\nmotionrep: {last_words()}\n")
                    sys.stderr.flush()
                    os._exit(128 + received[0])  # what shells expect of a program that a signal ended

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    earlier_handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    earlier_fd = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    try:
        yield
    except KeyboardInterrupt:
        heard.put(signal.SIGINT)
    except Stopped as stop:
        heard.put(stop.number)
    finally:
        signal.set_wakeup_fd(earlier_fd)
        done.set()
        mouth.close()  # ends the thread
        listener.join()
        ear.close()
        signal.signal(signal.SIGINT, earlier_handler)
    if not heard.empty():
        number = heard.get()
        raise KeyboardInterrupt(last_words()) if number == signal.SIGINT else Stopped(number, last_words())
