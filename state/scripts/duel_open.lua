-- The duel that a player should see first: his own, the one that he has offered, or the newest
-- that was offered to him.
-- KEYS: player's duel, player's offer, player's incoming. ARGV: what keys of duels begin with
local id = redis.call('GET', KEYS[1]) or redis.call('GET', KEYS[2])
  or redis.call('ZRANGE', KEYS[3], 0, 0, 'REV')[1]
return id and redis.call('HGET', ARGV[1] .. id, 'state')
