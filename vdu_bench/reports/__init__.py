"""What is made of records (leaderboards, tables, plots, the page), and the lists of what is installed.

No module here imports torch, but a method or probe whose settings are listed does.
"""
