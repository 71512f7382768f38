"""Scores of some queries with a block of candidates, and how many of them are above each relevant one's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hybridnb.retrieval.pool import Pool
from hybridnb.retrieval.vectors import Vectors, check_finite


@dataclass(frozen=True)
class RelevantVectors:
    """The relevant candidates' vectors, each once: what makes equal vectors have equal scores.

    A blocked matrix product may give one vector scores that differ in the last bit from column to column. So a
    relevant vector is scored once, outside of it, and that score replaces the product's wherever the vector stands.

    vectors: float32 [distinct, d]; number: bytes of a vector -> its number.
    of_id: int64 [ids, widest], numbers of the relevant candidates' vectors, `len(vectors)` as padding.
    """

    vectors: NDArray[np.float32]
    number: Mapping[bytes, int]
    of_id: NDArray[np.int64]

    @classmethod
    def of(cls, pool: Pool, candidate_vectors: Vectors) -> RelevantVectors:
        number: dict[bytes, int] = {}
        of_id = np.full(pool.relevant.row.shape, -1, dtype=np.int64)
        for code, language in enumerate(pool.languages):
            here = pool.relevant.language == code
            if not here.any():
                continue
            rows, of_entry = np.unique(pool.relevant.row[here], return_inverse=True)
            vectors = np.array(candidate_vectors[language][rows], dtype=np.float32)
            check_finite("candidate", language, vectors, rows)
            numbers = [number.setdefault(vector.tobytes(), len(number)) for vector in vectors]
            of_id[here] = np.array(numbers)[of_entry]
        of_id[of_id < 0] = len(number)
        distinct = np.frombuffer(b"".join(number), dtype=np.float32).reshape(len(number), -1)
        return cls(distinct, number, of_id)

    def find(self, block: NDArray[np.float32]) -> NDArray[np.int64]:
        """[rows]: the number of each row's vector, -1 where no relevant candidate has that vector."""
        found = np.full(len(block), -1, dtype=np.int64)
        # hashing a whole row is slow, and in a large corpus hardly any starts with a relevant one's value
        for row in np.flatnonzero(np.isin(block[:, 0], self.vectors[:, 0])):
            found[row] = self.number.get(block[row].tobytes(), -1)
        return found


@dataclass(frozen=True)
class Block:
    """Some candidates of one language, on the device.

    vectors: [size, d].
    column_of: [distinct + 1], the first column of each relevant vector; `size`, one past the candidates, where the
        block does not have it.
    copies, copied: the later columns of vectors that stand in the block again, and the first column of each.
    excluded: [ids, widest], columns that are not in the pool of a query id, `size` as padding.
    """

    vectors: torch.Tensor
    column_of: torch.Tensor
    copies: torch.Tensor
    copied: torch.Tensor
    excluded: torch.Tensor

    @classmethod
    def of(
        cls,
        pool: Pool,
        relevant: RelevantVectors,
        code: int,
        start: int,
        vectors: NDArray[np.float32],
        device: torch.device,
    ) -> Block:
        """The rows start, start + 1, ... of the language with number `code`."""
        size = len(vectors)
        number = relevant.find(vectors)
        columns = np.flatnonzero(number >= 0)
        column_of = np.full(len(relevant.vectors) + 1, size, dtype=np.int64)
        column_of[number[columns][::-1]] = columns[::-1]  # backwards: the first one is written last
        copies = columns[column_of[number[columns]] != columns]
        column = pool.excluded.row.astype(np.int64) - start
        inside = (pool.excluded.language == code) & (column >= 0) & (column < size)
        parts = (vectors, column_of, copies, column_of[number[copies]], np.where(inside, column, size))
        return cls(*(torch.from_numpy(part).to(device) for part in parts))


@dataclass(frozen=True)
class Asked:
    """The queries on the device.

    vectors: [queries, d]; query_id: [queries], numbers of their ids.
    relevant: [queries, widest], numbers of their relevant vectors; scores: the scores of these, infinite as padding.
    """

    vectors: torch.Tensor
    query_id: torch.Tensor
    relevant: torch.Tensor
    scores: torch.Tensor

    def count_better(
        self, block: Block, tie_with: NDArray[np.float32], chunk: slice
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """([chunk, widest], [chunk]): how many candidates score above each relevant one, and the same as `tie_with`.

        block: the candidates; tie_with: [queries]; chunk: which queries.
        """
        scores, size = self.scores[chunk], len(block.vectors)
        device = scores.device
        # one column more than candidates: what a query does not have in this block is written there
        tile = torch.empty(len(scores), size + 1, device=device)
        candidates = tile[:, :size]
        torch.mm(self.vectors[chunk], block.vectors.T, out=candidates)
        tile.scatter_(1, block.column_of[self.relevant[chunk]], scores)
        if len(block.copies):
            tile[:, block.copies] = tile[:, block.copied]
        if block.excluded.numel():
            tile.scatter_(1, block.excluded[self.query_id[chunk]], -torch.inf)
        # flags are 0.0 or 1.0: torch sums float32 several times faster than bool, exactly below 2 ** 24
        flags = torch.empty(len(scores), size, device=device)
        better = torch.empty(scores.T.shape, device=device)
        for k, score in enumerate(scores.T):
            torch.sum(torch.gt(candidates, score[:, None], out=flags), dim=1, out=better[k])
        ties = torch.from_numpy(tie_with[chunk]).to(device)
        tied = torch.eq(candidates, ties[:, None], out=flags).sum(dim=1)
        return better.T.to("cpu", torch.int32).numpy(), tied.to("cpu", torch.int64).numpy()
