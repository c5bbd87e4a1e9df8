"""Values and maths: numpy only, no disk, clock, torch or Streamlit."""
