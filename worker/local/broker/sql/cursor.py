"""A place in the tokens of a filter, which the grammar moves on."""

from worker.local.broker.sql.tokens import FilterError, Kind, Token, tokenize


class Cursor:
    """Stands before the `next` token; the end is never passed."""

    def __init__(self, text: str) -> None:
        self._tokens = tokenize(text)
        self._taken = 0

    @property
    def next(self) -> Token:
        """The token that comes next."""
        return self._tokens[self._taken]

    def take(self) -> Token:
        """Pass the next token and return it."""
        token = self.next
        self._taken += token.kind is not Kind.END
        return token

    def take_word(self, word: str) -> bool:
        """Pass this keyword if it comes next."""
        found = self.next.is_word(word)
        self._taken += found
        return found

    def take_sign(self, sign: str) -> bool:
        """Pass this sign if it comes next."""
        found = self.next.is_sign(sign)
        self._taken += found
        return found

    def expect_sign(self, sign: str) -> None:
        """Pass this sign; raises `FilterError` when it does not come next."""
        if not self.take_sign(sign):
            raise self.unexpected(repr(sign))

    def unexpected(self, expected: str) -> FilterError:
        """Return what is to be raised when something else should come next."""
        return FilterError(self.next.position, f"expected {expected}, not {self.next}")
