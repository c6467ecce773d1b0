"""Mina sidor, the site where holders help themselves: log-in of holders and of reserve cards, the start page, revocation."""
