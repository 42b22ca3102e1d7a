"""An anonymous SMS and USSD grievance and referral gateway for artisanal cobalt mines.

A module imports from lower floors only; `|` marks neighbours that never import each other.

    8  bench
    7  app | cli | supervisor | demo
    6  web | catalogues | keys
    5  hop | inbox | desk | worker
    4  acts | later
    3  runtime
    2  casework | providers
    1  flows | vault | db | settings
    0  text | log | process

`__main__` puts the upper floors together; `migrations` stands beside the floors.

Read `hop.py` first: it is one key press from the provider's request to the next screen.
Then `flows/fold.py` (what a key means), `acts.py` (what is done about it) and
`casework/report.py` (what is kept of it).
"""
