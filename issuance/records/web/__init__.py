"""Code that pages of several packages share.

`frame` renders every page. `places` renders pages of areas and organisations with the tabs and functions that packages register.
`forms` has shared fields, `editing` forms on versioned rows, `moments` date and time fields. `lists` has cursors and addresses of
paged lists, `values` rows of values, `history` the history of a row, `persons` helpers of person pages, `created` the message
about a new row, `refreshing` pages that reload themselves.
"""
