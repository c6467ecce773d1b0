"""Activation of cards: identification of the holder, the eID app's transactions and API, and the signed receipt."""
