"""The OCSP responder as processes of its own (F6): one publishes what the database says into files, others answer from them.

`layout` says what the files hold, `writing` and `reading` are the two ends, `app` answers HTTP. None of these imports Django.
"""
