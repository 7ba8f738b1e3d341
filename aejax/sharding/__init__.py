"""Meshes of devices, shardings, and the collectives of compiled programs."""

from aejax.sharding.collectives import Traffic as Traffic
from aejax.sharding.collectives import collectives as collectives
from aejax.sharding.collectives import collectives_of as collectives_of
from aejax.sharding.meshes import data_parallel as data_parallel
from aejax.sharding.meshes import fully_sharded as fully_sharded
from aejax.sharding.meshes import init_sharded as init_sharded
from aejax.sharding.meshes import make_mesh as make_mesh
from aejax.sharding.meshes import placement_on as placement_on
from aejax.sharding.meshes import tensor_parallel as tensor_parallel
