"""Reports by text message: what a text means, and the signed form a phone makes offline."""
