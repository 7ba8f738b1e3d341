"""What autoencoders are used for, and what they turn out to have learned."""

from aejax.applications.copying import Copying as Copying
from aejax.applications.copying import copying as copying
from aejax.applications.copying import shuffled as shuffled
from aejax.applications.score import score_estimate as score_estimate
