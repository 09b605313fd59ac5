"""Run the app: `streamlit run app.py`, or `streamlit run app.py -- --home DIR` for another workspace folder."""

from mesm.ui import frame, models, state

state.use_home_from_command_line()
frame.navigation().run()
models.load_later()
