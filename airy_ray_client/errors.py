"""What goes wrong with a call."""


class AiryError(Exception):
    """A call that failed, after it was repeated as often as makes sense.

    Attributes:
        status: the answer's status; None if no answer came.
        message: why, in words for people.
        retry_after_s: when the platform wants to be asked again, if it said so.
    """

    def __init__(
        self, status: int | None, message: str, retry_after_s: float | None = None
    ) -> None:
        super().__init__(status, message, retry_after_s)  # args rebuild the error after pickling
        self.status = status
        self.message = message
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return self.message if self.status is None else f"{self.status}: {self.message}"
