"""One layer's experts spread over several processes: tokens travel to their experts and back by uneven all-to-all.

`seats` says which expert sits where, `exchange` moves rows between ranks, `layer` is the layer, `clock` says what a step's time
went into. Placements come as arrays, from whatever policy chose them.
"""
