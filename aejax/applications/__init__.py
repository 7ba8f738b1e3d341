"""What autoencoders are used for, and what they turn out to have learned."""

from aejax.applications.copying import Copying as Copying
from aejax.applications.copying import copying as copying
from aejax.applications.copying import shuffled as shuffled
from aejax.applications.hashing import HammingBalls as HammingBalls
from aejax.applications.hashing import hamming_balls as hamming_balls
from aejax.applications.hashing import precision_at as precision_at
from aejax.applications.hashing import precision_within as precision_within
from aejax.applications.hashing import recall_within as recall_within
from aejax.applications.score import score_estimate as score_estimate
from aejax.applications.segmentation import SegmentationMeasures as SegmentationMeasures
from aejax.applications.segmentation import confusion_matrix as confusion_matrix
from aejax.applications.segmentation import median_frequency_weights as median_frequency_weights
from aejax.applications.segmentation import segmentation_batch as segmentation_batch
from aejax.applications.segmentation import segmentation_measures as segmentation_measures
