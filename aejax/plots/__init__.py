"""Functions from arrays to matplotlib figures of autoencoders: training, codes, images, theory."""

from aejax.plots.activation_histograms import activations as activations
from aejax.plots.alignment import alignment as alignment
from aejax.plots.bounds import losses_above as losses_above
from aejax.plots.certificates import Numbers as Numbers
from aejax.plots.certificates import certificates as certificates
from aejax.plots.codes import code_map as code_map
from aejax.plots.confusion import confusion as confusion
from aejax.plots.curves import NORMS as NORMS
from aejax.plots.curves import learning_curves as learning_curves
from aejax.plots.curves import seed_curves as seed_curves
from aejax.plots.curves import terms_of as terms_of
from aejax.plots.formulas import Curves as Curves
from aejax.plots.formulas import against_formula as against_formula
from aejax.plots.image_grids import filters as filters
from aejax.plots.image_grids import reconstructions as reconstructions
from aejax.plots.image_grids import segmentations as segmentations
from aejax.plots.image_grids import traversals as traversals
from aejax.plots.kl_penalty import kl_sparsity as kl_sparsity
from aejax.plots.loss_landscape import critical_points as critical_points
from aejax.plots.loss_landscape import saddle_escape as saddle_escape
from aejax.plots.loss_landscape import search_ends as search_ends
from aejax.plots.spectra import jacobian_spectra as jacobian_spectra
from aejax.plots.spectra import spectrum as spectrum
from aejax.plots.style import COLOURS as COLOURS
from aejax.plots.style import INK as INK
from aejax.plots.style import figure_style as figure_style
