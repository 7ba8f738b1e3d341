"""Self-contained HTML reports of runs, sweeps, theorems and experiments."""

from aejax.report.comparison_report import comparison_page as comparison_page
from aejax.report.page import CaptionedFigure as CaptionedFigure
from aejax.report.page import Section as Section
from aejax.report.page import certificate_table as certificate_table
from aejax.report.page import key_numbers as key_numbers
from aejax.report.page import link as link
from aejax.report.page import page as page
from aejax.report.page import render_figures as render_figures
from aejax.report.page import run_page as run_page
from aejax.report.page import verdict_cell as verdict_cell
from aejax.report.sweep_report import sweep_page as sweep_page
