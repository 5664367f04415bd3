"""Results in parts, by all workers together: pictures too large for one piece, and groups that share their statistics.

The ordinary work leaves such pairs waiting (`jobs.ledger.WaitsForPartsError`). Then, from station to station of
`ift.journey`, every part is taken on and measured, all that was measured is pooled and one map solved from it; at the
end every part is written, and every picture put together. Each of these is work as any other: shards whose pairs are
parts, committed once, so that whoever dies, and whenever, nothing committed is lost.
"""
