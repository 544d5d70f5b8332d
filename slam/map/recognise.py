"""Which places look alike, whatever the path says: bags of binary words over the whole recording.

A word is a handful of a descriptor's bits, drawn once and the same for everybody, so there is no
vocabulary to train or to ship. Costs a few milliseconds per hundred places.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from core.geometry.arrays import Floats, Ints
from slam.sight.places import Place

TABLES, WORD_BITS, DESCRIPTOR_BITS = 12, 16, 256
MIN_CORNERS = 20  # a place with fewer is not recognised


def likeness(queries: Sequence[Place], known: Sequence[Place]) -> Floats:
    """``(q,k)`` cosine of weighted word counts, 0 … 1; common words count little."""
    everywhere = [*queries, *known]
    words = _words(everywhere)
    places = max(len(everywhere), 1)
    seen_in = np.bincount(words.indices, minlength=words.shape[1])
    weight = np.log(places / np.maximum(seen_in, 1))
    words.data = words.data * weight[words.indices]
    norm = np.sqrt(np.asarray(words.multiply(words).sum(axis=1)).ravel())
    words.data /= np.maximum(np.repeat(norm, np.diff(words.indptr)), 1e-12)
    first = len(queries)
    return np.asarray((words[:first] @ words[first:].T).todense())


def best_first(row: Floats, count: int) -> Ints:
    """Columns of the largest likenesses above 0 in one row, best first."""
    order = np.argsort(-row, kind="stable")[:count]
    return order[row[order] > 0]


def _words(places: Sequence[Place]) -> csr_matrix:
    """``(places, words)`` counts, corners at all their sizes; none for places with hardly any."""
    chosen = np.random.default_rng(0).permuted(
        np.tile(np.arange(DESCRIPTOR_BITS), (TABLES, 1)), axis=1
    )[:, :WORD_BITS]
    powers = 1 << np.arange(WORD_BITS)
    kept = [p for p in places if len(p.track) >= MIN_CORNERS]
    row = np.array([k for k, p in enumerate(places) if len(p.track) >= MIN_CORNERS], np.int64)
    shape = (len(places), TABLES << WORD_BITS)
    if not kept:
        return csr_matrix(shape)
    sizes = [size for p in kept for size in (p.descriptors, *p.coarse)]
    bits = np.unpackbits(np.concatenate(sizes), axis=1)
    word = np.stack([bits[:, c] @ powers for c in chosen], axis=1)
    word += np.arange(TABLES) << WORD_BITS
    owner = np.repeat(row, [len(p.track) * (1 + len(p.coarse)) for p in kept])
    ones = np.ones(word.size)
    return csr_matrix((ones, (np.repeat(owner, TABLES), word.ravel())), shape=shape)
