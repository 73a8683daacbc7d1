"""What an event does to the views of a partition: pure functions, one view per file.

1. A projection reads and writes rows through a `View` and nothing else: no clock, no random, no
   network, no other partition. Time and ids come out of the event.
2. Folding the same events in the same order gives the same bytes.
3. Its cost follows the change, never the size of the conversation.
"""

__all__: list[str] = []
