"""Python imports this module when it starts the program under Pulumi's engine.

After a failure the engine interrupts the program. Python would print two tracebacks of the SDK,
which hide the message that says what failed; the default action of SIGINT ends it without output.
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)
