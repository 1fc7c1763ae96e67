import signal

import pytest

from twin_replay.folders import terminate_as_interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_a_callback_lost_is_raised_at_the_end(number):
    before = signal.getsignal(number)
    done = False
    with pytest.raises(KeyboardInterrupt), terminate_as_interrupt():
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:  # as a compiled module's callback does
            done = True
    assert done
    assert signal.getsignal(number) is before
