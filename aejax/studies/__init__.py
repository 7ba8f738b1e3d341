"""Studies: results in parts that resume, keyed by settings and source, and comparisons over seeds.

The experiments of the repository use the same functions.
"""

from aejax.evaluation import Comparison as Comparison
from aejax.evaluation import above as above
from aejax.evaluation import below as below
from aejax.evaluation import interval as interval
from aejax.studies.part_cache import PartCache as PartCache
from aejax.studies.part_cache import Results as Results
from aejax.studies.part_cache import part_cache as part_cache
from aejax.studies.source_digest import code_digest as code_digest
