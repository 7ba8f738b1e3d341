"""Studies: results in parts that resume, keyed by settings, source and data.

The experiments of the repository use the same functions, and compare results over seeds with
`aejax.evaluation`.
"""

from aejax.runs.source_digest import code_digest as code_digest
from aejax.studies.part_cache import PartCache as PartCache
from aejax.studies.part_cache import Results as Results
from aejax.studies.part_cache import part_cache as part_cache
