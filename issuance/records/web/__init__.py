"""The page kit: what pages of several packages share.

`frame` renders every page. `places` renders pages of areas and organisations with the tabs and functions that packages register.
`forms` has shared fields, `editing` forms on rows with a version, `moments` points in time that people type. `lists` has heads
and cursors of lists, `values` rows of values, `history` the history of a row, `persons` what pages on a person share, `created`
the message about a new row, `refreshing` pages that reload themselves.
"""
