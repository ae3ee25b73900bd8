"""Playing: a session that steps one world and takes interventions, and what shows it.

`session` knows nothing of windows and pages: it is what a log replays. `page` shows it in a browser and needs viser,
`window` shows it in MuJoCo's viewer and needs a display; both only hand interventions to the session.
"""
