"""Run the app: `streamlit run app.py`, or `streamlit run app.py -- --home DIR` for another workspace folder."""

import streamlit as st

from mesm.ui import frame, state

st.set_page_config(page_title="MESM", page_icon=":material/grid_view:", layout="wide")
state.use_home_from_command_line()
frame.navigation().run()
